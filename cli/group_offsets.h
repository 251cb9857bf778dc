// A group's members, what it has committed, and how far behind it is.
#pragma once

#include "cli/context.h"
#include "client/admin.h"

#include <map>
#include <string>

namespace millrace::cli {

using GroupOffsets = std::map<TopicPartition, OffsetAndMetadata>;

/// Prints one group. Errors: kGroupIdNotFound where there is none of that name.
[[nodiscard]] Status describeGroup(Admin& admin, const std::string& group, const Context& context);

}  // namespace millrace::cli
