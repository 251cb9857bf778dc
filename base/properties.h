// Java's .properties format, as server.properties and connector files are written.
#pragma once

#include "base/result.h"

#include <map>
#include <string>
#include <string_view>

namespace millrace {

/// Configuration as people give it: texts by key.
using Properties = std::map<std::string, std::string, std::less<>>;

/// Comments (# !), continued lines, `=`, `:` or blank as separator, escapes (\t \n \uXXXX). A key
/// given twice: the last one wins. Errors: kMalformed for a broken \u escape, with the line's
/// number.
[[nodiscard]] Result<Properties> parseProperties(std::string_view text);
/// Reads and parses a file (at most 1 MiB). Errors: of the file; kMalformed.
[[nodiscard]] Result<Properties> loadProperties(const std::string& path);

}  // namespace millrace
