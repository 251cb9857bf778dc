#include "base/uuid.h"

#include "base/random.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(Uuid, TextIsUrlSafeBase64) {
  EXPECT_EQ(Uuid{}.toString(), "AAAAAAAAAAAAAAAAAAAAAA");
  const Uuid one{.high = 0, .low = 1};
  EXPECT_EQ(one.toString(), "AAAAAAAAAAAAAAAAAAAAAQ");
  const Uuid ones{.high = UINT64_MAX, .low = UINT64_MAX};
  EXPECT_EQ(ones.toString(), "_____________________w");
}

TEST(Uuid, RandomOnesReadBack) {
  constexpr std::uint64_t kSeed = 7;
  SCOPED_TRACE(kSeed);
  SeededRandom random(kSeed);
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t high = random.next();
    const Uuid uuid = makeUuid(high, random.next());
    const auto parsed = parseUuid(uuid.toString());
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(*parsed, uuid);
    EXPECT_EQ((uuid.high >> 12) & 15, 4U);
    EXPECT_EQ(uuid.low >> 62, 2U);
  }
}

TEST(Uuid, RandomNeverStartsWithADash) {
  for (int i = 0; i < 2000; ++i) EXPECT_NE(randomUuid().toString()[0], '-');
}

TEST(Uuid, OrderIsSigned) {
  const Uuid negative{.high = UINT64_MAX, .low = 0};
  const Uuid positive{.high = 1, .low = 0};
  EXPECT_LT(negative, positive);
}

TEST(Uuid, RefusesWhatIsNoUuid) {
  EXPECT_TRUE(parseUuid("AAAAAAAAAAAAAAAAAAAAAQ==").has_value());
  for (const char* text : {"", "AAAA", "AAAAAAAAAAAAAAAAAAAAA$", "AAAAAAAAAAAAAAAAAAAAAB",
                           "AAAAAAAAAAAAAAAAAAAAAAA"}) {
    const auto parsed = parseUuid(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, Errc::kMalformed);
  }
}

}  // namespace
}  // namespace millrace
