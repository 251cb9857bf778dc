// Opens every log of the directory and compares what it serves with what the files hold.
#pragma once

#include "tests/conformance/datadir_program/report.h"

#include <boost/json/object.hpp>

#include <string>
#include <vector>

namespace millrace::conformance {

/// How the directory is opened: as it was left, or as after a crash, with nothing trusted.
enum class Opening { kClean, kCrashed };

/// One case per partition.
[[nodiscard]] std::vector<Case> checkPartitions(const std::string& root,
                                                const std::vector<boost::json::object>& lines,
                                                Opening opening);

}  // namespace millrace::conformance
