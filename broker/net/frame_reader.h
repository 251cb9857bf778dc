// Cuts the byte stream of a connection into frames: int32 size, then that many bytes. No I/O of its
// own.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "broker/net/chunk.h"

#include <cstdint>
#include <optional>
#include <span>

namespace millrace::broker {

/// One whole frame without its size. The chunk keeps the bytes.
struct Frame {
  BytesView bytes;
  ChunkPtr chunk;
};

/// Call space(), read into it, filled(n), then next() until it has nothing more.
///
/// A frame is contiguous and never copied once it is whole; a piece of one at the end of a chunk
/// moves to the next chunk. A claimed size alone allocates nothing: the buffer is at most twice
/// what this connection has honestly filled before (or kFirstCredit), and grows by doubling as
/// bytes really arrive.
class FrameReader {
 public:
  static constexpr std::size_t kFirstCredit = 64 << 10;

  /// `max_frame` is socket.request.max.bytes.
  FrameReader(ChunkPool& pool, std::int32_t max_frame) : pool_(pool), max_frame_(max_frame) {}

  /// Where to read to; never empty. Valid until the next call of any method.
  [[nodiscard]] std::span<char> space();
  /// `n` bytes of the last space() hold data now.
  void filled(std::size_t n) { end_ += n; }
  /// The next whole frame, or none yet. Errors: kMalformed for a size of zero or less or above the
  /// limit; the stream is then unusable.
  [[nodiscard]] Result<std::optional<Frame>> next();
  /// Drops the buffer when it holds nothing; the next one is small.
  void rest();
  /// Whether it would take a large buffer although nothing of the next frame has arrived.
  [[nodiscard]] bool holdsLarge() const;
  /// Bytes of the frame that comes next, as it claims; 0 where that has not arrived yet or cannot
  /// be.
  [[nodiscard]] std::size_t claimed() const;
  /// What has arrived and was not taken by next() yet.
  [[nodiscard]] BytesView begun() const {
    return chunk_ ? BytesView(chunk_->data() + begin_, pending()) : BytesView();
  }
  /// Whether next() has a frame.
  [[nodiscard]] bool hasWhole() const;

 private:
  [[nodiscard]] std::size_t pending() const { return end_ - begin_; }
  [[nodiscard]] std::size_t wanted() const;
  [[nodiscard]] std::int32_t frameSize() const;
  [[nodiscard]] std::span<char> fresh();
  void moveTo(std::size_t capacity);

  ChunkPool& pool_;
  std::int32_t max_frame_;
  ChunkPtr chunk_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t proven_ = 0;                    ///< size of the largest frame that arrived whole
  std::size_t last_ = 0;                      ///< and of the last one
  std::size_t burst_ = ChunkPool::kSmallest;  ///< room for a run of small frames
};

}  // namespace millrace::broker
