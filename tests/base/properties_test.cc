#include "base/properties.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(Properties, ReadsEverySeparator) {
  const auto parsed = parseProperties("a=1\nb : 2\nc 3\n d\t=\t4 \n=5\ne\n");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(*parsed,
            (Properties{{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4 "}, {"", "5"}, {"e", ""}}));
}

TEST(Properties, SkipsCommentsAndBlankLines) {
  const auto parsed = parseProperties("# x=1\n  ! y=2\n\n\r\nz=3#not a comment\r\n");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(*parsed, (Properties{{"z", "3#not a comment"}}));
}

TEST(Properties, JoinsContinuedLines) {
  const auto parsed = parseProperties("list=a,\\\n    b,\\\n  # c\nback=\\\\\nend=1\\");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(*parsed, (Properties{{"list", "a,b,# c"}, {"back", "\\"}, {"end", "1"}}));
}

TEST(Properties, UnescapesKeysAndValues) {
  const auto parsed = parseProperties("a\\=b\\ c=\\t\\u00e9\\u20AC\\uD83D\\uDE00\\x\n");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(*parsed, (Properties{{"a=b c", "\t\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80x"}}));
}

TEST(Properties, LastOfTwoWins) {
  const auto parsed = parseProperties("k=1\nk=2");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->at("k"), "2");
}

TEST(Properties, NamesTheLineOfABrokenEscape) {
  const auto parsed = parseProperties("ok=1\nbad=\\u12g4\n");
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().code, Errc::kMalformed);
  EXPECT_NE(parsed.error().detail.find("line 2"), std::string::npos);
}

}  // namespace
}  // namespace millrace
