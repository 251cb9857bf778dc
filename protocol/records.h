// The `records` field of Produce, Fetch and their kin: whole record batches, in memory or in a
// file.
#pragma once

#include "base/bytes.h"
#include "base/file.h"

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace millrace::protocol {

/// Record batches as one message field. Null, or bytes (borrowed, owned or shared), or slices of
/// files that leave with sendfile. A default-constructed one holds zero bytes and is not null.
/// Copies are cheap: owned bytes and slices are shared between them.
class Records {
 public:
  Records() = default;
  [[nodiscard]] static Records null() {
    Records r;
    r.null_ = true;
    return r;
  }
  /// Refers to bytes that must outlive this and every copy (a decoded frame, a batch under way).
  [[nodiscard]] static Records borrow(BytesView bytes) { return share(bytes, nullptr); }
  /// Keeps the bytes.
  [[nodiscard]] static Records own(Bytes bytes) {
    auto kept = std::make_shared<const Bytes>(std::move(bytes));
    const BytesView view = *kept;
    return share(view, std::move(kept));
  }
  /// Bytes that live as long as `owner` does.
  [[nodiscard]] static Records share(BytesView bytes, std::shared_ptr<const void> owner) {
    Records r;
    r.bytes_ = bytes;
    r.owner_ = std::move(owner);
    return r;
  }
  /// Ranges of files, one after the other.
  [[nodiscard]] static Records slices(std::vector<FileSlice> slices);

  [[nodiscard]] bool isNull() const { return null_; }
  [[nodiscard]] bool inFile() const { return slices_ != nullptr; }
  /// Bytes on the wire; 0 when null.
  [[nodiscard]] std::size_t size() const { return slices_ ? slices_size_ : bytes_.size(); }
  /// The bytes; empty when null. Only when not inFile().
  [[nodiscard]] BytesView bytes() const { return bytes_; }
  /// What keeps bytes() alive; null when they are borrowed.
  [[nodiscard]] const std::shared_ptr<const void>& owner() const { return owner_; }
  [[nodiscard]] const std::vector<FileSlice>& fileSlices() const;
  /// Reads the slices into memory (no-op when there are none): for clients in the same process and
  /// for encrypted connections. Errors: what File::read says; kTruncated when a file ends early.
  [[nodiscard]] Status load();

  /// Same state and same bytes. Slices compare by file, position and size.
  friend bool operator==(const Records& a, const Records& b);

 private:
  BytesView bytes_;
  std::shared_ptr<const void> owner_;
  std::shared_ptr<const std::vector<FileSlice>> slices_;
  std::size_t slices_size_ = 0;
  bool null_ = false;
};

}  // namespace millrace::protocol
