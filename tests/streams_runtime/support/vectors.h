// Recorded vectors: compressed files with one JSON document per line.
#pragma once

#include <boost/json.hpp>

#include <string>
#include <vector>

namespace millrace::testing {

/// All lines of tests/data/<path>, parsed. Aborts with the path where the file cannot be read.
std::vector<boost::json::value> readVectors(const std::string& path);

/// "0a1b" -> two bytes.
std::string fromHex(std::string_view hex);
std::string toHex(std::string_view bytes);

/// A short text of a JSON string.
inline std::string text(const boost::json::value& v) { return std::string(v.as_string()); }

}  // namespace millrace::testing
