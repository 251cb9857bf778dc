#include "cli/places.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;

TEST(ParsePlace, UnderstandsAllForms) {
  const auto parse = [](std::string_view text) { return parsePlace(text, kNow).value(); };
  EXPECT_EQ(parse("beginning").kind, Place::Kind::kBeginning);
  EXPECT_EQ(parse("earliest").kind, Place::Kind::kBeginning);
  EXPECT_EQ(parse("end").kind, Place::Kind::kEnd);
  EXPECT_EQ(parse("1500").kind, Place::Kind::kOffset);
  EXPECT_EQ(parse("1500").value, 1500);
  EXPECT_EQ(parse("@1500").kind, Place::Kind::kTime);
  EXPECT_EQ(parse("@1500").value, 1500);
  EXPECT_EQ(parse("-15m").value, kNow - 15 * 60'000);
  EXPECT_EQ(parse("-2d").value, kNow - 2 * 86'400'000);
  EXPECT_EQ(parse("2023-11-14").value, 1'699'920'000'000);
  EXPECT_EQ(parse("2023-11-14T22:13").value, 1'699'999'980'000);
  EXPECT_EQ(parse("2023-11-14T22:13:20Z").value, kNow);
  EXPECT_EQ(parse("2023-11-14 22:13:20.123").value, kNow + 123);
}

TEST(ParsePlace, RefusesTheRest) {
  for (const char* text :
       {"", "soon", "-15", "-15y", "-m", "@", "@-1", "2023-11", "2023-11-14T", "12x", "-1"}) {
    const auto place = parsePlace(text, kNow);
    ASSERT_FALSE(place) << text;
    EXPECT_EQ(place.error().code, Errc::kConfig);
  }
}

TEST(ParseSelection, TakesPartitionsApart) {
  EXPECT_EQ(parseSelection("orders")->topic, "orders");
  EXPECT_TRUE(parseSelection("orders")->partitions.empty());
  EXPECT_EQ(parseSelection("orders:0,12")->partitions, (std::vector<std::int32_t>{0, 12}));
  EXPECT_FALSE(parseSelection("orders:"));
  EXPECT_FALSE(parseSelection("orders:a"));
  EXPECT_FALSE(parseSelection("orders:1,"));
  EXPECT_FALSE(parseSelection("orders:-1"));
}

}  // namespace
}  // namespace millrace::cli
