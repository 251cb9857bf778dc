// Pages of an index file in memory: a lookup costs a system call only where a page is missing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace millrace::log {

/// The pages of one file. All files of the process share kBudget bytes; where those are used up,
/// each file keeps kFloor pages for itself and begins anew when it wants more. Segments let go of
/// theirs when nobody read them for a while.
class EntryPages {
 public:
  static constexpr std::size_t kPageBytes = 4096;
  /// Enough for the indexes of 32 GiB that are read at random.
  static constexpr std::int64_t kBudget = 64 << 20;
  static constexpr std::size_t kFloor = 16;

  EntryPages() = default;
  ~EntryPages() { clear(); }
  EntryPages(const EntryPages&) = delete;
  EntryPages& operator=(const EntryPages&) = delete;

  /// Null where the page is not here.
  [[nodiscard]] const char* find(std::size_t page) const {
    return page < pages_.size() ? pages_[page].bytes.get() : nullptr;
  }
  /// Room for a page of `size` bytes that is not here: filled by the caller, who drops it where
  /// that fails. Other pages may go.
  [[nodiscard]] char* add(std::size_t page, std::size_t size);
  /// Forgets this page and the ones behind it.
  void dropFrom(std::size_t page);
  void clear() { dropFrom(0); }

  /// Bytes that all files hold.
  [[nodiscard]] static std::int64_t bytesHeld();

 private:
  struct Page {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
  };
  std::vector<Page> pages_;
  std::size_t here_ = 0;
};

}  // namespace millrace::log
