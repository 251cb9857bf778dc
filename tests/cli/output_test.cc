#include "cli/output.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

TEST(Table, AlignsTextLeftAndNumbersRight) {
  Table table({"NAME", "N"});
  table.add({"gr\u00f6\u00dfe", "7"});
  table.add({"x", "1234"});
  EXPECT_EQ(table.text(), "NAME   N\ngr\u00f6\u00dfe     7\nx      1234\n");
}

TEST(Figures, ReadWell) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1'234'567), "1 234 567");
  EXPECT_EQ(byteSize(999), "999 B");
  EXPECT_EQ(byteSize(1'500'000), "1.5 MB");
  EXPECT_EQ(joined({1, 2, 3}), "1, 2, 3");
}

TEST(IsoTime, GoesBothWays) {
  for (const std::int64_t ms :
       {std::int64_t{0}, std::int64_t{1'700'000'000'123}, std::int64_t{-1}}) {
    EXPECT_EQ(parseIsoTime(isoTime(ms)).value(), ms) << isoTime(ms);
  }
  EXPECT_EQ(isoTime(-1), "1969-12-31T23:59:59.999Z");
}

TEST(IsUtf8, KnowsTextFromBytes) {
  for (const char* text : {"", "plain", "gr\u00f6\u00dfe", "\u65e5\u672c\u8a9e", "\U0001f600"}) {
    EXPECT_TRUE(isUtf8(text)) << text;
  }
  for (const char* bytes :
       {"\xff", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\x80"}) {
    EXPECT_FALSE(isUtf8(bytes)) << bytes;
  }
}

}  // namespace
}  // namespace millrace::cli
