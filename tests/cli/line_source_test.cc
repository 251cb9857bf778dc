#include "cli/line_source.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace millrace::cli {
namespace {

std::vector<std::string> linesOf(const std::string& text) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
  std::fwrite(text.data(), 1, text.size(), file.get());
  std::rewind(file.get());
  LineSource source(file.get());
  std::vector<std::string> out;
  for (std::string_view line; source.next(line);) out.emplace_back(line);
  EXPECT_TRUE(source.status());
  return out;
}

TEST(LineSource, TakesLinesOfAnyLengthAndEnding) {
  EXPECT_EQ(linesOf("a\nb\r\n\nlast"), (std::vector<std::string>{"a", "b", "", "last"}));
  EXPECT_EQ(linesOf(""), std::vector<std::string>{});
  EXPECT_EQ(linesOf(std::string("a\0b\n", 4)), std::vector<std::string>{std::string("a\0b", 3)});
  EXPECT_EQ(linesOf(std::string(100'000, 'x')).at(0).size(), 100'000U);
}

TEST(ParseLine, SplitsAtTheFirstSeparator) {
  const auto record = parseLine("k: v: w", {.key = {}, .key_separator = ": ", .null_text = {}});
  ASSERT_TRUE(record);
  EXPECT_EQ(record->key, "k");
  EXPECT_EQ(record->value, "v: w");
  EXPECT_FALSE(parseLine("no separator", {.key = {}, .key_separator = ": ", .null_text = {}}));
}

TEST(ParseLine, MakesNullOfItsText) {
  const auto record = parseLine("k=NIL", {.key = {}, .key_separator = "=", .null_text = "NIL"});
  ASSERT_TRUE(record);
  EXPECT_EQ(record->key, "k");
  EXPECT_FALSE(record->value.has_value());
  EXPECT_EQ(parseLine("", {})->value, "");
  EXPECT_FALSE(parseLine("v", {})->key.has_value());
}

}  // namespace
}  // namespace millrace::cli
