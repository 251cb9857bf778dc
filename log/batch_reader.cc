#include "log/batch_reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::log {

std::unexpected<Error> BatchReader::damaged(const std::string& why) const {
  return fail(Errc::kCorruptData,
              fmt::format("{} at position {}: {}", file_.path(), position_, why));
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
  const BytesView header(buffer_.data() + (position_ - buffer_at_), record::kBatchHeaderSize);
  const auto size = record::frameSize(header);
  if (!size) return damaged(size.error().detail);
  if (header[record::layout::kMagic] != 2)
    return damaged(fmt::format("message format {}", int{header[record::layout::kMagic]}));
  if (**size < record::kBatchHeaderSize) return damaged(fmt::format("a batch of {} bytes", **size));
  if (position_ + **size > end_) return damaged("the batch is cut off");
  const Offset base{loadBe<std::int64_t>(header.data() + record::layout::kBaseOffset)};
  const auto delta = loadBe<std::int32_t>(header.data() + record::layout::kLastOffsetDelta);
  if (!record::offsetsExist(base, delta))
    return damaged(fmt::format("a batch from offset {} to {} behind it", base.value(), delta));
  return **size;
}

Result<bool> BatchReader::nextHead(Head& out) {
  if (position_ >= end_) return false;
  MILLRACE_TRY(const std::size_t size, frame());
  const char* p = buffer_.data() + (position_ - buffer_at_);
  namespace at = record::layout;
  out.position = position_;
  out.size = static_cast<std::uint32_t>(size);
  out.base_offset = Offset{loadBe<std::int64_t>(p + at::kBaseOffset)};
  out.last_offset = out.base_offset + loadBe<std::int32_t>(p + at::kLastOffsetDelta);
  out.max_timestamp = loadBe<std::int64_t>(p + at::kMaxTimestamp);
  out.leader_epoch = LeaderEpoch{loadBe<std::int32_t>(p + at::kLeaderEpoch)};
  out.producer_id = ProducerId{loadBe<std::int64_t>(p + at::kProducerId)};
  out.attributes = loadBe<std::int16_t>(p + at::kAttributes);
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
