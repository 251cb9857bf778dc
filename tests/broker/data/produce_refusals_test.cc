// Produce requests that are refused as a whole.
#include "tests/broker/support/requests.h"
#include "tests/broker/support/test_broker.h"

#include <gtest/gtest.h>

namespace millrace::broker::testing {
namespace {

TEST(ProduceRefusals, ATransactionalBatchRefusesTheWholeRequestBeforeAnythingIsChecked) {
  TestBroker broker;
  WireClient client(broker.port());
  ASSERT_EQ(createTopic(client, "t", 2), 0);
  const Bytes plain = batchOf({"a"});
  Bytes transactional = batchOf({"b"}, {.producer_id = ProducerId{7},
                                        .producer_epoch = 0,
                                        .base_sequence = 0,
                                        .transactional = true});
  transactional.back() ^= 1;  // its checksum is wrong, too
  for (const auto& [id, error] : std::map<std::optional<std::string>, Errc>{
           {std::nullopt, Errc::kTransactionalIdAuthorizationFailed},
           {"unknown", Errc::kInvalidProducerIdMapping}}) {
    auto request = produceRequest("t", 0, plain);
    if (id) request.transactional_id = Text(*id);
    auto& other = request.topic_data.at(0).partition_data.emplace_back();
    other.index = 1;
    other.records = protocol::Records::borrow(transactional);
    const auto answer = client.call(request, kProduceVersion);
    const auto& partitions = answer.responses.at(0).partition_responses;
    ASSERT_EQ(partitions.size(), 2U);
    for (const auto& partition : partitions) EXPECT_EQ(fromWire(partition.error_code), error);
  }
  EXPECT_TRUE(readAll(client, "t", 0).empty());
}

}  // namespace
}  // namespace millrace::broker::testing
