// Sends bytes as they are to a broker of this build and tells what it answers.
#pragma once

#include "base/result.h"

#include <string_view>

namespace millrace::wire_check {

/// The error code of the partition in a broker's answer to Produce v9 with these bytes as records,
/// acks=all, without a transactional id, to a plain topic of one partition. The broker is started
/// on first use, in a temporary directory and on a free port.
[[nodiscard]] Result<Errc> produceError(std::string_view records);
/// Stops that broker and removes its directory; nothing where none was started.
void stopProduceProbe();

}  // namespace millrace::wire_check
