// Checkpoint files read strictly: what the log itself forgives is a problem here.
#pragma once

#include "log/check/report.h"
#include "log/data_directory.h"
#include "log/log_files.h"

#include <map>
#include <vector>

namespace millrace::log::detail {

/// leader-epoch-checkpoint: "epoch start" lines, both rising. Empty where there is none.
[[nodiscard]] std::vector<EpochEntry> readEpochsStrictly(const LogFiles& files, Report& report);
/// A checkpoint of a data directory: "topic partition offset" lines, each partition once.
[[nodiscard]] OffsetMap readOffsetsStrictly(FileSystem& files, const std::string& path,
                                            Report& report);

}  // namespace millrace::log::detail
