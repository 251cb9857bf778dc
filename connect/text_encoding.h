// Encodings of the string converter beside UTF-8.
#pragma once

#include "base/bytes.h"

#include <optional>
#include <string>
#include <string_view>

namespace millrace::connect {

enum class TextEncoding { kUtf8, kUtf16, kLatin1, kAscii };

/// Java's names, any case: UTF-8, UTF-16, ISO-8859-1, US-ASCII.
[[nodiscard]] std::optional<TextEncoding> textEncoding(std::string_view name);
/// UTF-16 begins with a byte order mark, big endian. What an encoding lacks becomes '?'.
[[nodiscard]] Bytes encodeText(std::string_view utf8, TextEncoding encoding);
/// To UTF-8. What is broken becomes U+FFFD.
[[nodiscard]] std::string decodeText(BytesView bytes, TextEncoding encoding);

}  // namespace millrace::connect
