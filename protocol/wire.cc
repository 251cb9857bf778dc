#include "protocol/wire.h"

#include <fmt/format.h>

namespace millrace::protocol {

// --- Reader ---

Error Reader::error() const {
  return {Errc::kMalformed,
          fmt::format("byte {}: {}", error_at_, error_ == nullptr ? "fine" : error_)};
}

void Reader::failWith(const char* what) {
  if (error_ != nullptr) return;
  error_ = what;
  error_at_ = static_cast<std::size_t>(p_ - begin_);
  end_ = p_;
}

std::uint32_t Reader::varint() {
  std::uint32_t v = 0;
  const char* next = getVarint32(p_, end_, v);
  if (next == nullptr) {
    failWith("a varint ends early or is too long");
    return 0;
  }
  p_ = next;
  return v;
}

std::int64_t Reader::length(bool compact, bool is_string, bool nullable) {
  std::int64_t size = 0;
  if (compact) {
    size = static_cast<std::int64_t>(varint()) - 1;
  } else if (is_string) {
    std::int16_t v = 0;
    number(v);
    size = v;
  } else {
    std::int32_t v = 0;
    number(v);
    size = v;
  }
  if (!ok()) return 0;
  if (size == -1 && nullable) return -1;
  if (size < 0) {
    failWith(size == -1 ? "null where it is not allowed" : "a length is negative");
    return 0;
  }
  if (static_cast<std::uint64_t>(size) > remaining()) {
    failWith("a length goes beyond the end");
    return 0;
  }
  return size;
}

BytesView Reader::take(std::int64_t size) {
  const BytesView v(p_, static_cast<std::size_t>(size));
  p_ += size;
  return v;
}

void Reader::text(Text& out, bool compact) {
  out = Text::borrow(take(length(compact, true, false)));
}

void Reader::text(std::optional<Text>& out, bool compact, bool nullable) {
  const auto size = length(compact, true, nullable);
  if (size < 0)
    out.reset();
  else
    out = Text::borrow(take(size));
}

void Reader::bytes(Text& out, bool compact) {
  out = Text::borrow(take(length(compact, false, false)));
}

void Reader::bytes(std::optional<Text>& out, bool compact, bool nullable) {
  const auto size = length(compact, false, nullable);
  if (size < 0)
    out.reset();
  else
    out = Text::borrow(take(size));
}

void Reader::records(Records& out, bool compact, bool nullable) {
  const auto size = length(compact, false, nullable);
  out = size < 0 ? Records::null() : Records::borrow(take(size));
}

std::int32_t Reader::count(std::size_t min_size, bool compact, bool nullable) {
  std::int64_t n = 0;
  if (compact) {
    n = static_cast<std::int64_t>(varint()) - 1;
  } else {
    std::int32_t v = 0;
    number(v);
    n = v;
  }
  if (!ok()) return 0;
  if (n < 0 && nullable) return -1;  // Kafka reads any negative count so
  if (n < 0) {
    failWith(n == -1 ? "null where it is not allowed" : "a count is negative");
    return 0;
  }
  if (static_cast<std::uint64_t>(n) > remaining() / min_size) {
    failWith("an array has more elements than the bytes can hold");
    return 0;
  }
  return static_cast<std::int32_t>(n);
}

bool Reader::present(bool tagged) {
  if (tagged) return varint() != 0;
  std::int8_t v = -1;
  number(v);
  return v >= 0;
}

void Reader::texts(std::vector<Text>& out, std::int32_t n, bool compact) {
  for (std::int32_t i = 0; i < n && ok(); ++i) text(nextElement(out, i, n), compact);
}

std::uint32_t Reader::beginTag() {
  const std::uint32_t tag = varint();
  const std::uint32_t size = varint();
  if (!ok()) return tag;
  if (size > remaining())
    failWith("a tagged field goes beyond the end");
  else if (tag_depth_ == std::ssize(tag_outer_end_))
    failWith("tagged fields are nested too deep");
  if (!ok()) return tag;
  tag_outer_end_[tag_depth_++] = end_;
  end_ = p_ + size;
  return tag;
}

void Reader::endTag() {
  if (!ok()) return;
  if (p_ != end_) return failWith("a tagged field has bytes left over");
  end_ = tag_outer_end_[--tag_depth_];
}

void Reader::unknownTag(UnknownTags& tags, std::uint32_t tag) {
  if (!ok()) return;
  tags.add(tag, Text::borrow(take(static_cast<std::int64_t>(remaining()))));
}

void Reader::manyTags(UnknownTags& tags) {
  for (std::uint32_t n = varint(); n > 0 && ok(); --n) {
    const std::uint32_t tag = beginTag();
    unknownTag(tags, tag);
    endTag();
  }
}

// --- Sizer ---

void Sizer::refuse(const char* field, const char* why) {
  if (error_.empty()) error_ = fmt::format("{} {}", field, why);
}

void Sizer::null(bool compact, bool is_string, const char* field, bool nullable) {
  if (!nullable) refuse(field, "is null, which this version cannot carry");
  size_ += compact ? 1U : is_string ? 2U : 4U;
}

void Sizer::text(const std::optional<Text>& v, bool compact, const char* field, bool nullable) {
  if (v)
    text(*v, compact);
  else
    null(compact, true, field, nullable);
}

void Sizer::bytes(const Text& v, bool compact) {
  if (v.size() > 0x7FFFFFFE) refuse("a bytes field", "is longer than 2 GiB");
  count(v.size(), compact);
  size_ += v.size();
}

void Sizer::bytes(const std::optional<Text>& v, bool compact, const char* field, bool nullable) {
  if (v)
    bytes(*v, compact);
  else
    null(compact, false, field, nullable);
}

void Sizer::records(const Records& v, bool compact, const char* field, bool nullable) {
  if (v.isNull()) return null(compact, false, field, nullable);
  if (v.size() > 0x7FFFFFFE) refuse(field, "is longer than 2 GiB");
  count(v.size(), compact);
  size_ += v.size();
  if (leavesGap(v)) outside_ += v.size();
}

void Sizer::texts(const std::vector<Text>& v, bool compact) {
  for (const Text& t : v) text(t, compact);
}

void Sizer::manyTags(const UnknownTags& tags, std::uint32_t known) {
  for (const UnknownTag& t : tags) {
    size_ += varintSize(t.tag) + varintSize(t.data.size()) + t.data.size();
  }
  varint(known + static_cast<std::uint32_t>(tags.size()));
}

// --- Writer ---

bool leavesGap(const Records& records) {
  // Below this, copying is cheaper than another entry in a writev list.
  constexpr std::size_t kSmall = 2048;
  return records.inFile() || (records.owner() != nullptr && records.size() > kSmall);
}

void Writer::records(const Records& v, bool compact) {
  if (v.isNull()) return null(compact, false);
  count(v.size(), compact);
  if (gaps_ != nullptr && leavesGap(v))
    gaps_->push_back({written(), &v});
  else
    raw(v.bytes());
}

void Writer::texts(const std::vector<Text>& v, bool compact) {
  for (const Text& t : v) text(t, compact);
}

void Writer::beginTag(const UnknownTag*& next, const UnknownTags& tags, std::uint32_t tag,
                      std::size_t size) {
  for (; next != tags.end() && next->tag < tag; ++next) {
    varint(next->tag);
    varint(static_cast<std::uint32_t>(next->data.size()));
    raw(next->data.view());
  }
  varint(tag);
  varint(static_cast<std::uint32_t>(size));
}

void Writer::restOfTags(const UnknownTag* next, const UnknownTags& tags) {
  for (; next != tags.end(); ++next) {
    varint(next->tag);
    varint(static_cast<std::uint32_t>(next->data.size()));
    raw(next->data.view());
  }
}

void Writer::manyTags(const UnknownTags& tags) {
  varint(static_cast<std::uint32_t>(tags.size()));
  restOfTags(tags.begin(), tags);
}

}  // namespace millrace::protocol
