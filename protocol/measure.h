// What encoding finds out first. Not for other rooms.
#pragma once

#include "base/result.h"
#include "protocol/message.h"

#include <cstddef>

namespace millrace::protocol {

struct Measure {
  std::size_t size = 0;     ///< of the encoded message
  std::size_t outside = 0;  ///< part of it: records that a Writer with gaps leaves out
};

/// Errors: as encodedSize.
[[nodiscard]] Result<Measure> measure(const MessageInfo& info, const void* message,
                                      std::int16_t version);

}  // namespace millrace::protocol
