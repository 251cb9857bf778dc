#include "broker/net/complaints.h"

#include <gtest/gtest.h>

namespace millrace::broker {
namespace {

TEST(Complaints, SameClientAndCauseIsLoggedOnceInAWhile) {
  ManualClock clock;
  Complaints complaints(clock);
  EXPECT_TRUE(complaints.log("client at /10.0.0.1", "frame size", "size -1"));
  EXPECT_FALSE(complaints.log("client at /10.0.0.1", "frame size", "size -2"));
  EXPECT_TRUE(complaints.log("client at /10.0.0.1", "request header", "short"));
  EXPECT_TRUE(complaints.log("client at /10.0.0.2", "frame size", "size -1"));
  clock.advance(Complaints::kQuietMs);
  EXPECT_TRUE(complaints.log("client at /10.0.0.1", "frame size", "size -1"));
}

}  // namespace
}  // namespace millrace::broker
