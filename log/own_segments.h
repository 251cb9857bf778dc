// What tells, in a follower's log, offsets that its leader does not have from those that a power
// failure took.
//
// A compacted leader's batches have offsets missing between them. Where segments of ours meet, none
// are: each begins where the one before ends (rollIfNeeded), so a hole there is a crash's. Kafka's
// segments begin with a batch; holes of the leader's lie between them. The file says from which
// offset on all segments are ours. Kafka removes files of such a name when it opens a log, so it
// is there only while nobody else has made segments since.
#pragma once

#include "log/log_files.h"

#include <optional>
#include <string_view>

namespace millrace::log {

inline constexpr std::string_view kOwnSegments = "millrace-segments.deleted";

/// Segments that begin above this offset are ours. Nothing where there is no such file, or a
/// damaged one.
[[nodiscard]] Result<std::optional<Offset>> readOwnSegments(const LogFiles& files);
/// On disk when it returns; everything below the offset must be, too.
[[nodiscard]] Status writeOwnSegments(const LogFiles& files, Offset from);

}  // namespace millrace::log
