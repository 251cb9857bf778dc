// Assertions that stay on in release builds: a broken invariant stops the process and names the
// values.
#pragma once

#include <source_location>
#include <string_view>

namespace millrace {

/// Prints the condition, the message and where it stood to stderr, then aborts.
[[noreturn]] void assertionFailed(std::string_view condition, std::string_view message,
                                  std::source_location where);

}  // namespace millrace

/// `MILLRACE_ASSERT(base <= next, fmt::format("base {} next {}", base, next));` The message is made
/// only on failure.
#define MILLRACE_ASSERT(condition, ...)                                        \
  do {                                                                         \
    if (!(condition)) [[unlikely]]                                             \
      ::millrace::assertionFailed(#condition, ::std::string_view{__VA_ARGS__}, \
                                  ::std::source_location::current());          \
  } while (0)
