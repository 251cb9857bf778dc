// A cluster in memory: applies what the controller decides, as the metadata service does.
#pragma once

#include "broker/metadata/controller.h"
#include "broker/metadata/delta.h"
#include "protocol/messages/create_topics_request.h"
#include "protocol/messages/create_topics_response.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace millrace::broker::testing {

class Cluster {
 public:
  explicit Cluster(std::vector<std::int32_t> brokers = {1}, ControllerConfig config = {})
      : controller_(std::move(config), [this] { return Uuid{1, ++ids_}; }) {
    apply(controller_.bootstrap());
    for (const std::int32_t id : brokers) {
      BrokerImage broker;
      broker.id = id;
      broker.endpoints = {{"PLAINTEXT", "localhost", static_cast<std::uint16_t>(9092 + id), 0}};
      broker.log_dirs = {Uuid{7, static_cast<std::uint64_t>(id)}};
      apply(controller_.registerBroker(broker, next_offset_));
      apply(controller_.unfenceBroker(*image_, id));
    }
  }

  MetadataChanges apply(const MetadataRecords& records) {
    MetadataDelta delta(*image_);
    for (const MetadataRecord& record : records) {
      // Through the bytes, as in the log.
      const Bytes framed = frameRecord(record);
      const auto parsed = parseRecord(framed);
      EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().toString());
      const Status applied = delta.apply(*parsed, next_offset_++);
      EXPECT_TRUE(applied) << (applied ? "" : applied.error().toString());
    }
    auto outcome = delta.finish();
    image_ = outcome.image;
    return outcome.changes;
  }

  /// Creates a topic; the answer's error code.
  Errc create(const std::string& name, std::int32_t partitions = 1, std::int16_t factor = 1,
              std::vector<std::pair<std::string, std::string>> configs = {},
              std::string* text = nullptr) {
    protocol::CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = partitions;
    topic.replication_factor = factor;
    for (const auto& [key, value] : configs) {
      auto& config = topic.configs.emplace_back();
      config.name = key;
      config.value = Text(value);
    }
    const auto decision = controller_.createTopics(*image_, request);
    last_changes = apply(decision.records);
    const auto& result = decision.response.topics.at(0);
    if (text && result.error_message) *text = result.error_message->str();
    return fromWire(result.error_code);
  }

  const Controller& controller() const { return controller_; }
  const MetadataImage& image() const { return *image_; }
  ImagePtr shared() const { return image_; }

  MetadataChanges last_changes;

 private:
  std::uint64_t ids_ = 0;
  Controller controller_;
  std::int64_t next_offset_ = 0;
  ImagePtr image_ = std::make_shared<const MetadataImage>();
};

}  // namespace millrace::broker::testing
