#include "broker/net/frame_reader.h"

#include "base/varint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace millrace::broker {

namespace {
constexpr std::size_t kSizeBytes = 4;
/// Frames up to here share a chunk with their neighbours; a larger one is read to its end and no
/// further, so that the next large one starts in place instead of being moved.
constexpr std::size_t kSmallFrame = 64 << 10;
/// Of a run of frames up to here, a read takes as many as fit: it ends inside one, which is moved.
constexpr std::size_t kRunFrame = 16 << 10;
/// Less room than this is not worth a read of its own.
constexpr std::size_t kReadable = 2 << 10;
}  // namespace

std::int32_t FrameReader::frameSize() const {
  return loadBe<std::int32_t>(chunk_->data() + begin_);
}

/// Bytes from begin_ on that the frame under way takes; 0 while its size is not known.
std::size_t FrameReader::wanted() const {
  if (pending() < kSizeBytes) return 0;
  return kSizeBytes + static_cast<std::size_t>(frameSize());
}

std::size_t FrameReader::claimed() const {
  if (pending() < kSizeBytes) return 0;
  const std::int32_t size = frameSize();
  return size <= 0 || size > max_frame_ ? 0 : static_cast<std::size_t>(size);
}

bool FrameReader::hasWhole() const {
  const std::size_t size = claimed();
  return size > 0 && pending() >= kSizeBytes + size;
}

std::span<char> FrameReader::space() {
  if (pending() == 0) return fresh();
  const std::size_t want = wanted();
  const std::size_t have = chunk_->capacity() - begin_;
  if (want > have || end_ == chunk_->capacity()) {
    const std::size_t earned = std::max(kFirstCredit, 2 * proven_);
    std::size_t room = std::max(want, ChunkPool::kSmallest);
    // Behind it come more of a run, to be read with it.
    if (want <= kRunFrame) room = std::max(room, burst_);
    room = std::min(room, earned);
    if (pending() >= room) room = std::min(want, 2 * pending());
    if (room > have || end_ == chunk_->capacity()) moveTo(room);
  }
  std::size_t limit = chunk_->capacity();
  if (want > kSmallFrame) limit = std::min(limit, begin_ + want);
  return {chunk_->data() + end_, limit - end_};
}

/// Nothing is pending: expects a frame like the last one, or a burst of small ones.
std::span<char> FrameReader::fresh() {
  const bool large = last_ > kSmallFrame;
  const std::size_t size = large ? last_ : burst_;
  if (!chunk_ || chunk_->isShared()) {
    const bool enough = chunk_ && !large && chunk_->capacity() - end_ >= kReadable;
    if (!enough) {
      chunk_ = pool_.take(size);
      begin_ = end_ = 0;
    }
  } else {
    if (chunk_->capacity() < size) chunk_ = pool_.take(size);
    begin_ = end_ = 0;
  }
  const std::size_t room = chunk_->capacity() - end_;
  return {chunk_->data() + end_, large ? std::min(room, size) : room};
}

void FrameReader::moveTo(std::size_t capacity) {
  const std::size_t size = pending();
  if (end_ == chunk_->capacity()) burst_ = std::min(2 * burst_, kSmallFrame);
  if (!chunk_->isShared() && chunk_->capacity() >= capacity) {
    std::memmove(chunk_->data(), chunk_->data() + begin_, size);
  } else {
    ChunkPtr next = pool_.take(capacity);
    std::memcpy(next->data(), chunk_->data() + begin_, size);
    chunk_ = std::move(next);
  }
  begin_ = 0;
  end_ = size;
}

Result<std::optional<Frame>> FrameReader::next() {
  if (pending() < kSizeBytes) return std::nullopt;
  const std::int32_t size = frameSize();
  if (size <= 0 || size > max_frame_) {
    return fail(Errc::kMalformed,
                fmt::format("frame size {} is not within 1 and {}", size, max_frame_));
  }
  const std::size_t whole = kSizeBytes + static_cast<std::size_t>(size);
  if (pending() < whole) return std::nullopt;
  proven_ = std::max(proven_, whole);
  last_ = whole;
  Frame frame{BytesView(chunk_->data() + begin_ + kSizeBytes, static_cast<std::size_t>(size)),
              chunk_};
  begin_ += whole;
  return frame;
}

bool FrameReader::holdsLarge() const { return pending() == 0 && last_ > kSmallFrame; }

void FrameReader::rest() {
  if (begin_ != end_) return;
  chunk_.reset();
  begin_ = end_ = 0;
  last_ = 0;
  burst_ = ChunkPool::kSmallest;
}

}  // namespace millrace::broker
