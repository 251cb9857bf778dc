#include "protocol/records.h"

#include <algorithm>

namespace millrace::protocol {

Records Records::slices(std::vector<FileSlice> slices) {
  Records r;
  for (const FileSlice& s : slices) r.slices_size_ += s.size;
  r.slices_ = std::make_shared<const std::vector<FileSlice>>(std::move(slices));
  return r;
}

const std::vector<FileSlice>& Records::fileSlices() const {
  static const std::vector<FileSlice> none;
  return slices_ ? *slices_ : none;
}

Status Records::load() {
  if (!slices_) return {};
  Bytes bytes(slices_size_, '\0');
  std::size_t filled = 0;
  for (const FileSlice& s : *slices_) {
    MILLRACE_TRY(const std::size_t n, s.file->read(s.position, bytes.data() + filled, s.size));
    if (n != s.size) return fail(Errc::kTruncated, s.file->path() + " ends inside a fetched range");
    filled += n;
  }
  *this = own(std::move(bytes));
  return {};
}

bool operator==(const Records& a, const Records& b) {
  if (a.null_ != b.null_ || a.inFile() != b.inFile()) return false;
  if (!a.inFile()) return a.bytes_ == b.bytes_;
  return std::ranges::equal(*a.slices_, *b.slices_, [](const FileSlice& x, const FileSlice& y) {
    return x.file == y.file && x.position == y.position && x.size == y.size;
  });
}

}  // namespace millrace::protocol
