// A disk in memory that breaks in every way a real one does, the same way for the same seed: power
// fails at any operation, what was not synced is lost page by page, writes tear, space runs out,
// calls fail, bits flip.
#pragma once

#include "base/file.h"
#include "base/random.h"

#include <cstdint>
#include <cstdio>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace millrace::log::test {

/// What a fault hits.
enum class DiskCall : std::uint8_t { kRead, kWrite, kSync, kNames };

/// What survives a restart: a process's death leaves the page cache, a power failure only what was
/// synced and an arbitrary part of the rest.
enum class Restart : std::uint8_t { kProcess, kPower };

/// Promises no more than POSIX: a file's bytes are safe after its sync(), a name after the sync of
/// its directory. Of a directory's unsynced changes a power failure keeps a prefix (metadata is
/// journaled), independently for each directory; of a file's unsynced pages any, whole or torn.
/// A failed sync() drops the unsynced pages, as Linux does: the next sync() succeeds, the bytes are
/// gone. Paths are absolute; renames stay within a directory. Thread-safe.
class FaultyDisk final : public FileSystem {
 public:
  static constexpr std::size_t kPage = 4096, kSector = 512;
  explicit FaultyDisk(std::uint64_t seed) : random_(seed) {}

  // Faults.
  /// After so many further changes (writes, syncs, names) the next is done in part or not at all,
  /// and every call fails until restart().
  void crashAfter(std::uint64_t changes);
  [[nodiscard]] bool crashed() const;
  /// Files that were open are dead; faults are cleared.
  void restart(Restart how);
  /// After so many further calls of the kind the next fails with kIo.
  void failAfter(DiskCall call, std::uint64_t calls);
  /// So many more bytes fit. The write that does not fit writes what does.
  void limitSpace(std::uint64_t bytes_left);
  void setReadOnly(bool read_only);
  /// Whether an injected fault was met since the last restart().
  [[nodiscard]] bool faultMet() const;

  /// Prints every change, with the outcome: for a person who follows a failure.
  void traceTo(std::FILE* out) { trace_ = out; }

  // Damage, in memory and on the platter at once.
  void flipBit(const std::string& path, std::uint64_t bit);
  void overwrite(const std::string& path, std::uint64_t position, BytesView bytes);
  void cut(const std::string& path, std::uint64_t size);
  void erase(const std::string& path);

  /// Changes made so far: where a crash may be put.
  [[nodiscard]] std::uint64_t changes() const;
  /// All files below a directory, sorted.
  [[nodiscard]] std::vector<std::string> filesBelow(const std::string& directory) const;

  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Status createDirectories(const std::string& path) override;
  Status remove(const std::string& path) override;
  Status removeAll(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status syncDirectory(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<Bytes> readAll(const std::string& path, std::size_t limit) override;
  Status writeAtomically(const std::string& path, BytesView content) override;

 private:
  class OpenFile;
  struct Node;
  using NodePtr = std::shared_ptr<Node>;
  using Names = std::map<std::string, NodePtr>;
  /// Names that change at once; null: gone.
  using NameChange = std::vector<std::pair<std::string, NodePtr>>;

  /// A file or a directory.
  struct Node {
    bool directory = false;
    Bytes cached = {};
    Bytes synced = {};
    /// Pages of `cached` that a power failure may lose.
    std::set<std::size_t> dirty = {};
    std::uint64_t stamp = 0;
    Names names = {};
    Names synced_names = {};
    std::vector<NameChange> changes = {};
  };

  /// What a change may do before the power fails.
  enum class Go : std::uint8_t { kWhole, kPart, kNot };

  [[nodiscard]] Status alive(DiskCall call);
  /// Counts a change. kPart and kNot: the machine stops, or a fault hits, after that much.
  [[nodiscard]] Go begin(DiskCall call, const std::string& what, Status& outcome);
  [[nodiscard]] Go decide(DiskCall call, Status& outcome);
  [[nodiscard]] static std::string describe(const std::string& directory, const NameChange& change);
  [[nodiscard]] NodePtr find(const std::string& path) const;
  [[nodiscard]] NodePtr parentOf(const std::string& path) const;
  [[nodiscard]] Status changeNames(const std::string& directory_of, NameChange change);
  [[nodiscard]] Status writeNode(Node& node, const std::string& path, std::uint64_t position,
                                 std::span<const BytesView> slices);
  [[nodiscard]] Status syncNode(Node& node, const std::string& path);
  /// Everything below a directory, one change in all. Where it fails, some files have lost what was
  /// not synced and some are synced, as with syncNode().
  [[nodiscard]] Status syncTree();
  static void storeNode(Node& node);
  static void losePages(Node& node);
  void storeTree(Node& node, Go go);
  [[nodiscard]] Status truncateNode(Node& node, const std::string& path, std::uint64_t size);
  [[nodiscard]] Status removeTree(const std::string& path);
  void settle(Node& node);
  void settleFile(Node& node);
  void writeBackSomething(Node& node);
  void storePage(Node& node, std::size_t page, std::size_t bytes);
  static void collect(const Node& node, const std::string& path, std::vector<std::string>& out);
  /// Uniform in [0, n].
  std::uint64_t upTo(std::uint64_t n) { return random_.below(n + 1); }

  mutable std::mutex mutex_;
  SeededRandom random_;
  NodePtr root_ = std::make_shared<Node>(Node{.directory = true});
  std::uint64_t generation_ = 0;
  std::uint64_t changes_ = 0;
  std::uint64_t last_stamp_ = 0;
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t crash_at_ = kNever;
  std::uint64_t space_left_ = kNever;
  std::map<DiskCall, std::uint64_t> fail_after_;
  std::FILE* trace_ = nullptr;
  bool crashed_ = false;
  bool read_only_ = false;
  bool fault_met_ = false;
};

}  // namespace millrace::log::test
