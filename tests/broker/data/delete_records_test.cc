// Which topics' records may be deleted, asked of a real broker.
#include "protocol/messages/delete_records_request.h"
#include "protocol/messages/delete_records_response.h"
#include "tests/broker/support/requests.h"
#include "tests/broker/support/test_broker.h"

#include <gtest/gtest.h>

namespace millrace::broker::testing {
namespace {

class DeleteRecords : public ::testing::Test {
 protected:
  void create(const std::string& name, const std::string& policy) {
    ASSERT_EQ(createTopic(client_, name, 1, {{"cleanup.policy", policy}}), 0);
  }
  auto remove(const std::string& name, std::int64_t offset) {
    protocol::DeleteRecordsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = Text(name);
    topic.partitions.push_back({.partition_index = 0, .offset = offset});
    request.timeout_ms = 10'000;
    return client_.call(request, 2).topics.at(0).partitions.at(0);
  }

  TestBroker broker_;
  WireClient client_{broker_.port()};
};

TEST_F(DeleteRecords, ACompactedTopicRefusesAndOneWithoutAPolicyDoesNot) {
  create("compacted", "compact");
  create("both", "compact,delete");
  create("none", "");
  EXPECT_EQ(remove("compacted", 0).error_code, static_cast<int>(Errc::kPolicyViolation));
  EXPECT_EQ(remove("both", 0).error_code, 0);
  EXPECT_EQ(remove("none", 0).error_code, 0);
}

TEST_F(DeleteRecords, OffsetsWithinTheLogOnly) {
  create("t", "delete");
  ASSERT_EQ(produce(client_, "t", 0, {"a", "b", "c"}).error_code, 0);
  EXPECT_EQ(remove("t", 2).low_watermark, 2);
  EXPECT_EQ(remove("t", 1).low_watermark, 2) << "it never goes back";
  EXPECT_EQ(remove("t", 4).error_code, static_cast<int>(Errc::kOffsetOutOfRange));
  EXPECT_EQ(remove("t", -2).error_code, static_cast<int>(Errc::kOffsetOutOfRange));
  EXPECT_EQ(remove("t", -1).low_watermark, 3);
}

}  // namespace
}  // namespace millrace::broker::testing
