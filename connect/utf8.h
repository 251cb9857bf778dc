// UTF-8 as Java's decoder reads it: broken sequences become U+FFFD, positions count UTF-16 units.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::connect {

/// What the bytes at the start of a text are.
struct Utf8Step {
  std::uint32_t bytes = 0;  ///< 0: the sequence is cut off by the end of the text
  std::uint32_t units = 0;  ///< UTF-16 units of it: 1 or 2
  bool valid = true;        ///< false: becomes one U+FFFD
};

/// `text` is not empty.
[[nodiscard]] Utf8Step utf8Step(std::string_view text);

/// UTF-16 units of a whole text; a cut-off end counts as one broken sequence.
[[nodiscard]] std::uint64_t utf16Units(std::string_view text);
/// The text with broken sequences replaced.
[[nodiscard]] std::string repairUtf8(std::string_view text);

}  // namespace millrace::connect
