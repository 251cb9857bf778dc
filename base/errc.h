// Error codes: Kafka's wire codes, and internal ones from 1000 that toWire() maps before an answer
// leaves.
#pragma once

#include <cstdint>
#include <string_view>

namespace millrace {

enum class Errc : std::int16_t {
#define MILLRACE_ERROR(id, code, name, retriable, refresh, message) id = code,
#include "base/errors.def"
#undef MILLRACE_ERROR
  // Internal: never on the wire.
  kIo = 1000,           ///< a system call on a file failed
  kDiskFull = 1001,     ///< ENOSPC
  kCorruptData = 1002,  ///< bytes on disk fail their check
  kTruncated = 1003,    ///< input ends before the value does
  kMalformed = 1004,    ///< input breaks its format or a limit
  kClosed = 1005,       ///< the object was closed or is stopping
  kCancelled = 1006,    ///< the caller gave up
  kTimeout = 1007,      ///< a local deadline passed
  kConfig = 1008,       ///< a configuration value is not valid
  kNotFound = 1009,     ///< a local thing does not exist
  kUserCode = 1010,     ///< a plugin or lambda of the user failed
  kState = 1011,        ///< the call is not allowed in the object's state
};

/// Kafka's name, e.g. "NOT_LEADER_OR_FOLLOWER"; "INTERNAL_IO" style for internal codes.
[[nodiscard]] std::string_view errorName(Errc code);
/// One sentence for people.
[[nodiscard]] std::string_view errorMessage(Errc code);
/// Kafka's RetriableException: trying the same request again may succeed.
[[nodiscard]] bool isRetriable(Errc code);
/// Kafka's RefreshRetriableException: refresh the metadata before trying again.
[[nodiscard]] bool needsMetadataRefresh(Errc code);
/// The code that goes on the wire for any code, internal ones included.
[[nodiscard]] Errc toWire(Errc code);
/// The code that a peer sent; kUnknownServerError for numbers this build does not know.
[[nodiscard]] Errc fromWire(std::int16_t code);

}  // namespace millrace
