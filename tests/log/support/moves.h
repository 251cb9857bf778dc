// A move to another data directory, as the broker does it, on one thread.
#pragma once

#include "log/log_manager.h"

#include <limits>

namespace millrace::log::test {

/// Copies all that there is now.
inline Status copyAll(LogManager& manager, const TopicPartition& tp, FutureLog& future) {
  IoPace pace(-1);
  MILLRACE_TRY(const MoveSource source, manager.find(tp)->moveSource(MovePass::kGrowing));
  return future.copy(source, std::numeric_limits<std::uint64_t>::max(), pace);
}

/// The copy takes the log's place.
inline Status switchOver(LogManager& manager, const TopicPartition& tp) {
  PartitionLog& before = *manager.find(tp);
  const auto future = manager.moves().at(0).future;
  MILLRACE_TRY(const MoveSource source, before.moveSource(MovePass::kLast));
  const Offset high = before.highWatermark();
  MILLRACE_TRY(PartitionLog* const after, manager.takePlace(*future, source, before.config()));
  after->setHighWatermark(high);
  MILLRACE_CHECK_OK(before.leaveJournal());
  return manager.finishMove(tp, 0);
}

inline Status moveTo(LogManager& manager, const TopicPartition& tp, const std::string& directory) {
  MILLRACE_TRY(const auto future, manager.beginMove(tp, directory));
  if (future == nullptr) return {};
  MILLRACE_CHECK_OK(copyAll(manager, tp, *future));
  return switchOver(manager, tp);
}

}  // namespace millrace::log::test
