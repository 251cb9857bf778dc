// Flushing: which bytes and names a sync must cover before the recovery point may move.
#include "log/file_slot.h"
#include "log/partition_log_state.h"

#include <algorithm>

namespace millrace::log {

bool PartitionLog::hasUnflushedSegments() const {
  return recoveryPoint() < state_->segments.back()->base();
}

bool PartitionLog::needsFlush() const {
  return recoveryPoint() < endOffset() || state_->unsynced.any();
}

std::uint64_t PartitionLog::unflushedBytes() const { return state_->unflushed_bytes; }

FlushJob PartitionLog::prepareFlush(FlushScope scope) {
  State& s = *state_;
  const bool sealed = scope == FlushScope::kSealed;
  FlushJob job;
  job.up_to = sealed ? s.active().base() : endOffset();
  job.cuts = s.cuts;
  if (s.epochs.takeSaved()) s.unsynced.changeEpochs();
  if (!s.health || (job.up_to <= recoveryPoint() && !s.unsynced.any())) return job;
  s.flushed_stable.prepare(lastStableOffset(), endOffset(), recoveryPoint());
  if (scope == FlushScope::kCheckpoint && !s.finish(s.takeSnapshot(endOffset()))) return {};
  job.bytes = s.unflushed_bytes;
  if (sealed) job.bytes -= std::min(job.bytes, s.active().size());
  Status collected = s.collectSegments(job, s.segments.size() - (sealed ? 1 : 0));
  if (scope == FlushScope::kWhole) {
    job.files.clear();
    job.names = s.unsynced.changes();
  } else if (collected) {
    collected = s.collectNames(job);
  }
  if (collected) return job;
  (void)s.goOffline(collected.error());
  return {};
}

Status PartitionLog::State::collectSegments(FlushJob& job, std::size_t end) {
  for (std::size_t i = indexFor(log.recoveryPoint()); i < end; ++i) {
    if (segments[i]->size() == 0) continue;
    MILLRACE_CHECK_OK(segments[i]->collectFiles(job.files));
    if (segments[i]->takeNewNames()) unsynced.change();
  }
  return {};
}

Status PartitionLog::State::collectNames(FlushJob& job) {
  if (!unsynced.any()) return {};
  const auto add = [&](const std::string& path) -> Status {
    auto file = files.system.open(path, OpenMode::kReadWrite);
    if (file) job.files.push_back(FileSlot::counted(std::move(*file)));
    if (file || file.error().code == Errc::kNotFound) return {};
    return std::unexpected(file.error());
  };
  if (unsynced.directory()) MILLRACE_CHECK_OK(add(files.path(kPartitionMetadata)));
  if (unsynced.epochs()) MILLRACE_CHECK_OK(add(files.path(kEpochCheckpoint)));
  if (unsynced.snapshot() && !snapshots.empty())
    MILLRACE_CHECK_OK(add(files.path(snapshots.back(), FileKind::kSnapshot)));
  job.system = &files.system;
  job.directories.push_back(files.directory);
  if (unsynced.directory()) job.directories.push_back(files.parent());
  job.names = unsynced.changes();
  return {};
}

Status PartitionLog::State::syncNames() {
  FlushJob job;
  if (epochs.takeSaved()) unsynced.changeEpochs();
  MILLRACE_CHECK_OK(collectNames(job));
  MILLRACE_CHECK_OK(job.run());
  unsynced.synced(job.names);
  return {};
}

void PartitionLog::flushed(const FlushJob& job, const Status& outcome) {
  State& s = *state_;
  const FilesInUse use(s);
  if (!outcome) {
    (void)s.goOffline(outcome.error());
    return;
  }
  s.unflushed_bytes -= std::min(s.unflushed_bytes, job.bytes);
  s.unsynced.synced(job.names);
  // What was cut off and written anew while the flush ran was not flushed.
  if (job.cuts != s.cuts) return;
  s.tellJournal(job.up_to);
  if (job.up_to > recoveryPoint())
    recovery_point_.store(job.up_to.value(), std::memory_order_release);
  s.flushed_stable.flushed(recoveryPoint());
}

Status PartitionLog::flush() {
  const FlushJob job = prepareFlush();
  if (!state_->health) return state_->health;
  if (job.empty()) return {};
  const Status outcome = job.run();
  flushed(job, outcome);
  return outcome;
}

}  // namespace millrace::log
