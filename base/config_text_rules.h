// Rules for texts that have a grammar of their own; behind base/config_rules.h.
#pragma once

#include <string_view>

namespace millrace::detail {

/// A regular expression, as Java and Perl write them.
[[nodiscard]] bool isRegex(std::string_view text);
/// A plugin's version, "1.2.0", or a range of versions as Maven writes it: "[1.0,2.0)", "(,3]",
/// "[1.0]", several joined by ','.
[[nodiscard]] bool isVersionRange(std::string_view text);
/// A class's name as in Java, with or without its packages: "org.example.Outer$Inner".
[[nodiscard]] bool isClassName(std::string_view text);
/// "http://host:8083", "https://:0", "http://[::1]:8083"; http and https only.
[[nodiscard]] bool isListenerUrl(std::string_view text);
/// A port from 0 to 65535.
[[nodiscard]] bool isPort(std::string_view text);

}  // namespace millrace::detail
