// Recorded vectors (one JSON value per line, gzipped) and hex text.
#pragma once

#include "base/bytes.h"

#include <boost/json/value.hpp>

#include <string>
#include <vector>

namespace millrace::record::test {

/// The lines of tests/data/<name>; stops the test program where the file is not there.
std::vector<boost::json::object> loadVectors(const std::string& name);
Bytes fromHex(std::string_view hex);
std::string toHex(BytesView bytes);

}  // namespace millrace::record::test
