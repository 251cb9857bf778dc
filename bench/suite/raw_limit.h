// What the machine itself needs for the bytes that a broker moves, so that a broker's CPU has a
// yardstick.
#pragma once

#include <cstdint>

namespace millrace::bench {

/// CPU seconds per GB (1e9 bytes) of one side of a loopback connection, and its speed.
struct RawLimit {
  double cpu_seconds_per_gb = 0;
  double mb_per_second = 0;
};

/// Receive from a socket, CRC-32C, write to a fresh file through the page cache: the receiver's
/// thread.
[[nodiscard]] RawLimit receiveAndWrite(std::uint64_t bytes);
/// sendfile of a cached file to a socket: the sender's thread.
[[nodiscard]] RawLimit sendFile(std::uint64_t bytes);

}  // namespace millrace::bench
