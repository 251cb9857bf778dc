// Segments come and go: roll, retention.
#include "log/file_slot.h"
#include "log/partition_log_state.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::log {

std::size_t PartitionLog::State::indexFor(Offset offset) const {
  const auto above =
      std::ranges::upper_bound(segments, offset, {}, [](const auto& s) { return s->base(); });
  return above == segments.begin() ? 0 : static_cast<std::size_t>(above - segments.begin() - 1);
}

Offset PartitionLog::State::endOf(std::size_t index) const {
  return index + 1 < segments.size() ? segments[index + 1]->base() : log.endOffset();
}

Status PartitionLog::State::rollTo(Offset base) {
  if (active().base() == base && active().size() == 0) return {};
  MILLRACE_CHECK_OK(makeDirectory());
  MILLRACE_CHECK_OK(active().seal());
  MILLRACE_CHECK_OK(takeSnapshot(base));
  MILLRACE_CHECK_OK(epochs.save());
  segments.push_back(std::make_unique<Segment>(files, base));
  MILLRACE_CHECK_OK(active().file());
  unsynced.change();
  return {};
}

Status PartitionLog::State::takeSnapshot(Offset offset) {
  if (!snapshots.empty() && snapshots.back() == offset) return {};
  MILLRACE_CHECK_OK(replaceFile(files.system, files.path(offset, FileKind::kSnapshot),
                                producers.encodeSnapshot()));
  snapshots.push_back(offset);
  unsynced.changeSnapshot();
  // Kafka keeps one per segment and the newest.
  const auto needless = [&](Offset at) {
    return at != offset && segments[indexFor(at)]->base() != at;
  };
  for (const Offset at : snapshots)
    if (needless(at)) MILLRACE_CHECK_OK(files.system.remove(files.path(at, FileKind::kSnapshot)));
  std::erase_if(snapshots, needless);
  return {};
}

Status PartitionLog::State::dropSnapshots(Offset from, Offset to) {
  for (const Offset at : snapshots)
    if (at >= from && at < to)
      MILLRACE_CHECK_OK(files.system.remove(files.path(at, FileKind::kSnapshot)));
  std::erase_if(snapshots, [=](Offset at) { return at >= from && at < to; });
  return {};
}

Status PartitionLog::State::doom(Segment& segment, Millis due_ms) {
  for (const FileKind kind : kSegmentKinds) {
    const std::string path = files.path(segment.base(), kind);
    const std::string away = path + std::string(kDeletedSuffix);
    MILLRACE_TRY(const bool taken, files.system.exists(away));
    const Status renamed = files.system.rename(path, away);
    if (renamed) {
      // Compacted twice, a segment's name is there already; the later of the two takes it over.
      if (taken) std::erase_if(doomed, [&](const DoomedFile& d) { return d.path == away; });
      doomed.push_back({away, due_ms});
    }
    if (!renamed && renamed.error().code != Errc::kNotFound) return renamed;
  }
  unsynced.change();
  return {};
}

Status PartitionLog::State::removeFiles(Offset base) {
  for (const FileKind kind : kSegmentKinds) {
    const Status removed = files.system.remove(files.path(base, kind));
    if (!removed && removed.error().code != Errc::kNotFound) return removed;
  }
  if (journaled != nullptr) options.journal->noteRemoved(*journaled);
  unsynced.change();
  return {};
}

Status PartitionLog::State::dropFirst(std::size_t n, Millis now_ms) {
  const Millis due_ms = laterBy(now_ms, log.config_.file_delete_delay_ms);
  for (std::size_t i = 0; i < n; ++i) MILLRACE_CHECK_OK(doom(*segments[i], due_ms));
  segments.erase(segments.begin(), segments.begin() + static_cast<std::ptrdiff_t>(n));
  const Offset first = segments.front()->base();
  MILLRACE_CHECK_OK(dropSnapshots(Offset{0}, first));
  if (first > log.startOffset()) {
    log.log_start_offset_.store(first.value(), std::memory_order_release);
    producers.onLogStart(first);
    epochs.truncateFromStart(first);
  }
  publish(log.endOffset());
  publishStable();
  return epochs.save();
}

namespace {

/// Why a segment may go: the answer of one retention rule.
enum class Verdict { kKeep, kGo };

}  // namespace

Result<std::int32_t> PartitionLog::runRetention(Millis now_ms) {
  State& s = *state_;
  if (!s.health) return std::unexpected(s.health.error());
  const FilesInUse use(s);
  const auto expired = [&](Segment& segment) -> Result<Verdict> {
    if (!config_.cleanup_delete || config_.retention_ms < 0) return Verdict::kKeep;
    MILLRACE_TRY(const Millis newest_ms, segment.newestMs());
    return newest_ms < now_ms - config_.retention_ms ? Verdict::kGo : Verdict::kKeep;
  };
  std::int64_t excess = 0;
  if (config_.cleanup_delete && config_.retention_bytes >= 0)
    excess = static_cast<std::int64_t>(sizeInBytes()) - config_.retention_bytes;

  std::size_t going = 0;
  for (; going < s.segments.size(); ++going) {
    Segment& segment = *s.segments[going];
    const bool last = going + 1 == s.segments.size();
    if (segment.size() == 0 && last) break;
    const Offset end = s.endOf(going);
    if (end > highWatermark()) break;
    const auto size = static_cast<std::int64_t>(segment.size());
    bool gone = end <= startOffset() && !last;
    if (!gone && excess >= size) gone = true;
    if (!gone) {
      const auto verdict = expired(segment);
      if (!verdict) return s.goOffline(verdict.error());
      gone = *verdict == Verdict::kGo;
    }
    if (!gone) break;
    excess -= size;
  }
  if (going == 0) return 0;
  if (going == s.segments.size()) MILLRACE_CHECK_OK(s.finish(s.rollTo(endOffset())));
  MILLRACE_CHECK_OK(s.finish(s.dropFirst(going, now_ms)));
  return static_cast<std::int32_t>(going);
}

Leftovers PartitionLog::takeLeftovers(Millis now_ms) {
  Leftovers out;
  for (DoomedFile& file : state_->doomed) {
    if (file.due_ms <= now_ms)
      out.due.push_back(std::move(file.path));
    else
      out.next_ms = std::min(out.next_ms.value_or(file.due_ms), file.due_ms);
  }
  std::erase_if(state_->doomed, [now_ms](const auto& d) { return d.due_ms <= now_ms; });
  return out;
}

Status PartitionLog::runUpkeep(Millis now_ms) {
  State& s = *state_;
  if (!s.health) return s.health;
  const FilesInUse use(s);
  s.producers.expire(now_ms, config_.producer_id_expiration_ms);
  for (const std::string& path : takeLeftovers(now_ms).due) {
    // One of the same name that was handed out before may have gone by now, and this one with it.
    const Status removed = s.files.system.remove(path);
    if (!removed && removed.error().code != Errc::kNotFound) return s.goOffline(removed.error());
  }
  for (const auto& segment : s.segments) MILLRACE_CHECK_OK(s.finish(segment->releaseUnused()));
  return {};
}

Status PartitionLog::roll() {
  State& s = *state_;
  if (!s.health) return s.health;
  const FilesInUse use(s);
  MILLRACE_CHECK_OK(s.finish(s.rollTo(endOffset())));
  s.publish(endOffset());
  return {};
}

}  // namespace millrace::log
