// Segment::rescan(), for those who call it.
#pragma once

#include "log/segment.h"

#include <string>

namespace millrace::log {

template <class Visit>
Status Segment::rescan(Boundary from, std::uint64_t file_size, const LogConfig& config,
                       Visit visit) {
  if (file_size == 0) return {};
  MILLRACE_TRY(const auto log, file());
  BatchReader reader(*log, from.position, file_size, 1 << 20);
  record::BatchView batch;
  for (;;) {
    const std::uint64_t at = reader.position();
    MILLRACE_TRY(const bool more, reader.next(batch));
    if (!more) return {};
    const auto damaged = [&](const Error& why) {
      return fail(Errc::kCorruptData,
                  path() + " at position " + std::to_string(at) + ": " + why.detail);
    };
    if (const Status crc = batch.checkCrc(); !crc) return damaged(crc.error());
    if (const Status seen = visit(batch, at); !seen) {
      if (seen.error().code != Errc::kCorruptData) return seen;
      return damaged(seen.error());
    }
    MILLRACE_CHECK_OK(noteBatch({batch.baseOffset(), batch.lastOffset(), batch.maxTimestamp(),
                                 static_cast<std::uint32_t>(batch.sizeInBytes())},
                                config));
  }
}

}  // namespace millrace::log
