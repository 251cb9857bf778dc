// The primitives that generated codecs call: reading with checks, measuring, writing. Not for other
// rooms.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/uuid.h"
#include "base/varint.h"
#include "protocol/message.h"
#include "protocol/records.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

namespace millrace::protocol {

/// Reads a message from borrowed bytes. The first error sticks: everything read after it is empty,
/// and loops end because ok() is false. Every length is compared with the bytes that remain before
/// it is used; schemas are not recursive, so nesting is bounded by them.
class Reader {
 public:
  explicit Reader(BytesView bytes)
      : p_(bytes.data()), end_(bytes.data() + bytes.size()), begin_(p_) {}

  [[nodiscard]] bool ok() const { return error_ == nullptr; }
  [[nodiscard]] std::size_t remaining() const { return static_cast<std::size_t>(end_ - p_); }
  /// What was wrong and where, after !ok().
  [[nodiscard]] Error error() const;
  void failWith(const char* what);

  template <class T>
  void number(T& out) {
    if (remaining() < sizeof(T)) [[unlikely]]
      return failWith("ends early");
    out = loadBe<T>(p_);
    p_ += sizeof(T);
  }
  void number(bool& out) {
    std::int8_t v = 0;
    number(v);
    out = v != 0;
  }
  void number(double& out) {
    std::uint64_t v = 0;
    number(v);
    out = std::bit_cast<double>(v);
  }
  void number(Uuid& out) {
    number(out.high);
    number(out.low);
  }
  [[nodiscard]] std::uint32_t varint();

  /// string: compact, or int16 length. Null where it must not be is an error.
  void text(Text& out, bool compact);
  void text(std::optional<Text>& out, bool compact, bool nullable);
  /// bytes: compact, or int32 length.
  void bytes(Text& out, bool compact);
  void bytes(std::optional<Text>& out, bool compact, bool nullable);
  void records(Records& out, bool compact, bool nullable);

  /// The element count of an array; -1 for null. Elements take at least `min_size` bytes each.
  [[nodiscard]] std::int32_t count(std::size_t min_size, bool compact, bool nullable);
  /// The byte before a nullable struct (a varint in a tagged section): whether it is present.
  [[nodiscard]] bool present(bool tagged);

  template <class T>
  void numbers(std::vector<T>& out, std::int32_t n) {
    out.resize(static_cast<std::size_t>(n));
    for (T& v : out) number(v);
  }
  void texts(std::vector<Text>& out, std::int32_t n, bool compact);

  /// Enters the next tagged field: returns its tag and hides what follows it.
  [[nodiscard]] std::uint32_t beginTag();
  /// Leaves it: it must have been read to its end.
  void endTag();
  void unknownTag(UnknownTags& tags, std::uint32_t tag);
  /// A tagged section without any known tag.
  void tags(UnknownTags& tags) {
    if (p_ != end_ && *p_ == 0) [[likely]] {
      ++p_;
      return;
    }
    manyTags(tags);
  }

 private:
  void manyTags(UnknownTags& tags);
  /// Length of a string (int16) or of bytes (int32); -1 for null.
  std::int64_t length(bool compact, bool is_string, bool nullable);
  BytesView take(std::int64_t size);

  const char* p_;
  const char* end_;
  const char* begin_;
  const char* tag_outer_end_[8] = {};
  int tag_depth_ = 0;
  const char* error_ = nullptr;
  std::size_t error_at_ = 0;
};

/// Grows an array as its elements are read, so that a frame that lies about its count cannot make
/// us allocate much more than it has brought. Returns the element to read into.
template <class T>
T& nextElement(std::vector<T>& v, std::int32_t index, std::int32_t count) {
  const auto i = static_cast<std::size_t>(index);
  if (i == v.size()) {
    const auto n = static_cast<std::size_t>(count);
    v.resize(std::min(n, std::max<std::size_t>(256, 4 * i)));
  }
  return v[i];
}

/// Adds up the exact size of a message, and refuses values that the version cannot carry.
class Sizer {
 public:
  void add(std::size_t n) { size_ += n; }
  void varint(std::uint32_t v) { size_ += varintSize(v); }
  void text(const Text& v, bool compact) {
    if (compact)
      varint(static_cast<std::uint32_t>(v.size()) + 1);
    else if (v.size() > 32767)
      return refuse("a string", "is longer than 32767 bytes");
    else
      size_ += 2;
    size_ += v.size();
  }
  void text(const std::optional<Text>& v, bool compact, const char* field, bool nullable);
  void bytes(const Text& v, bool compact);
  void bytes(const std::optional<Text>& v, bool compact, const char* field, bool nullable);
  void records(const Records& v, bool compact, const char* field, bool nullable);
  void count(std::size_t n, bool compact) {
    compact ? varint(static_cast<std::uint32_t>(n) + 1) : add(4);
  }
  /// A null array, string or bytes.
  void null(bool compact, bool is_string, const char* field, bool nullable);
  void texts(const std::vector<Text>& v, bool compact);
  /// A tagged field: what is added between the two is its value.
  [[nodiscard]] std::size_t beginTag() const { return size_; }
  void endTag(std::uint32_t tag, std::size_t begin) {
    const auto size = static_cast<std::uint32_t>(size_ - begin);
    size_ += varintSize(tag) + varintSize(size);
  }
  /// Adds the tagged section's count and its unknown tags.
  void tags(const UnknownTags& tags, std::uint32_t known = 0) {
    if (known == 0 && tags.empty()) [[likely]]
      ++size_;
    else
      manyTags(tags, known);
  }
  /// In a version without tagged sections there must be no tags.
  void noTags(const UnknownTags& tags) {
    if (!tags.empty()) refuse("an unknown tagged field", "needs a flexible version");
  }
  /// A field outside its versions must hold its default unless it may be ignored.
  void absent(bool is_default, const char* field) {
    if (!is_default) [[unlikely]]
      refuse(field, "has a value that this version cannot carry");
  }
  void refuse(const char* field, const char* why);

