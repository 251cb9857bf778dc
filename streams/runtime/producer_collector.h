// Sends the output and the changelogs of a thread's tasks through one producer.
#pragma once

#include "client/producer.h"
#include "streams/record_collector.h"
#include "streams/state/changelog.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace millrace::streams {

/// What the producer's I/O thread reports: the first failure, and how far tracked partitions are
/// acknowledged.
class DeliveryLog {
 public:
  /// Next offset after what was acknowledged is kept for this partition from now on.
  void track(const TopicPartition& partition);
  void record(const DeliveryReport& report);
  /// -1 where nothing was acknowledged.
  [[nodiscard]] std::int64_t acknowledged(const TopicPartition& partition) const;
  [[nodiscard]] Status status() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::map<std::int32_t, std::int64_t>, std::less<>> next_;
  std::optional<Error> error_;
};

/// Used by one stream thread.
class ProducerCollector final : public RecordCollector {
 public:
  /// `options` without onDelivery: it belongs to the collector.
  [[nodiscard]] static Result<std::unique_ptr<ProducerCollector>> create(
      ProducerOptions options, std::string application_id);

  std::int32_t topicHandle(std::string_view topic, bool internal) override;
  Result<std::int32_t> partitionCount(std::int32_t topic) override;
  Status send(const OutputRecord& record) override;

  /// A writer for one changelog partition; valid while the collector lives. Errors: the topic is
  /// not there.
  [[nodiscard]] Result<std::unique_ptr<ChangelogWriter>> changelog(const TopicPartition& partition);
  /// Next offset after the last acknowledged record of a changelog; -1 where this producer wrote
  /// none.
  [[nodiscard]] std::int64_t acknowledged(const TopicPartition& partition) const {
    return deliveries_->acknowledged(partition);
  }
  /// Waits until everything sent is acknowledged. Errors: the first delivery that failed.
  [[nodiscard]] Status flush();

 private:
  class PartitionWriter;
  struct Topic {
    std::string name;
    std::optional<TopicHandle> handle = std::nullopt;
  };
  ProducerCollector(std::unique_ptr<Producer> producer, std::shared_ptr<DeliveryLog> deliveries,
                    std::string application_id);
  [[nodiscard]] Status resolve(Topic& topic);

  std::unique_ptr<Producer> producer_;
  std::shared_ptr<DeliveryLog> deliveries_;
  std::string application_id_;
  std::vector<Topic> topics_;
  std::vector<HeaderView> headers_;
  bool dirty_ = false;
};

}  // namespace millrace::streams
