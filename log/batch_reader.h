// Reads batches out of a segment file, through one buffer: headers only, or whole.
#pragma once

#include "base/bytes.h"
#include "base/file.h"
#include "record/batch.h"

#include <cstdint>
#include <string>

namespace millrace::log {

/// Walks the batches of [position, end). Views are valid until the next call.
class BatchReader {
 public:
  BatchReader(const File& file, std::uint64_t position, std::uint64_t end,
              std::size_t buffer_size = 16 << 10)
      : file_(file), position_(position), end_(end), buffer_size_(buffer_size) {}

  /// What a batch's header says without the batch.
  struct Head {
    std::uint64_t position = 0;
    std::uint32_t size = 0;
    Offset base_offset;
    Offset last_offset;
    std::int64_t max_timestamp = -1;
    LeaderEpoch leader_epoch;
    ProducerId producer_id;
    std::int16_t attributes = 0;
    [[nodiscard]] bool isControl() const { return (attributes & record::kControlBit) != 0; }
  };

  /// The header of the one batch at `position`, without a buffer. Errors: as nextHead; kCorruptData
  /// at `end`, too.
  [[nodiscard]] static Result<Head> headAt(const File& file, std::uint64_t position,
                                           std::uint64_t end);
  /// The next batch's header; false at the end. Errors: kCorruptData with file and position where
  /// no batch stands.
  [[nodiscard]] Result<bool> nextHead(Head& out);
  /// The next batch; false at the end. Errors: as nextHead. The CRC is the caller's to check.
  [[nodiscard]] Result<bool> next(record::BatchView& out);
  /// Where the next batch stands: behind the last one returned; at the damage after an error.
  [[nodiscard]] std::uint64_t position() const { return position_; }

 private:
  /// At least `size` bytes at position_ in the buffer. Errors: kCorruptData where the range ends
  /// before.
  [[nodiscard]] Status fill(std::size_t size);
  [[nodiscard]] Result<std::size_t> frame();
  [[nodiscard]] std::unexpected<Error> damaged(const std::string& why) const;

  const File& file_;
  std::uint64_t position_;
  std::uint64_t end_;
  std::size_t buffer_size_;
  Bytes buffer_;
  std::uint64_t buffer_at_ = 0;
  std::size_t buffered_ = 0;
};

}  // namespace millrace::log
