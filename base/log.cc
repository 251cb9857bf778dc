#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <utility>

namespace millrace {

namespace {

struct LevelName {
  std::string_view name;
  LogLevel level;
};
constexpr std::array kLevels{
    LevelName{"trace", LogLevel::kTrace},  LevelName{"debug", LogLevel::kDebug},
    LevelName{"info", LogLevel::kInfo},    LevelName{"warn", LogLevel::kWarn},
    LevelName{"warning", LogLevel::kWarn}, LevelName{"error", LogLevel::kError},
    LevelName{"off", LogLevel::kOff}};

LogLevel levelFromEnvironment() {
  const char* const text = std::getenv("MILLRACE_LOG");
  return text == nullptr ? LogLevel::kInfo : parseLogLevel(text).value_or(LogLevel::kInfo);
}

std::atomic<LogLevel>& currentLevel() {
  static std::atomic<LogLevel> level{levelFromEnvironment()};
  return level;
}

/// Never destroyed: threads may log until the very end of the process.
struct Output {
  Output() : logger("millrace", std::make_shared<spdlog::sinks::stderr_color_sink_mt>()) {
    logger.set_level(spdlog::level::trace);  // writeLog's callers have filtered
    logger.set_pattern("%Y-%m-%d %H:%M:%S.%e %^%-5l%$ %v (%g:%#)");
  }
  spdlog::logger logger;
  std::mutex mutex;
  LogSink sink;
};

Output& output() {
  static Output* const instance = new Output;
  return *instance;
}

spdlog::level::level_enum spdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace: return spdlog::level::trace;
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarn: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
    case LogLevel::kOff: break;
  }
  return spdlog::level::off;
}

/// "/somewhere/millrace/base/log.cc" -> "base/log.cc": the folder and the file.
std::string_view shortPath(std::string_view file) {
  std::size_t cut = file.rfind('/');
  if (cut != std::string_view::npos && cut > 0) cut = file.rfind('/', cut - 1);
  return cut == std::string_view::npos ? file : file.substr(cut + 1);
}

}  // namespace

std::optional<LogLevel> parseLogLevel(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const auto* const found = std::ranges::find(kLevels, lower, &LevelName::name);
  if (found == kLevels.end()) return std::nullopt;
  return found->level;
}

void setLogLevel(LogLevel level) { currentLevel().store(level, std::memory_order_relaxed); }

LogLevel logLevel() { return currentLevel().load(std::memory_order_relaxed); }

bool logEnabled(LogLevel level) { return level >= logLevel() && level != LogLevel::kOff; }

void setLogSink(LogSink sink) {
  Output& out = output();
  const std::lock_guard lock(out.mutex);
  out.sink = std::move(sink);
}

void writeLog(LogLevel level, std::string_view file, int line, std::string_view message) {
  Output& out = output();
  {
    const std::lock_guard lock(out.mutex);
    if (out.sink) {
      out.sink(level, message);
      return;
    }
  }
  const std::string path(shortPath(file));
  const spdlog::source_loc where(path.c_str(), line, "");
  out.logger.log(where, spdlogLevel(level), spdlog::string_view_t(message.data(), message.size()));
}

}  // namespace millrace
