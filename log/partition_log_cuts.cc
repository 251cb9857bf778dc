// Cutting records off: what a follower does that diverged, and recovery behind damage.
//
// What was flushed is cut in two steps, so that a crash at any moment leaves either all of it or
// the cut: the marker file says durably where the log is to end, the recovery point goes down in
// the checkpoint file, and only then the cut begins. A start that finds such a marker makes the
// cut: it must not go on with records above the recovery point among which compaction has left
// gaps.
#include "log/own_segments.h"
#include "log/partition_log_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace millrace::log {
namespace {

/// Whether records from this offset on may be cut off.
Status checkNotFlushed(const PartitionLog& log, Offset from) {
  if (log.recoveryPoint() <= from) return {};
  return fail(Errc::kState,
              fmt::format("{}: records from {} up to {} were flushed", log.directory(),
                          from.value(), log.recoveryPoint().value()));
}

/// A cut drops what shows that an index is damaged, and what is missing in it then stays: before
/// one at `offset`, such indexes are made anew. Returns whether they were.
Result<bool> checkIndexes(Segment& segment, Offset offset, const LogConfig& config) {
  if (segment.size() == 0) return false;
  MILLRACE_TRY(const std::uint64_t position, segment.locate(offset));
  MILLRACE_TRY(const Offset end, segment.endAt(position));
  MILLRACE_TRY(const bool fit, segment.indexesFit({position, end}));
  if (!fit) segment.distrustIndexes();
  if (!segment.indexesDistrusted()) return false;
  return segment.checkIndexes(config);
}

}  // namespace

Status PartitionLog::State::dropBehind(std::size_t index) {
  if (index + 1 >= segments.size()) return {};
  while (segments.size() > index + 1) {
    MILLRACE_CHECK_OK(removeFiles(active().base()));
    segments.pop_back();
  }
  return files.system.syncDirectory(files.directory);
}

Status PartitionLog::State::truncateAndSync(Segment& segment, std::uint64_t position, Offset next) {
  MILLRACE_CHECK_OK(segment.truncate(position, next));
  std::vector<std::shared_ptr<File>> cut;
  MILLRACE_CHECK_OK(segment.collectFiles(cut));
  for (const auto& file : cut) MILLRACE_CHECK_OK(file->sync());
  return {};
}

Status PartitionLog::State::beginCut() {
  MILLRACE_TRY(const auto marker, files.system.open(files.path(kCutMarker), OpenMode::kCreate));
  return {};
}

Status PartitionLog::State::endCut() {
  if (cut_pending) return {};
  unsynced.change();
  const Status removed = files.system.remove(files.path(kCutMarker));
  if (!removed && removed.error().code != Errc::kNotFound) return removed;
  // Were it back after a power failure, what is appended from now on would be cut off.
  return std::exchange(cut_to, std::nullopt) ? files.system.syncDirectory(files.directory)
                                             : Status{};
}

Status PartitionLog::State::loadCut() {
  const std::string path = files.path(kCutMarker);
  MILLRACE_TRY(const Bytes text, files.system.readAll(path));
  if (text.empty()) return {};  // a cut of what was not flushed had begun
  MILLRACE_TRY(const auto lines, parseCheckpoint(path, text));
  std::int64_t end = -1;
  if (lines.size() == 1) std::from_chars(lines[0].data(), lines[0].data() + lines[0].size(), end);
  if (end < 0) return fail(Errc::kCorruptData, path + " does not say where the log is to end");
  // The process that wrote it may have died before it was on disk. What is cut from here on is
  // explained by nothing else.
  MILLRACE_CHECK_OK(files.system.syncDirectory(files.directory));
  cut_to = Offset{end};
  cut_pending = true;
  options.recovery_point = std::min(options.recovery_point, *cut_to);
  options.clean_shutdown = false;
  return {};
}

Status PartitionLog::announceCut(Offset offset) {
  State& s = *state_;
  if (!s.health) return s.health;
  if (recoveryPoint() <= offset) return {};
  MILLRACE_TRY(const Offset end, s.checked(s.endBelow(offset)));
  ++s.cuts;
  const Offset kept = std::min(offset, end);
  // The journal first: what is to go must not be brought back, nor missed, behind the cut.
  MILLRACE_CHECK_OK(s.finish(s.cutJournal(kept)));
  MILLRACE_CHECK_OK(s.finish(s.files.system.writeAtomically(
      s.files.path(kCutMarker), formatCheckpoint({std::to_string(kept.value())}))));
  s.cut_to = kept;
  recovery_point_.store(kept.value(), std::memory_order_release);
  return {};
}

