#include "log/journal/frame.h"

#include "base/checksum.h"
#include "base/varint.h"

#include <algorithm>
#include <cstring>

namespace millrace::log::journal {

Frame::Extent Frame::put(BytesView prefix, std::span<const BytesView> payload) {
  std::size_t size = prefix.size();
  for (const BytesView part : payload) size += part.size();
  const Extent entry{used_, sizeof(std::uint32_t) + size};
  reserve(used_ + entry.size);
  storeBe(room_.get() + used_, static_cast<std::uint32_t>(size));
  used_ += sizeof(std::uint32_t);
  add(prefix);
  for (const BytesView part : payload) add(part);
  return entry;
}

void Frame::keep(std::span<const Extent> entries) {
  clear();
  for (const Extent& entry : entries) {
    if (entry.begin != used_)
      std::memmove(room_.get() + used_, room_.get() + entry.begin, entry.size);
    used_ += entry.size;
  }
}

BytesView Frame::seal(FrameHead head) {
  reserve(used_);
  head.length = static_cast<std::uint32_t>(length());
  const BytesView body(room_.get() + kHeaderSize, length());
  head.store(room_.get(), crc32c(head.crcSeed(), body));
  std::memset(room_.get() + used_, 0, size() - used_);
  return {room_.get(), size()};
}

void Frame::reserve(std::size_t bytes) {
  if (bytes <= capacity_) return;
  const std::size_t wanted = aligned(std::max(bytes, 2 * capacity_));
  std::unique_ptr<char, Free> larger(
      static_cast<char*>(::operator new(wanted, std::align_val_t(kAlignment))));
  if (room_ != nullptr) std::memcpy(larger.get(), room_.get(), used_);
  room_ = std::move(larger);
  capacity_ = wanted;
}

void Frame::add(BytesView bytes) {
  std::memcpy(room_.get() + used_, bytes.data(), bytes.size());
  used_ += bytes.size();
}

}  // namespace millrace::log::journal
