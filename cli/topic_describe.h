// The description of topics, as `millrace topic describe` prints it.
#pragma once

#include "cli/context.h"

#include <string>
#include <vector>

namespace millrace::cli {

[[nodiscard]] Status describeTopics(const std::vector<std::string>& names, const Context& context);

}  // namespace millrace::cli
