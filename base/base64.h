// Base64 with padding (RFC 4648), as JSON and offset metadata carry bytes.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <string>
#include <string_view>

namespace millrace {

[[nodiscard]] std::string toBase64(BytesView bytes);
/// Errors: kMalformed unless `text` is base64 with padding and without unused bits.
[[nodiscard]] Result<Bytes> fromBase64(std::string_view text);

}  // namespace millrace