Status PartitionLog::confirmCut() {
  State& s = *state_;
  if (!s.cut_pending) return {};
  s.cut_pending = false;
  return s.finish(s.endCut());
}

bool PartitionLog::cutPending() const { return state_->cut_pending; }

std::size_t PartitionLog::State::lastBelow(Offset offset) const {
  const std::size_t last = indexFor(offset);
  return last > 0 && segments[last]->base() == offset ? last - 1 : last;
}

Result<Offset> PartitionLog::State::endBelow(Offset offset) const {
  Segment& last = *segments[lastBelow(offset)];
  MILLRACE_TRY(const std::uint64_t position, last.locate(offset));
  return last.endAt(position);
}

Status PartitionLog::State::disownAbove(Offset end) {
  if (!own_from || *own_from <= end) return {};
  own_from.reset();
  unsynced.change();
  return files.system.remove(files.path(kOwnSegments));
}

Status PartitionLog::State::truncateFully(Offset start) {
  MILLRACE_CHECK_OK(makeDirectory());
  MILLRACE_CHECK_OK(cutJournal(Offset{0}));
  MILLRACE_CHECK_OK(beginCut());
  ++cuts;
  for (; !segments.empty(); segments.pop_back()) MILLRACE_CHECK_OK(removeFiles(active().base()));
  MILLRACE_CHECK_OK(dropSnapshots(Offset{0}, Offset{std::numeric_limits<std::int64_t>::max()}));
  segments.push_back(std::make_unique<Segment>(files, start));
  MILLRACE_CHECK_OK(active().file());
  MILLRACE_CHECK_OK(disownAbove(start));
  producers.clear();
  flushed_stable = {};
  epochs.clear();
  log.log_start_offset_.store(start.value(), std::memory_order_release);
  log.recovery_point_.store(start.value(), std::memory_order_release);
  log.cleaned_to_.store(start.value(), std::memory_order_release);
  log.high_watermark_.store(start.value(), std::memory_order_release);
  publish(start);
  publishStable();
  MILLRACE_CHECK_OK(epochs.save());
  // An empty log knows from its segment's name alone where it begins.
  unsynced.change();
  MILLRACE_CHECK_OK(syncNames());
  return endCut();
}

Status PartitionLog::truncateFullyAndStartAt(Offset offset) {
  State& s = *state_;
  if (!s.health) return s.health;
  MILLRACE_CHECK_OK(checkNotFlushed(*this, s.segments.front()->base()));
  return s.finish(s.truncateFully(offset));
}

Status PartitionLog::truncateTo(Offset offset) {
  State& s = *state_;
  if (!s.health) return s.health;
  if (offset >= endOffset()) return {};
  MILLRACE_CHECK_OK(checkNotFlushed(*this, std::max(offset, s.segments.front()->base())));
  if (offset < s.segments.front()->base()) return s.finish(s.truncateFully(offset));
  const auto cut = [&]() -> Status {
    ++s.cuts;
    MILLRACE_CHECK_OK(s.checkTxnIndex(s.lastBelow(offset)));
    MILLRACE_TRY(const bool rebuilt,
                 checkIndexes(*s.segments[s.lastBelow(offset)], offset, config_));
    if (rebuilt) ++s.recovery.rebuilt_indexes;
    MILLRACE_TRY(const Offset kept, s.endBelow(offset));
    MILLRACE_CHECK_OK(s.cutJournal(kept));
    MILLRACE_CHECK_OK(s.beginCut());
    MILLRACE_CHECK_OK(s.dropBehind(s.lastBelow(offset)));
    MILLRACE_TRY(const std::uint64_t position, s.active().locate(offset));
    MILLRACE_TRY(const Offset end, s.active().endAt(position));
    if (position < s.active().size())
      MILLRACE_CHECK_OK(s.truncateAndSync(s.active(), position, end));
    MILLRACE_CHECK_OK(s.disownAbove(end));
    MILLRACE_CHECK_OK(s.endCut());
    s.epochs.truncateFromEnd(end);
    MILLRACE_CHECK_OK(s.epochs.save());
    log_end_offset_.store(end.value(), std::memory_order_release);
    MILLRACE_CHECK_OK(s.dropSnapshots(end + 1, Offset{std::numeric_limits<std::int64_t>::max()}));
    return s.loadProducers(end, std::nullopt);
  };
  MILLRACE_CHECK_OK(s.finish(cut()));
  const Offset end = endOffset();
  cleaned_to_.store(std::min(cleanedTo(), end).value(), std::memory_order_release);
  if (startOffset() > end) log_start_offset_.store(end.value(), std::memory_order_release);
  s.publish(end);
  setHighWatermark(std::min(highWatermark(), end));
  return {};
}

}  // namespace millrace::log
