// Compares single files with their recorded contents, by the log's own readers.
#pragma once

#include "tests/conformance/datadir_program/report.h"

#include <boost/json/object.hpp>

#include <string>

namespace millrace::conformance {

/// `line` is one line of the JSONL file; the file stands below `root`.
void checkFile(const std::string& root, const boost::json::object& line, Case& result);

}  // namespace millrace::conformance
