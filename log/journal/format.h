// The journal's frames: what one round of group commit writes. Our own format, not Kafka's: see
// docs/formats/journal.md.
#pragma once

#include "base/bytes.h"
#include "base/file.h"
#include "base/result.h"
#include "base/uuid.h"
#include "log/types.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace millrace::log::journal {

/// "MLJ1": Millrace log journal, version 1.
inline constexpr std::uint32_t kMagic = 0x4D4C4A31;
/// Frames begin at multiples of this, so that no sector that was synced is ever written again, and
/// are written past the page cache.
inline constexpr std::uint64_t kAlignment = kDirectBlock;
inline constexpr std::size_t kHeaderSize = 32;

[[nodiscard]] constexpr std::uint64_t aligned(std::uint64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

/// A frame's header. The CRC-32C covers what follows it: the rest of the header and the body.
struct FrameHead {
  /// How often the journal's files were begun anew; the same for all frames of a file that count.
  std::uint64_t generation = 0;
  /// Frames of this journal before this one, modulo 2^32: it goes on from one file to the other.
  std::uint32_t sequence = 0;
  std::uint32_t entries = 0;
  /// Bytes of the body.
  std::uint32_t length = 0;
  /// Drawn when the journal began: what a producer sends cannot pass for a frame.
  std::uint32_t salt = 0;

  /// kHeaderSize bytes to `out`; `body_crc` continues from crcSeed().
  void store(char* out, std::uint32_t crc) const;
  /// The part of the header that the CRC covers, as bytes.
  [[nodiscard]] std::uint32_t crcSeed() const;
};

enum class EntryKind : std::uint8_t {
  kBatches = 1,  ///< record batches that continue a log
  kCancel = 2,   ///< earlier entries of that log at and above an offset do not count
};

/// Which log an entry belongs to.
struct LogKey {
  Uuid topic_id;
  TopicPartition partition;
  friend bool operator==(const LogKey&, const LogKey&) = default;
};

struct Entry {
  EntryKind kind = EntryKind::kBatches;
  LogKey key;
  /// kBatches: whole record batches with their final offsets. Valid as long as the frame's bytes.
  BytesView batches;
  /// kCancel.
  Offset offset;
};

/// Everything of an entry in front of its payload, but the size: the same for all entries of a
/// kind and log.
[[nodiscard]] Bytes entryPrefix(EntryKind kind, const LogKey& key);
/// Takes the first entry off a body. Errors: kCorruptData.
[[nodiscard]] Result<Entry> takeEntry(BytesView& body);

/// A block for the end of a journal file: the segments of all logs with an entry in its frames of
/// this generation, or an earlier one, are on disk. The frames do not count any more.
void storeRetirement(std::span<char, kAlignment> block, std::uint64_t generation,
                     std::uint32_t salt);
/// The generation that the end of a file says; 0 where it says none. Errors: kIo.
[[nodiscard]] Result<std::uint64_t> readRetirement(const File& file, std::uint64_t size);

/// Walks the frames of one journal file from its beginning.
class FrameReader {
 public:
  FrameReader(const File& file, std::uint64_t size) : file_(file), size_(size) {}

  /// The next frame that was written whole; false at the end: free space, a torn frame, or frames
  /// of an earlier generation. Errors: kIo.
  [[nodiscard]] Result<bool> next();
  [[nodiscard]] const FrameHead& head() const { return head_; }
  /// Valid until the next call.
  [[nodiscard]] BytesView body() const { return body_; }
  /// Where the next frame would stand.
  [[nodiscard]] std::uint64_t position() const { return position_; }
  /// The sequence that it would have; of no meaning in front of the first frame.
  [[nodiscard]] std::uint32_t nextSequence() const { return next_sequence_; }

  /// The position of a whole frame behind position() that is of generation `least` or later and has
  /// this salt (any, where there is none to compare with); nothing where there is none. A frame is
  /// only written when the one before it is on disk: to find one means that what was synced is
  /// damaged.
  [[nodiscard]] Result<std::optional<std::uint64_t>> findBehind(std::uint64_t least,
                                                                std::optional<std::uint32_t> salt);

 private:
  /// Whether a whole frame stands there; fills head_ and body_.
  [[nodiscard]] Result<bool> load(std::uint64_t position);

  const File& file_;
  std::uint64_t size_;
  std::uint64_t position_ = 0;
  FrameHead head_;
  Bytes body_;
  bool any_ = false;
  std::uint64_t generation_ = 0;
  std::uint32_t salt_ = 0;
  std::uint32_t next_sequence_ = 0;
};

}  // namespace millrace::log::journal
