#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace millrace {
namespace {

TEST(Log, DropsLinesBelowTheLevelWithoutFormatting) {
  std::vector<std::string> lines;
  setLogSink([&lines](LogLevel, std::string_view line) { lines.emplace_back(line); });
  const LogLevel before = logLevel();
  setLogLevel(LogLevel::kWarn);
  int formatted = 0;
  const auto count = [&formatted] { return ++formatted; };
  MILLRACE_LOG_INFO("{}", count());
  MILLRACE_LOG_WARN("disk {} is at {} %", "a", count());
  setLogLevel(before);
  setLogSink({});
  EXPECT_THAT(lines, testing::ElementsAre("disk a is at 1 %"));
}

TEST(Log, LevelsHaveNames) {
  EXPECT_EQ(parseLogLevel("DEBUG"), LogLevel::kDebug);
  EXPECT_EQ(parseLogLevel("warning"), LogLevel::kWarn);
  EXPECT_EQ(parseLogLevel("loud"), std::nullopt);
}

}  // namespace
}  // namespace millrace
