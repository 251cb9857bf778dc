// CRCs keep a fuzzer out: these put them right again.
#pragma once

#include "base/bytes.h"

namespace millrace::fuzz {

/// Gives every batch in `bytes` magic 2 and the right CRC, and the last one the length that is
/// left.
void repairFrames(Bytes& bytes);
/// The CRC of a producer snapshot.
void repairSnapshot(Bytes& bytes);

}  // namespace millrace::fuzz
