#include "log/check/partition_check.h"

#include "log/batch_reader.h"
#include "log/check/batch_check.h"
#include "log/check/checkpoint_text.h"
#include "log/check/index_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace millrace::log::detail {
namespace {

constexpr std::size_t kReadBuffer = 1 << 20;

BatchReader::Head headOf(const record::BatchView& batch, std::uint64_t at) {
  return {.position = at,
          .size = static_cast<std::uint32_t>(batch.sizeInBytes()),
          .base_offset = batch.baseOffset(),
          .last_offset = batch.lastOffset(),
          .max_timestamp = batch.maxTimestamp(),
          .leader_epoch = batch.leaderEpoch(),
          .producer_id = batch.producerId(),
          .attributes = batch.attributes()};
}

/// "00000000000000000064-0000000001.checkpoint".
bool isMetadataSnapshot(std::string_view name) {
  return name.size() == 20 + 1 + 10 + 11 && name[20] == '-' && name.ends_with(".checkpoint") &&
         name.substr(0, 20).find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

/// Both indexes of one segment.
class SegmentIndexes {
 public:
  SegmentIndexes(const LogFiles& files, Offset base, Report& report)
      : offsets_(files, base, report), times_(files, base, report) {}
  Status load(IndexRules rules) {
    MILLRACE_CHECK_OK(offsets_.load(rules));
    return times_.load(rules);
  }
  void onBatch(const BatchReader::Head& head) {
    offsets_.onBatch(head);
    times_.onBatch(head);
  }
  void finish(bool whole) {
    offsets_.finish(whole);
    times_.finish(whole);
  }

 private:
  OffsetIndexCheck offsets_;
  TimeIndexCheck times_;
};

PartitionCheck::PartitionCheck(FileSystem& system, std::string directory, Claims claims,
                               Report& report)
    : files_{system, std::move(directory)},
      claims_(claims),
      report_(report),
      snapshots_(report),
      transactions_(report) {}

std::optional<Offset> PartitionCheck::run() {
  ++report_.totals.logs;
  if (const Status listed = list(); !listed) {
    report_.problem(files_.directory, std::nullopt, listed.error());
    return std::nullopt;
  }
  if (const auto id = readPartitionMetadata(files_); !id)
    report_.problem(files_.path(kPartitionMetadata), std::nullopt, id.error());
  epochs_ = readEpochsStrictly(files_, report_);
  snapshots_.load(files_, snapshot_offsets_);
  next_offset_ = segments_.empty() ? claims_.log_start : segments_.front();
  for (std::size_t i = 0; i < segments_.size(); ++i) checkSegment(i);
  if (damaged_) return std::nullopt;
  snapshots_.finish(next_offset_);
  if (!epochs_.empty() && epochs_.back().start_offset > next_offset_)
    report_.problem(files_.path(kEpochCheckpoint), std::nullopt,
                    fmt::format("epoch {} begins at {}, behind the end of the log, {}",
                                epochs_.back().epoch.value(), epochs_.back().start_offset.value(),
                                next_offset_.value()));
  return next_offset_;
}

Status PartitionCheck::list() {
  MILLRACE_TRY(const auto names, files_.system.list(files_.directory));
  for (const std::string& name : names) {
    const auto parsed = parseFileName(name);
    if (isMetadataSnapshot(name)) checkBatchFile(files_.system, files_.path(name), true, report_);
    if (!parsed || !parsed->extra.empty()) continue;
    if (parsed->kind == FileKind::kLog) segments_.push_back(parsed->base);
    if (parsed->kind == FileKind::kSnapshot) snapshot_offsets_.push_back(parsed->base);
  }
  std::ranges::sort(segments_);
  std::ranges::sort(snapshot_offsets_);
  return {};
}

void PartitionCheck::checkContinues(Offset base) {
  if (damaged_ || next_offset_ >= base || base <= claims_.cleaned_to) return;
  // More than can be lost of a segment: a compacted leader had nothing there.
  if (base - next_offset_ > std::numeric_limits<std::int32_t>::max()) return;
  std::string what = fmt::format("begins at offset {}, the segment before it ends at {}",
                                 base.value(), next_offset_.value());
  if (!claims_.clean && next_offset_ >= claims_.recovery_point)
    what += "; the next start cuts the log there";
  report_.problem(files_.path(base, FileKind::kLog), std::nullopt, std::move(what));
}

void PartitionCheck::checkSegment(std::size_t index) {
  const Offset base = segments_[index];
  ++report_.totals.segments;
  if (index > 0) checkContinues(base);
  SegmentIndexes indexes(files_, base, report_);
  const bool last = index + 1 == segments_.size();
  const bool trusted = claims_.clean || (!last && segments_[index + 1] <= claims_.recovery_point);
  const bool filled = sizeOf(base) > 0;
  if (const Status loaded =
          indexes.load({.may_have_zeros = !trusted, .required = trusted && filled});
      !loaded)
    report_.problem(files_.path(base, FileKind::kLog), std::nullopt, loaded.error());
  const auto whole = readBatches(index, indexes);
  if (!whole) report_.problem(files_.path(base, FileKind::kLog), std::nullopt, whole.error());
  const bool sound = whole && *whole;
  damaged_ = damaged_ || !sound;
  indexes.finish(sound);
  const Offset reliable =
      claims_.clean ? Offset{std::numeric_limits<std::int64_t>::max()} : claims_.recovery_point;
  transactions_.finishSegment(files_, base, reliable, sound);
}

std::uint64_t PartitionCheck::sizeOf(Offset base) const {
  const auto file = files_.system.open(files_.path(base, FileKind::kLog), OpenMode::kRead);
  return file ? (*file)->size().value_or(0) : 0;
}

Result<bool> PartitionCheck::readBatches(std::size_t index, SegmentIndexes& indexes) {
  const Offset base = segments_[index];
  const bool last = index + 1 == segments_.size();
  const Offset end = last ? Offset{std::numeric_limits<std::int64_t>::max()} : segments_[index + 1];
  const std::string path = files_.path(base, FileKind::kLog);
  MILLRACE_TRY(const auto file, files_.system.open(path, OpenMode::kRead));
  MILLRACE_TRY(const std::uint64_t size, file->size());
  report_.totals.bytes += size;
  BatchReader reader(*file, 0, size, kReadBuffer);
  record::BatchView batch;
  for (;;) {
    const std::uint64_t at = reader.position();
    const auto more = reader.next(batch);
    if (!more) {
      if (more.error().code != Errc::kCorruptData) return std::unexpected(more.error());
      if (last && !claims_.clean && onlyZeros(*file, at, size)) return true;
      Error damage = more.error();
      if (last && !claims_.clean && next_offset_ >= claims_.recovery_point)
        damage.detail += "; the next start cuts the log here";
      report_.problem(path, at, damage);
      return false;
    }
    if (!*more) return true;
    ++report_.totals.batches;
    onBatch(at, batch, base, end);
    indexes.onBatch(headOf(batch, at));
  }
}

void PartitionCheck::onBatch(std::uint64_t at, const record::BatchView& batch, Offset segment_base,
                             Offset segment_end) {
  const std::string path = files_.path(segment_base, FileKind::kLog);
  const auto checked = checkBatch(batch, scratch_);
  if (!checked) {
    report_.problem(path, at, checked.error());
    if (!batch.checkCrc()) return;  // nothing in it is to be believed
  }
  checkOrder(path, at, batch, segment_base, segment_end);
  checkEpoch(path, at, batch);
  next_offset_ = std::max(next_offset_, batch.nextOffset());
  if (!checked) return;
  report_.totals.records += checked->records;
  if (checked->control) {
    transactions_.onMarker(batch, *checked->control);
  } else if (!batch.isControl()) {
    transactions_.onData(batch);
    if (batch.hasProducerId()) snapshots_.onData(batch);
  }
}

void PartitionCheck::checkOrder(const std::string& path, std::uint64_t at,
                                const record::BatchView& batch, Offset segment_base,
                                Offset segment_end) {
  if (batch.baseOffset() < next_offset_)
    report_.problem(path, at,
                    fmt::format("offset {} comes again behind {}", batch.baseOffset().value(),
                                next_offset_.value() - 1));
  else if (batch.lastOffset() >= segment_end)
    report_.problem(
        path, at,
        fmt::format("offsets {}-{} reach into the next segment, {}", batch.baseOffset().value(),
                    batch.lastOffset().value(), segment_end.value()));
  else if (batch.lastOffset() - segment_base > std::numeric_limits<std::int32_t>::max())
    report_.problem(
        path, at,
        fmt::format("offset {} is too far from the segment's first", batch.lastOffset().value()));
}

void PartitionCheck::checkEpoch(const std::string& path, std::uint64_t at,
                                const record::BatchView& batch) {
  const LeaderEpoch epoch = batch.leaderEpoch();
  if (epoch == epoch_reported_ || epoch == record::kNoLeaderEpoch) return;
  if (!claims_.clean && batch.baseOffset() >= claims_.recovery_point) return;
  const auto above =
      std::ranges::upper_bound(epochs_, batch.baseOffset(), {}, &EpochEntry::start_offset);
  // The first entry moves up with the log's start; what is below was written before or in it.
  const bool first = above == epochs_.begin();
  if (first && above != epochs_.end() && epoch <= above->epoch && epoch > LeaderEpoch{-1}) return;
  if (!first && std::prev(above)->epoch == epoch) return;
  epoch_reported_ = epoch;
  report_.problem(
      path, at,
      fmt::format("offset {} was written in leader epoch {}; {} says {}",
                  batch.baseOffset().value(), epoch.value(), kEpochCheckpoint,
                  first ? "otherwise" : std::to_string(std::prev(above)->epoch.value())));
}

bool PartitionCheck::onlyZeros(const File& file, std::uint64_t at, std::uint64_t size) const {
  Bytes chunk(64 << 10, '\0');
  while (at < size) {
    const auto want = std::min<std::uint64_t>(chunk.size(), size - at);
    const auto got = file.read(at, chunk.data(), static_cast<std::size_t>(want));
    if (!got || *got == 0) return false;
    if (BytesView(chunk).substr(0, *got).find_first_not_of('\0') != BytesView::npos) return false;
    at += *got;
  }
  return true;
}

namespace {

/// First and last control record of a file of batches.
struct Frame {
  std::optional<record::ControlType> first;
  std::optional<record::ControlType> last;
};

Result<Frame> readBatchFile(const File& file, const std::string& path, Report& report) {
  MILLRACE_TRY(const std::uint64_t size, file.size());
  BatchReader reader(file, 0, size, kReadBuffer);
  record::BatchView batch;
  Bytes scratch;
  Frame frame;
  Offset next{0};
  for (bool first = true;; first = false) {
    const std::uint64_t at = reader.position();
    const auto more = reader.next(batch);
    if (!more) {
      report.problem(path, at, more.error());
      return frame;
    }
    if (!*more) return frame;
    ++report.totals.batches;
    const auto checked = checkBatch(batch, scratch);
    if (!checked) {
      report.problem(path, at, checked.error());
      continue;
    }
    if (batch.baseOffset() < next)
      report.problem(path, at, fmt::format("offset {} comes again", batch.baseOffset().value()));
    next = batch.nextOffset();
    report.totals.records += checked->records;
    if (first) frame.first = checked->control;
    frame.last = checked->control;
  }
}

}  // namespace

void checkBatchFile(FileSystem& system, const std::string& path, bool framed, Report& report) {
  const std::int64_t before = report.totals.problems;
  const auto file = system.open(path, OpenMode::kRead);
  const auto frame =
      file ? readBatchFile(**file, path, report) : Result<Frame>(std::unexpected(file.error()));
  if (!frame) return report.problem(path, std::nullopt, frame.error());
  if (!framed || report.totals.problems != before) return;
  if (frame->first != record::ControlType::kSnapshotHeader)
    report.problem(path, 0, "does not begin with a snapshot header");
  if (frame->last != record::ControlType::kSnapshotFooter)
    report.problem(path, std::nullopt, "does not end with a snapshot footer: it is not complete");
}

}  // namespace millrace::log::detail
