// The untyped half of the test driver: one task over all subtopologies, one partition per topic,
// time by hand.
#pragma once

#include "streams/memory_stores.h"
#include "streams/task.h"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace millrace {

/// What a topology did wrong while a test fed it: user code that threw, bytes that could not be
/// read.
class DriverError : public std::runtime_error {
 public:
  explicit DriverError(Error error)
      : std::runtime_error(error.toString()), error_(std::move(error)) {}
  [[nodiscard]] const Error& error() const { return error_; }

 private:
  Error error_;
};

struct DriverOptions {
  std::string applicationId = "test";
  std::int64_t cacheMaxBytes = 10'485'760;  ///< 0: every update goes down at once
  Millis wallClock = 0;                     ///< where the mock clock begins
  /// The stores below; nullptr: in memory, persistent ones too.
  streams::StoreProvider* stores = nullptr;
};

/// A record that the topology sent.
struct RawOutput {
  std::string topic;
  std::optional<Bytes> key;
  std::optional<Bytes> value;
  Millis timestamp = 0;
  streams::Headers headers;
};

namespace dsl {

class DriverCore final : private streams::RecordCollector {
 public:
  DriverCore(streams::Topology topology, const DriverOptions& options);

  /// Pipes one record and runs everything that follows from it. Throws DriverError.
  void pipe(const std::string& topic, streams::OwnedRecord record);
  void advanceWallClock(Millis ms);
  [[nodiscard]] std::deque<RawOutput>& outputs(const std::string& topic) { return outputs_[topic]; }
  /// Everything sent to topics that are not internal since the last call, in the order of sending.
  [[nodiscard]] std::vector<RawOutput> takeSent();
  [[nodiscard]] streams::Task& task() { return *task_; }
  [[nodiscard]] const streams::Topology& topology() const { return topology_; }

 private:
  [[nodiscard]] std::int32_t topicHandle(std::string_view topic, bool internal) override;
  [[nodiscard]] Result<std::int32_t> partitionCount(std::int32_t) override { return 1; }
  [[nodiscard]] Status send(const streams::OutputRecord& record) override;

  void enqueue(const std::string& topic, streams::OwnedRecord record);
  void processAll();
  void commit();
  void sendBack();

  streams::Topology topology_;
  streams::MemoryStoreProvider memory_;
  streams::CacheBudget cache_;
  Millis wall_ms_;
  struct Topic {
    std::string name;
    bool internal = false;
  };
  std::vector<Topic> topics_;
  std::map<std::string, std::size_t> inputs_;  // by the name in the topology
  std::map<std::string, std::int64_t> next_offset_;
  std::vector<std::pair<std::int32_t, streams::OwnedRecord>> fresh_;  // sent since the last commit
  std::map<std::string, std::deque<RawOutput>> outputs_;
  std::vector<RawOutput> sent_;
  std::unique_ptr<streams::Task> task_;
};

}  // namespace dsl
}  // namespace millrace
