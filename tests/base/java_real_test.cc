// What Java prints: java.lang.Double.toString and Float.toString of JDK 19 and later.
#include "base/java_real.h"

#include <gtest/gtest.h>

#include <limits>

namespace millrace {
namespace {

TEST(JavaReal, IsPlainFromAThousandthToTenMillion) {
  EXPECT_EQ(javaDouble(0), "0.0");
  EXPECT_EQ(javaDouble(-0.0), "-0.0");
  EXPECT_EQ(javaDouble(1), "1.0");
  EXPECT_EQ(javaDouble(12345), "12345.0");
  EXPECT_EQ(javaDouble(0.001), "0.001");
  EXPECT_EQ(javaDouble(-0.0123), "-0.0123");
  EXPECT_EQ(javaDouble(9999999.5), "9999999.5");
}

TEST(JavaReal, HasTheShortestDigitsWithItsExponent) {
  EXPECT_EQ(javaDouble(1e7), "1.0E7");
  EXPECT_EQ(javaDouble(1e-5), "1.0E-5");
  EXPECT_EQ(javaDouble(695835908439.78), "6.9583590843978E11");
  EXPECT_EQ(javaDouble(-1.5e300), "-1.5E300");
  EXPECT_EQ(javaDouble(5e-324), "4.9E-324");
  EXPECT_EQ(javaFloat(1.1e10F), "1.1E10");
}

TEST(JavaReal, NamesWhatIsNoNumber) {
  EXPECT_EQ(javaDouble(std::numeric_limits<double>::quiet_NaN()), "NaN");
  EXPECT_EQ(javaDouble(-std::numeric_limits<double>::infinity()), "-Infinity");
}

}  // namespace
}  // namespace millrace
