// Where batches stand in a segment: by the tail that is remembered, by the index, by a scan from
// there. Index files have no checksum: what an entry says is believed when the batch is there.
#include "log/segment.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::log {
namespace {

/// Index entries so close together are read over in one go.
constexpr std::uint64_t kNear = 8 << 10;
/// Elsewhere the headers are read, and what stands right behind them.
constexpr std::size_t kScanBuffer = (4 << 10) + record::kBatchHeaderSize;

std::unexpected<Error> outOfOrder(const std::string& path, const BatchReader::Head& head,
                                  Offset next) {
  return fail(Errc::kCorruptData,
              fmt::format("{} at position {}: offsets {} to {} behind {}", path, head.position,
                          head.base_offset.value(), head.last_offset.value(), next.value()));
}

}  // namespace

Status Segment::checkSound(std::uint64_t from, std::uint64_t to) {
  const std::uint64_t begin = sound_.soundFrom(from, to);
  if (begin >= to) return {};
  MILLRACE_TRY(const auto log, file());
  BatchReader reader(*log, begin, to, 256 << 10);
  record::BatchView batch;
  Offset next = base_;
  for (;;) {
    const std::uint64_t at = reader.position();
    MILLRACE_TRY(const bool more, reader.next(batch));
    if (!more) break;
    const Status sound = batch.checkCrc();
    if (!sound || batch.baseOffset() < next)
      return fail(Errc::kCorruptData,
                  fmt::format("{} at position {}: {}", path(), at,
                              sound ? "offsets do not rise" : sound.error().detail));
    next = batch.nextOffset();
  }
  sound_.add(begin, to);
  return {};
}

Status Segment::checkGap(std::uint64_t position) {
  if (position == 0 || sound_.soundFrom(0, position) >= position) return {};
  MILLRACE_TRY(const auto entry, offset_index_.floorPosition(position - 1));
  MILLRACE_TRY(const auto head, believe(entry));
  return checkSound(head ? entry->position : 0, position);
}

std::optional<std::uint64_t> Segment::locateInTail(Offset offset) const {
  if (tail_.empty()) return std::nullopt;
  const auto found = std::ranges::lower_bound(tail_, offset, {}, &TailEntry::last_offset);
  if (found == tail_.end()) return size_;
  // The first entry's own beginning is not known here.
  if (found == tail_.begin()) return std::nullopt;
  return found->position;
}

/// Whether the batch that a reader found where the entry points can be the entry's.
bool Segment::isMeant(const OffsetEntry& entry, const BatchReader::Head& head) const {
  // Kafka before 4.0 noted the last offset of everything that one request wrote.
  return head.base_offset >= base_ && head.last_offset <= entry.offset;
}

Result<Segment::Place> Segment::scanFor(Offset offset, const std::optional<OffsetEntry>& from,
                                        std::size_t buffer) {
  MILLRACE_TRY(const auto log, file());
  BatchReader reader(*log, from ? from->position : 0, size_, buffer);
  BatchReader::Head head;
  Offset next = base_;
  for (bool first = from.has_value();; first = false) {
    const auto more = reader.nextHead(head);
    if (!more && (!first || more.error().code != Errc::kCorruptData))
      return std::unexpected(more.error());
    if (first && !(more && *more && isMeant(*from, head))) {
      distrustIndexes();
      return scanFor(offset, std::nullopt, kScanBuffer);
    }
    if (!*more) return Place{size_, std::nullopt};
    if (head.base_offset < next) return outOfOrder(path(), head, next);
    if (head.last_offset >= offset) return Place{head.position, head};
    next = head.last_offset + 1;
  }
}

Result<std::optional<BatchReader::Head>> Segment::believe(const std::optional<OffsetEntry>& entry) {
  if (!entry) return std::nullopt;
  if (entry->position < size_) {
    const auto head = headAt(entry->position);
    if (!head && head.error().code != Errc::kCorruptData) return std::unexpected(head.error());
    if (head && isMeant(*entry, *head)) return *head;
  }
  distrustIndexes();
  return std::nullopt;
}

