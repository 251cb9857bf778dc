#include "log/journal/format.h"

#include "base/checksum.h"
#include "base/varint.h"

#include <fmt/format.h>

#include <array>

namespace millrace::log::journal {
namespace {

// Positions in a frame's header.
constexpr std::size_t kCrcAt = 4, kGenerationAt = 8, kSequenceAt = 16, kEntriesAt = 20,
                      kLengthAt = 24, kSaltAt = 28;
// Positions in an entry, behind its size.
constexpr std::size_t kIdAt = 1, kPartitionAt = 17, kNameSizeAt = 21, kNameAt = 23;

FrameHead headOf(const std::array<char, kHeaderSize>& raw) {
  return {.generation = loadBe<std::uint64_t>(raw.data() + kGenerationAt),
          .sequence = loadBe<std::uint32_t>(raw.data() + kSequenceAt),
          .entries = loadBe<std::uint32_t>(raw.data() + kEntriesAt),
          .length = loadBe<std::uint32_t>(raw.data() + kLengthAt),
          .salt = loadBe<std::uint32_t>(raw.data() + kSaltAt)};
}

std::unexpected<Error> broken(std::string_view why) {
  return fail(Errc::kCorruptData, fmt::format("a journal entry {}", why));
}

}  // namespace

void FrameHead::store(char* out, std::uint32_t crc) const {
  storeBe(out, kMagic);
  storeBe(out + kCrcAt, crc);
  storeBe(out + kGenerationAt, generation);
  storeBe(out + kSequenceAt, sequence);
  storeBe(out + kEntriesAt, entries);
  storeBe(out + kLengthAt, length);
  storeBe(out + kSaltAt, salt);
}

std::uint32_t FrameHead::crcSeed() const {
  std::array<char, kHeaderSize> raw;
  store(raw.data(), 0);
  return crc32c(BytesView(raw.data() + kGenerationAt, kHeaderSize - kGenerationAt));
}

Bytes entryPrefix(EntryKind kind, const LogKey& key) {
  const std::string& topic = key.partition.topic;
  Bytes out(kNameAt, '\0');
  out[0] = static_cast<char>(kind);
  storeBe(out.data() + kIdAt, key.topic_id.high);
  storeBe(out.data() + kIdAt + 8, key.topic_id.low);
  storeBe(out.data() + kPartitionAt, key.partition.partition.value());
  storeBe(out.data() + kNameSizeAt, static_cast<std::uint16_t>(topic.size()));
  return out + topic;
}

Result<Entry> takeEntry(BytesView& body) {
  if (body.size() < 4) return broken("has no size");
  const std::size_t size = loadBe<std::uint32_t>(body.data());
  if (size < kNameAt || size > body.size() - 4) return broken("is longer than its frame");
  const BytesView bytes = body.substr(4, size);
  body.remove_prefix(4 + size);
  const std::size_t name = loadBe<std::uint16_t>(bytes.data() + kNameSizeAt);
  if (name > size - kNameAt) return broken("ends inside a topic's name");
  Entry entry;
  entry.kind = static_cast<EntryKind>(bytes[0]);
  entry.key.topic_id = {loadBe<std::uint64_t>(bytes.data() + kIdAt),
                        loadBe<std::uint64_t>(bytes.data() + kIdAt + 8)};
  entry.key.partition = {std::string(bytes.substr(kNameAt, name)),
                         PartitionIndex{loadBe<std::int32_t>(bytes.data() + kPartitionAt)}};
  const BytesView payload = bytes.substr(kNameAt + name);
  switch (entry.kind) {
    case EntryKind::kBatches: entry.batches = payload; return entry;
    case EntryKind::kCancel:
      if (payload.size() != 8) return broken("of kind 2 has no offset");
      entry.offset = Offset{loadBe<std::int64_t>(payload.data())};
      return entry;
  }
  return broken(fmt::format("is of an unknown kind, {}", int{bytes[0]}));
}

void storeRetirement(std::span<char, kAlignment> block, std::uint64_t generation,
                     std::uint32_t salt) {
  const FrameHead head{.generation = generation, .salt = salt};
  head.store(block.data(), head.crcSeed());
}

Result<std::uint64_t> readRetirement(const File& file, std::uint64_t size) {
  if (size < kAlignment) return 0;
  std::array<char, kHeaderSize> raw;
  MILLRACE_TRY(const std::size_t got, file.read(size - kAlignment, raw.data(), raw.size()));
  if (got != raw.size()) return 0;
  const FrameHead head = headOf(raw);
  std::array<char, kHeaderSize> sound;
  head.store(sound.data(), head.crcSeed());
  return raw == sound && head.entries == 0 ? head.generation : 0;
}

Result<bool> FrameReader::load(std::uint64_t position) {
  if (position + kHeaderSize > size_) return false;
  std::array<char, kHeaderSize> raw;
  MILLRACE_TRY(const std::size_t got, file_.read(position, raw.data(), raw.size()));
  if (got != raw.size() || loadBe<std::uint32_t>(raw.data()) != kMagic) return false;
  head_ = headOf(raw);
  if (head_.entries == 0) return false;  // a retirement
  if (head_.length > size_ - position - kHeaderSize) return false;
  body_.resize(head_.length);
  MILLRACE_TRY(const std::size_t read,
               file_.read(position + kHeaderSize, body_.data(), body_.size()));
  if (read != body_.size()) return false;
  return crc32c(head_.crcSeed(), body_) == loadBe<std::uint32_t>(raw.data() + kCrcAt);
}

Result<bool> FrameReader::next() {
  MILLRACE_TRY(const bool whole, load(position_));
  if (!whole) return false;
  if (any_ &&
      (head_.sequence != next_sequence_ || head_.generation != generation_ || head_.salt != salt_))
    return false;
  any_ = true;
  generation_ = head_.generation;
  salt_ = head_.salt;
  next_sequence_ = head_.sequence + 1;
  position_ += aligned(kHeaderSize + head_.length);
  return true;
}

Result<std::optional<std::uint64_t>> FrameReader::findBehind(std::uint64_t least,
                                                             std::optional<std::uint32_t> salt) {
  for (std::uint64_t at = position_ + kAlignment; at + kHeaderSize <= size_; at += kAlignment) {
    MILLRACE_TRY(const bool whole, load(at));
    if (whole && head_.generation >= least && (!salt || head_.salt == *salt)) return at;
  }
  return std::nullopt;
}

}  // namespace millrace::log::journal
