#include "streams/input_queue.h"

#include <gtest/gtest.h>

namespace millrace::streams {
namespace {

/// Takes the record's timestamp; drops negative ones.
class PlainSlot final : public SourceSlot {
 public:
  Loaded load(const RawRecord& record, Millis) override {
    timestamp_ = record.timestamp;
    return timestamp_ < 0 ? Loaded::kDropped : Loaded::kReady;
  }
  Millis timestamp() const override { return timestamp_; }
  void forwardLoaded(const Headers*) override {}

 private:
  Millis timestamp_ = -1;
};

std::unique_ptr<InputQueue> queueOf(const std::string& topic,
                                    std::initializer_list<Millis> timestamps) {
  auto queue = std::make_unique<InputQueue>(topic, 0, std::make_unique<PlainSlot>());
  std::int64_t offset = 0;
  for (const Millis timestamp : timestamps)
    queue->add(OwnedRecord{.timestamp = timestamp, .offset = offset++});
  EXPECT_TRUE(queue->load());
  return queue;
}

TEST(InputOrder, SmallestTimestampFirst) {
  auto a = queueOf("a", {5, 6});
  auto b = queueOf("b", {3, 9});
  InputOrder order;
  order.push(a.get());
  order.push(b.get());
  EXPECT_EQ(order.pop(), b.get());
  b->pop();
  ASSERT_TRUE(b->load());
  order.push(b.get());
  EXPECT_EQ(order.pop(), a.get());
}

TEST(InputOrder, TiesFallAsInJavasPriorityQueue) {
  std::vector<std::unique_ptr<InputQueue>> queues;
  InputOrder order;
  for (int i = 0; i < 5; ++i) {
    queues.push_back(queueOf(std::to_string(i), {7}));
    order.push(queues.back().get());
  }
  std::string popped;
  while (!order.empty()) popped += order.pop()->headOrigin().topic;
  EXPECT_EQ(popped, "04321");
}

TEST(InputQueue, DroppedRecordsMoveThePositionOn) {
  auto queue = queueOf("t", {-1, -1, 4, -1});
  ASSERT_TRUE(queue->hasHead());
  EXPECT_EQ(queue->headOrigin().offset, 2);
  EXPECT_EQ(queue->nextOffset(), 2);
  queue->pop();
  ASSERT_TRUE(queue->load());
  EXPECT_FALSE(queue->hasHead());
  EXPECT_EQ(queue->nextOffset(), 4);
  EXPECT_EQ(queue->partitionTime(), 4);
}

}  // namespace
}  // namespace millrace::streams
