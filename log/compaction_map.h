// Compaction's first pass: the newest offset of each key.
#pragma once

#include "log/compaction.h"
#include "log/compaction_meter.h"
#include "log/key_offset_map.h"

namespace millrace::log {

/// Puts the keys of [plan.first_dirty, plan.end) into the map, as far as it has room, and returns
/// how far that is. Batches are read in order by one thread at a time, decompressed and hashed by
/// up to limits.threads, and put into the map in order again: whatever the threads do, the map is
/// the same. They share limits.buffer_bytes, but each holds a batch at least. Errors: those of
/// runCompaction().
[[nodiscard]] Result<Offset> buildCompactionMap(const CompactionPlan& plan,
                                                const CompactionLimits& limits, KeyOffsetMap& map,
                                                CompactionMeter& meter);

}  // namespace millrace::log
