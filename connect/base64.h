// Base64 and big integers, as JSON carries bytes and decimals.
#pragma once

#include "base/bytes.h"

#include <optional>
#include <string>
#include <string_view>

namespace millrace::connect {

/// With padding.
[[nodiscard]] std::string toBase64(BytesView bytes);
/// nullopt for characters outside of the alphabet. Padding may be missing.
[[nodiscard]] std::optional<Bytes> fromBase64(std::string_view text);

/// Two's complement, big endian, shortest (Java's BigInteger.toByteArray), of a decimal integer.
[[nodiscard]] Bytes integerToBytes(std::string_view decimal);
[[nodiscard]] std::string bytesToInteger(BytesView bytes);

}  // namespace millrace::connect
