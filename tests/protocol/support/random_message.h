// Messages filled at random over their field tables.
#pragma once

#include "protocol/any_message.h"

#include <cstdint>
#include <random>

namespace millrace::protocol {

/// A message whose fields of this version hold random values: extremes, nulls, empty and short
/// arrays, unknown tags. What stands outside the version keeps its default. Owns everything.
[[nodiscard]] AnyMessage randomMessage(const MessageInfo& info, int version,
                                       std::mt19937_64& random);

}  // namespace millrace::protocol
