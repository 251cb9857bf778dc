// Integers of any size, as decimals carry them.
#pragma once

#include "base/bytes.h"

#include <string>
#include <string_view>

namespace millrace::connect {

/// Two's complement, big endian, shortest (Java's BigInteger.toByteArray), of a decimal integer.
[[nodiscard]] Bytes integerToBytes(std::string_view decimal);
[[nodiscard]] std::string bytesToInteger(BytesView bytes);

}  // namespace millrace::connect
