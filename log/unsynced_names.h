// What of a log's directory, besides its segments, a power failure may still lose.
#pragma once

#include <algorithm>
#include <cstdint>

namespace millrace::log {

/// Counts changes of names and of small files that are written without a sync; the flush that moves
/// the recovery point syncs them. A flush reports late, when more may have changed: it reports the
/// count that held when it was prepared.
class UnsyncedNames {
 public:
  void change() { ++changes_; }
  /// The log's directory or its partition.metadata is new.
  void changeDirectory() { directory_ = ++changes_; }
  void changeEpochs() { epochs_ = ++changes_; }
  void changeSnapshot() { snapshot_ = ++changes_; }
  /// What a dead process changed may not be on disk.
  void changeAll() { directory_ = epochs_ = snapshot_ = ++changes_; }

  [[nodiscard]] bool any() const { return changes_ > synced_; }
  [[nodiscard]] bool directory() const { return directory_ > synced_; }
  [[nodiscard]] bool epochs() const { return epochs_ > synced_; }
  [[nodiscard]] bool snapshot() const { return snapshot_ > synced_; }

  [[nodiscard]] std::uint64_t changes() const { return changes_; }
  void synced(std::uint64_t changes) { synced_ = std::max(synced_, changes); }

 private:
  std::uint64_t changes_ = 0;
  std::uint64_t synced_ = 0;
  std::uint64_t directory_ = 0;
  std::uint64_t epochs_ = 0;
  std::uint64_t snapshot_ = 0;
};

}  // namespace millrace::log