  [[nodiscard]] std::size_t size() const { return size_; }
  /// Part of size(): records that a Writer with gaps leaves out.
  [[nodiscard]] std::size_t outside() const { return outside_; }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  void manyTags(const UnknownTags& tags, std::uint32_t known);
  std::size_t size_ = 0;
  std::size_t outside_ = 0;
  std::string error_;
};

/// Where a writer left out records that stay where they are: they follow the first `position`
/// buffer bytes.
struct WriterGap {
  std::size_t position = 0;
  const Records* records = nullptr;
};

/// Writes a message that a Sizer has accepted into a buffer of exactly its size.
class Writer {
 public:
  /// With `gaps`, records that are in files, or owned and not small, are not written but noted
  /// there.
  explicit Writer(char* out, std::vector<WriterGap>* gaps = nullptr)
      : p_(out), begin_(out), gaps_(gaps) {}

  template <class T>
  void number(T v) {
    storeBe(p_, v);
    p_ += sizeof(T);
  }
  void number(bool v) { *p_++ = v ? 1 : 0; }
  void number(double v) { number(std::bit_cast<std::uint64_t>(v)); }
  void number(const Uuid& v) {
    number(v.high);
    number(v.low);
  }
  void varint(std::uint32_t v) { p_ = putVarint(p_, v); }
  void text(const Text& v, bool compact) {
    compact ? varint(static_cast<std::uint32_t>(v.size()) + 1)
            : number(static_cast<std::int16_t>(v.size()));
    raw(v.view());
  }
  void text(const std::optional<Text>& v, bool compact) {
    v ? text(*v, compact) : null(compact, true);
  }
  void bytes(const Text& v, bool compact) {
    count(v.size(), compact);
    raw(v.view());
  }
  void bytes(const std::optional<Text>& v, bool compact) {
    v ? bytes(*v, compact) : null(compact, false);
  }
  void records(const Records& v, bool compact);
  void count(std::size_t n, bool compact) {
    compact ? varint(static_cast<std::uint32_t>(n) + 1) : number(static_cast<std::int32_t>(n));
  }
  void null(bool compact, bool is_string) {
    if (compact)
      *p_++ = 0;
    else if (is_string)
      number(static_cast<std::int16_t>(-1));
    else
      number(static_cast<std::int32_t>(-1));
  }
  void present(bool yes, bool tagged) { *p_++ = static_cast<char>(yes ? 1 : tagged ? 0 : -1); }
  template <class T>
  void numbers(const std::vector<T>& v) {
    for (const T& x : v) number(x);
  }
  void texts(const std::vector<Text>& v, bool compact);
  /// Before a known tagged field: unknown tags below it, then its tag and size.
  void beginTag(const UnknownTag*& next, const UnknownTags& tags, std::uint32_t tag,
                std::size_t size);
  /// The unknown tags from `next` on.
  void restOfTags(const UnknownTag* next, const UnknownTags& tags);
  /// A tagged section without any known tag.
  void tags(const UnknownTags& tags) {
    if (tags.empty()) [[likely]]
      *p_++ = 0;
    else
      manyTags(tags);
  }
  void raw(BytesView v) {
    if (!v.empty()) std::memcpy(p_, v.data(), v.size());  // takes no null, not even for nothing
    p_ += v.size();
  }
  [[nodiscard]] std::size_t written() const { return static_cast<std::size_t>(p_ - begin_); }

 private:
  void manyTags(const UnknownTags& tags);
  char* p_;
  char* begin_;
  std::vector<WriterGap>* gaps_;
};

/// Whether a Writer with gaps leaves these records out.
[[nodiscard]] bool leavesGap(const Records& records);

}  // namespace millrace::protocol
