#include "base/errc.h"

#include "base/result.h"

#include <gtest/gtest.h>

#include <set>

namespace millrace {
namespace {

constexpr Errc kWireCodes[] = {
#define MILLRACE_ERROR(id, code, name, retriable, refresh, message) Errc::id,
#include "base/errors.def"
#undef MILLRACE_ERROR
};

TEST(Errc, EveryWireCodeHasItsOwnNameAndASentence) {
  std::set<std::string_view> names;
  for (const Errc code : kWireCodes) {
    EXPECT_TRUE(names.insert(errorName(code)).second) << errorName(code);
    EXPECT_TRUE(errorMessage(code).ends_with('.')) << errorName(code);
    EXPECT_EQ(toWire(code), code);
    EXPECT_EQ(fromWire(static_cast<std::int16_t>(code)), code);
    EXPECT_TRUE(isRetriable(code) || !needsMetadataRefresh(code)) << errorName(code);
  }
  EXPECT_EQ(names.size(), 135U);
}

TEST(Errc, InternalCodesNeverReachTheWire) {
  for (int number = 1000; number <= 1011; ++number) {
    const auto code = static_cast<Errc>(number);
    EXPECT_TRUE(errorName(code).starts_with("INTERNAL_")) << number;
    EXPECT_LT(static_cast<int>(toWire(code)), 200) << number;
  }
  EXPECT_EQ(toWire(Errc::kDiskFull), Errc::kKafkaStorageError);
}

TEST(Errc, UnknownNumbersBecomeUnknownServerError) {
  EXPECT_EQ(fromWire(999), Errc::kUnknownServerError);
  EXPECT_EQ(fromWire(-2), Errc::kUnknownServerError);
}

TEST(Error, TextNamesCodeAndDetail) {
  EXPECT_EQ((Error{Errc::kNotCoordinator, "group g"}).toString(), "NOT_COORDINATOR: group g");
  EXPECT_TRUE((Error{Errc::kNotCoordinator, ""}).toString().starts_with("NOT_COORDINATOR: This"));
}

}  // namespace
}  // namespace millrace