Result<Segment::Place> Segment::find(Offset offset) {
  if (const auto position = locateInTail(offset)) return Place{*position, std::nullopt};
  MILLRACE_TRY(const auto around, offset_index_.around(offset));
  const std::uint64_t from = around.below ? around.below->position : 0;
  const std::uint64_t to = around.above ? around.above->position : size_;
  if (to <= from || to > size_) return scanFor(offset, around.below, kScanBuffer);
  if (to - from <= kNear)
    return scanFor(offset, around.below,
                   static_cast<std::size_t>(to - from) + record::kBatchHeaderSize);
  // Large batches have an entry each: the one above is most likely the one that holds the offset.
  if (around.above) {
    const auto head = headAt(to);
    if (!head && head.error().code != Errc::kCorruptData) return std::unexpected(head.error());
    if (head && isMeant(*around.above, *head) && head->base_offset <= offset &&
        offset <= head->last_offset)
      return Place{to, *head};
  }
  return scanFor(offset, around.below, kScanBuffer);
}

Result<std::uint64_t> Segment::locate(Offset offset) {
  MILLRACE_TRY(const Place place, find(offset));
  return place.position;
}

Result<std::optional<Segment::Boundary>> Segment::boundaryInTail(std::uint64_t from,
                                                                 std::uint64_t position) {
  if (tail_.empty() || position < tail_.front().position) return std::nullopt;
  const auto found = std::prev(std::ranges::upper_bound(tail_, position, {}, &TailEntry::position));
  if (found->position <= from) return std::nullopt;
  if (found != tail_.begin()) return Boundary{found->position, std::prev(found)->last_offset + 1};
  MILLRACE_TRY(const auto head, headAt(found->position));
  return Boundary{found->position, head.base_offset};
}

Result<Segment::Boundary> Segment::boundary(const Place& from, std::uint64_t position,
                                            bool at_least_one) {
  MILLRACE_TRY(const auto in_tail, boundaryInTail(from.position, position));
  if (in_tail) return *in_tail;
  MILLRACE_TRY(const auto entry, offset_index_.floorPosition(position));
  if (entry && entry->position > from.position) {
    MILLRACE_TRY(const auto believed, believe(entry));
    if (believed) return Boundary{believed->position, believed->base_offset};
  }
  return scanToBoundary(from, position, at_least_one);
}

Result<Segment::Boundary> Segment::scanToBoundary(const Place& from, std::uint64_t position,
                                                  bool at_least_one) {
  const auto behind = [](const BatchReader::Head& head) {
    return Boundary{head.position + head.size, head.last_offset + 1};
  };
  if (from.head && at_least_one && from.position + from.head->size > position)
    return behind(*from.head);
  MILLRACE_TRY(const auto log, file());
  const std::uint64_t ahead = position - from.position + record::kBatchHeaderSize;
  BatchReader reader(*log, from.position, size_,
                     static_cast<std::size_t>(std::min<std::uint64_t>(ahead, kScanBuffer)));
  BatchReader::Head head;
  Boundary end{from.position, base_};
  for (;;) {
    MILLRACE_TRY(const bool more, reader.nextHead(head));
    if (!more) return end;
    if (reader.position() > position)
      return end.position == from.position && at_least_one ? behind(head) : end;
    end = behind(head);
  }
}

Result<Offset> Segment::endAt(std::uint64_t position) {
  Offset end = base_;
  if (position == 0) return end;
  MILLRACE_TRY(const auto entry, offset_index_.floorPosition(position - 1));
  MILLRACE_TRY(const auto from, believe(entry));
  MILLRACE_TRY(const auto log, file());
  BatchReader reader(*log, from ? from->position : 0, position);
  BatchReader::Head head;
  for (;;) {
    MILLRACE_TRY(const bool more, reader.nextHead(head));
    if (!more) return end;
    if (head.base_offset < end) return outOfOrder(path(), head, end);
    end = head.last_offset + 1;
  }
}

Result<BatchReader::Head> Segment::headAt(std::uint64_t position) {
  MILLRACE_TRY(const auto log, file());
  return BatchReader::headAt(*log, position, size_);
}

Result<bool> Segment::believes(const TimeEntry& entry) {
  if (entry.timestamp == -1 && entry.offset == base_) return true;  // there is none
  MILLRACE_TRY(const std::uint64_t position, locate(entry.offset));
  if (position < size_ && entry.timestamp >= 0) {
    MILLRACE_TRY(const auto head, headAt(position));
    if (head.base_offset <= entry.offset && head.max_timestamp == entry.timestamp) return true;
  }
  distrustIndexes();
  return false;
}

}  // namespace millrace::log
