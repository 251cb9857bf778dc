#include "record/batch.h"

#include "base/checksum.h"

#include <fmt/format.h>

namespace millrace::record {
namespace {

/// Smallest length field that any format allows (a message of magic 0 without key and value).
constexpr std::int32_t kMinLength = 14;

}  // namespace

Result<BatchView> BatchView::parse(BytesView bytes) {
  if (bytes.size() <= layout::kMagic)
    return fail(Errc::kCorruptMessage, fmt::format("a batch of {} bytes", bytes.size()));
  const auto magic = static_cast<std::int8_t>(bytes[layout::kMagic]);
  if (magic == 0 || magic == 1)
    return fail(Errc::kUnsupportedForMessageFormat, fmt::format("message format {}", magic));
  if (magic != 2) return fail(Errc::kCorruptMessage, fmt::format("magic {}", magic));
  if (bytes.size() < kBatchHeaderSize)
    return fail(Errc::kCorruptMessage, fmt::format("a batch of {} bytes", bytes.size()));
  const BatchView view(bytes.data(), bytes.size());
  if (std::int64_t{view.batchLength()} + std::int64_t{kBatchOverhead} !=
      static_cast<std::int64_t>(bytes.size()))
    return fail(Errc::kCorruptMessage, fmt::format("length field {} in a batch of {} bytes",
                                                   view.batchLength(), bytes.size()));
  return view;
}

std::uint32_t BatchView::computedCrc() const { return crc32c(bytes().substr(layout::kAttributes)); }

Status BatchView::checkCrc() const {
  const std::uint32_t computed = computedCrc();
  if (computed == crc()) return {};
  return fail(Errc::kCorruptMessage, fmt::format("batch at offset {}: CRC is {:08x}, stored {:08x}",
                                                 baseOffset().value(), computed, crc()));
}

Result<std::optional<std::size_t>> frameSize(BytesView buffer) {
  if (buffer.size() < kBatchOverhead) return std::nullopt;
  const auto length = loadBe<std::int32_t>(buffer.data() + layout::kLength);
  if (length < kMinLength)
    return fail(Errc::kCorruptMessage, fmt::format("batch length {} is below the least", length));
  if (buffer.size() <= layout::kMagic) return std::nullopt;
  const auto magic = static_cast<std::int8_t>(buffer[layout::kMagic]);
  if (magic < 0 || magic > 2) return fail(Errc::kCorruptMessage, fmt::format("magic {}", magic));
  constexpr auto kMaxLength =
      std::numeric_limits<std::int32_t>::max() - static_cast<std::int32_t>(kBatchOverhead);
  if (length > kMaxLength) return fail(Errc::kMalformed, fmt::format("batch length {}", length));
  return static_cast<std::size_t>(length) + kBatchOverhead;
}

bool BatchIterator::nextFrame(BytesView& out) {
  if (!status_) return false;
  const BytesView rest = buffer_.substr(position_);
  const auto size = frameSize(rest);
  if (!size) {
    status_ = std::unexpected(size.error());
    return false;
  }
  if (!*size || **size > rest.size()) return false;
  out = rest.substr(0, **size);
  position_ += **size;
  return true;
}

bool BatchIterator::next(BatchView& out) {
  BytesView frame;
  if (!nextFrame(frame)) return false;
  auto view = BatchView::parse(frame);
  if (!view) {
    status_ = std::unexpected(std::move(view).error());
    position_ -= frame.size();
    return false;
  }
  out = *view;
  return true;
}

}  // namespace millrace::record
