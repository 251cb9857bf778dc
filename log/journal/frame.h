// What one round of group commit writes, in memory as it stands on disk.
#pragma once

#include "base/bytes.h"
#include "log/journal/format.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

namespace millrace::log::journal {

/// A frame while its entries gather. It stands at an aligned address and ends with a block, so that
/// a file that is open with OpenMode::kDirect takes it without another copy.
class Frame {
 public:
  /// Where an entry stands.
  struct Extent {
    std::size_t begin = 0;
    std::size_t size = 0;
  };

  /// Adds an entry: its prefix (entryPrefix()) and payload.
  Extent put(BytesView prefix, std::span<const BytesView> payload);
  /// Leaves these entries only, in the order in which they were put.
  void keep(std::span<const Extent> entries);
  /// Without entries again; the memory stays.
  void clear() { used_ = kHeaderSize; }

  /// Bytes of the entries.
  [[nodiscard]] std::size_t length() const { return used_ - kHeaderSize; }
  /// Bytes in the file.
  [[nodiscard]] std::uint64_t size() const { return aligned(used_); }
  /// The bytes to write: header, whose length is set here, entries, zeros. Valid until a change.
  [[nodiscard]] BytesView seal(FrameHead head);

 private:
  struct Free {
    void operator()(char* room) const { ::operator delete(room, std::align_val_t(kAlignment)); }
  };

  void reserve(std::size_t bytes);
  void add(BytesView bytes);

  std::unique_ptr<char, Free> room_;
  std::size_t capacity_ = 0;
  std::size_t used_ = kHeaderSize;
};

}  // namespace millrace::log::journal
