#include "log/batch_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace millrace::log {
namespace {

std::unexpected<Error> damagedAt(const File& file, std::uint64_t position, const std::string& why) {
  return fail(Errc::kCorruptData, fmt::format("{} at position {}: {}", file.path(), position, why));
}

/// The size of the batch with this header, which stands at `position` of [.., end).
Result<std::size_t> frameAt(const File& file, std::uint64_t position, std::uint64_t end,
                            BytesView header) {
  const auto size = record::frameSize(header);
  if (!size) return damagedAt(file, position, size.error().detail);
  if (header[record::layout::kMagic] != 2)
    return damagedAt(file, position,
                     fmt::format("message format {}", int{header[record::layout::kMagic]}));
  if (**size < record::kBatchHeaderSize)
    return damagedAt(file, position, fmt::format("a batch of {} bytes", **size));
  if (position + **size > end) return damagedAt(file, position, "the batch is cut off");
  const Offset base{loadBe<std::int64_t>(header.data() + record::layout::kBaseOffset)};
  const auto delta = loadBe<std::int32_t>(header.data() + record::layout::kLastOffsetDelta);
  if (!record::offsetsExist(base, delta))
    return damagedAt(file, position,
                     fmt::format("a batch from offset {} to {} behind it", base.value(), delta));
  return **size;
}

BatchReader::Head decodeHead(const char* p, std::uint64_t position, std::size_t size) {
  namespace at = record::layout;
  const Offset base{loadBe<std::int64_t>(p + at::kBaseOffset)};
  return {.position = position,
          .size = static_cast<std::uint32_t>(size),
          .base_offset = base,
          .last_offset = base + loadBe<std::int32_t>(p + at::kLastOffsetDelta),
          .max_timestamp = loadBe<std::int64_t>(p + at::kMaxTimestamp),
          .leader_epoch = LeaderEpoch{loadBe<std::int32_t>(p + at::kLeaderEpoch)},
          .producer_id = ProducerId{loadBe<std::int64_t>(p + at::kProducerId)},
          .attributes = loadBe<std::int16_t>(p + at::kAttributes)};
}

}  // namespace

std::unexpected<Error> BatchReader::damaged(const std::string& why) const {
  return damagedAt(file_, position_, why);
}

Result<BatchReader::Head> BatchReader::headAt(const File& file, std::uint64_t position,
                                              std::uint64_t end) {
  std::array<char, record::kBatchHeaderSize> raw;
  if (position + raw.size() > end) return damagedAt(file, position, "no batch");
  MILLRACE_TRY(const std::size_t got, file.read(position, raw.data(), raw.size()));
  if (got < raw.size()) return damagedAt(file, position, "the file ends inside the batch");
  MILLRACE_TRY(const std::size_t size,
               frameAt(file, position, end, BytesView(raw.data(), raw.size())));
  return decodeHead(raw.data(), position, size);
}

Status BatchReader::fill(std::size_t size) {
  if (position_ >= buffer_at_ && position_ + size <= buffer_at_ + buffered_) return {};
  if (position_ + size > end_) return damaged("the batch is cut off");
  const std::size_t want = static_cast<std::size_t>(
      std::min<std::uint64_t>(std::max(size, buffer_size_), end_ - position_));
  if (buffer_.size() < want)
    buffer_.resize_and_overwrite(want, [](char*, std::size_t n) { return n; });
  MILLRACE_TRY(const std::size_t got, file_.read(position_, buffer_.data(), want));
  buffer_at_ = position_;
  buffered_ = got;
  if (got < size) return damaged("the file ends inside the batch");
  return {};
}

Result<std::size_t> BatchReader::frame() {
  MILLRACE_CHECK_OK(fill(record::kBatchHeaderSize));
  return frameAt(file_, position_, end_,
                 BytesView(buffer_.data() + (position_ - buffer_at_), record::kBatchHeaderSize));
}

Result<bool> BatchReader::nextHead(Head& out) {
  if (position_ >= end_) return false;
  MILLRACE_TRY(const std::size_t size, frame());
  out = decodeHead(buffer_.data() + (position_ - buffer_at_), position_, size);
  position_ += size;
  return true;
}

Result<bool> BatchReader::next(record::BatchView& out) {
  if (position_ >= end_) return false;
  MILLRACE_TRY(const std::size_t size, frame());
  MILLRACE_CHECK_OK(fill(size));
  auto view = record::BatchView::parse(BytesView(buffer_.data() + (position_ - buffer_at_), size));
  if (!view) return damaged(view.error().detail);
  out = *view;
  position_ += size;
  return true;
}

}  // namespace millrace::log
