// The rules of a ConfigKey's `valid` text, applied to a converted value.
#pragma once

#include "base/config.h"

#include <string>
#include <string_view>

namespace millrace::detail {

/// "" where the value is allowed; otherwise what would be ("must be at least 1").
[[nodiscard]] std::string violatedRule(std::string_view valid, const ConfigValue& value);

/// Text without blanks at both ends.
[[nodiscard]] std::string_view trim(std::string_view text);
/// "a, b ,c" as its elements, trimmed; an empty text has none.
[[nodiscard]] std::vector<std::string> splitList(std::string_view text);

}  // namespace millrace::detail
