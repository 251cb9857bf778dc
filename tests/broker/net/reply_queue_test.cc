#include "broker/net/reply_queue.h"

#include "protocol/messages/heartbeat_response.h"

#include <gtest/gtest.h>

namespace millrace::broker {
namespace {

protocol::Frame frame(std::int32_t id) {
  auto f = protocol::encodeResponse(id, 0, protocol::HeartbeatResponse{});
  return std::move(*f);
}

std::int32_t idOf(const protocol::Frame& f) {
  const auto bytes = f.join();
  return *protocol::peekCorrelationId(BytesView(*bytes).substr(4));
}

TEST(ReplyQueue, RepliesLeaveInTheOrderOfTheRequests) {
  ReplyQueue queue;
  const auto a = queue.open();
  const auto b = queue.open();
  const auto c = queue.open();
  queue.fill(c, frame(3));
  EXPECT_FALSE(queue.next());
  queue.fill(a, frame(1));
  auto first = queue.next();
  ASSERT_TRUE(first);
  EXPECT_EQ(idOf(*first), 1);
  EXPECT_FALSE(queue.next());
  queue.fill(b, frame(2));
  EXPECT_EQ(idOf(*queue.next()), 2);
  EXPECT_EQ(idOf(*queue.next()), 3);
  EXPECT_EQ(queue.waiting(), 0U);
}

TEST(ReplyQueue, RequestWithoutAnswerLeavesNoGap) {
  ReplyQueue queue;
  const auto a = queue.open();
  const auto b = queue.open();
  queue.fill(b, frame(2));
  queue.fill(a, std::nullopt);
  EXPECT_EQ(idOf(*queue.next()), 2);
  EXPECT_FALSE(queue.next());
}

TEST(ReplyQueue, ClosesAfterTheRepliesBeforeIt) {
  ReplyQueue queue;
  const auto a = queue.open();
  const auto b = queue.open();
  const auto c = queue.open();
  queue.fill(c, frame(3));
  queue.fillWithClose(b);
  EXPECT_FALSE(queue.mustClose());
  queue.fill(a, frame(1));
  EXPECT_EQ(idOf(*queue.next()), 1);
  EXPECT_TRUE(queue.mustClose());
  EXPECT_FALSE(queue.next());
}

}  // namespace
}  // namespace millrace::broker
