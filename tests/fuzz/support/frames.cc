#include "tests/fuzz/support/frames.h"

#include "base/checksum.h"
#include "base/varint.h"
#include "record/batch.h"
#include "record/builder.h"

namespace millrace::fuzz {

void repairFrames(Bytes& bytes) {
  namespace at = record::layout;
  for (std::size_t start = 0; bytes.size() - start >= record::kBatchHeaderSize;) {
    char* p = bytes.data() + start;
    const std::size_t left = bytes.size() - start;
    const std::int64_t length = loadBe<std::int32_t>(p + at::kLength);
    std::size_t size = record::kBatchOverhead + static_cast<std::size_t>(length);
    if (length < 0 || size < record::kBatchHeaderSize || size > left) {
      size = left;
      storeBe(p + at::kLength, static_cast<std::int32_t>(size - record::kBatchOverhead));
    }
    p[at::kMagic] = 2;
    record::patchCrc({p, size});
    start += size;
  }
}

void repairSnapshot(Bytes& bytes) {
  constexpr std::size_t kCrcAt = 2, kCountAt = 6;
  if (bytes.size() >= kCountAt)
    storeBe(bytes.data() + kCrcAt, crc32c(BytesView(bytes).substr(kCountAt)));
}

}  // namespace millrace::fuzz
