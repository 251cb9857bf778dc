// Logging for the whole house: a line per event, formatted with fmt, written to stderr.
// The level comes from the environment (MILLRACE_LOG=debug) or from setLogLevel; default info.
#pragma once

#include <fmt/core.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

enum class LogLevel { kTrace, kDebug, kInfo, kWarn, kError, kOff };

/// "trace", "debug", "info", "warn" ("warning"), "error", "off"; any case.
[[nodiscard]] std::optional<LogLevel> parseLogLevel(std::string_view text);
/// Lines below `level` are dropped; their arguments are not formatted.
void setLogLevel(LogLevel level);
[[nodiscard]] LogLevel logLevel();
[[nodiscard]] bool logEnabled(LogLevel level);

/// Takes the lines instead of stderr: (level, message). Empty: back to stderr. For embedders and
/// tests.
using LogSink = std::function<void(LogLevel, std::string_view)>;
void setLogSink(LogSink sink);
/// Writes one line. `file` is the path of the source, cut to its part below the repository.
void writeLog(LogLevel level, std::string_view file, int line, std::string_view message);

}  // namespace millrace

#define MILLRACE_LOG(level, ...)                                                   \
  do {                                                                             \
    if (::millrace::logEnabled(level))                                             \
      ::millrace::writeLog(level, __FILE__, __LINE__, ::fmt::format(__VA_ARGS__)); \
  } while (0)
/// `MILLRACE_LOG_INFO("listening on {}:{}", host, port);`
#define MILLRACE_LOG_TRACE(...) MILLRACE_LOG(::millrace::LogLevel::kTrace, __VA_ARGS__)
#define MILLRACE_LOG_DEBUG(...) MILLRACE_LOG(::millrace::LogLevel::kDebug, __VA_ARGS__)
#define MILLRACE_LOG_INFO(...) MILLRACE_LOG(::millrace::LogLevel::kInfo, __VA_ARGS__)
#define MILLRACE_LOG_WARN(...) MILLRACE_LOG(::millrace::LogLevel::kWarn, __VA_ARGS__)
#define MILLRACE_LOG_ERROR(...) MILLRACE_LOG(::millrace::LogLevel::kError, __VA_ARGS__)
