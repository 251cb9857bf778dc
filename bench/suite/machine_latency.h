// What the machine itself takes for the hops on a record's way: the limit that end-to-end latency
// is held against.
#pragma once

#include "bench/suite/open_loop.h"

#include <cstdint>
#include <vector>

namespace millrace::bench {

/// Nanoseconds for one thread to wake another: half of a round trip, sorted.
[[nodiscard]] std::vector<std::int64_t> threadWakeUps();

/// Nanoseconds from when 100 bytes are due until they are read, sorted, where all that stands
/// between is a thread that reads them from one loopback connection and writes them to another.
[[nodiscard]] std::vector<std::int64_t> relayed(const OpenLoop& load);

}  // namespace millrace::bench
