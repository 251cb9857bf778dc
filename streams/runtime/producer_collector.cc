#include "streams/runtime/producer_collector.h"

#include "streams/topology.h"

#include <algorithm>

namespace millrace::streams {

void DeliveryLog::track(const TopicPartition& partition) {
  const std::lock_guard lock(mutex_);
  next_[partition.topic][partition.partition] = -1;
}

void DeliveryLog::record(const DeliveryReport& report) {
  const std::lock_guard lock(mutex_);
  if (!report.status) {
    if (!error_) {
      error_ = report.status.error();
      error_->detail =
          report.topic + "-" + std::to_string(report.partition) + ": " + error_->detail;
    }
    return;
  }
  const auto topic = next_.find(report.topic);
  if (topic == next_.end()) return;
  const auto partition = topic->second.find(report.partition);
  if (partition == topic->second.end()) return;
  partition->second = std::max(partition->second, report.base_offset + report.record_count);
}

std::int64_t DeliveryLog::acknowledged(const TopicPartition& partition) const {
  const std::lock_guard lock(mutex_);
  const auto topic = next_.find(partition.topic);
  if (topic == next_.end()) return -1;
  const auto found = topic->second.find(partition.partition);
  return found == topic->second.end() ? -1 : found->second;
}

Status DeliveryLog::status() const {
  const std::lock_guard lock(mutex_);
  return error_ ? Status(std::unexpected(*error_)) : Status{};
}

class ProducerCollector::PartitionWriter final : public ChangelogWriter {
 public:
  PartitionWriter(ProducerCollector& owner, TopicHandle topic, std::int32_t partition)
      : owner_(owner), topic_(topic), partition_(partition) {}
  Status append(BytesView key, std::optional<BytesView> value, Millis timestamp) override {
    owner_.dirty_ = true;
    return owner_.producer_->append(topic_, partition_, key, value, timestamp);
  }

 private:
  ProducerCollector& owner_;
  TopicHandle topic_;
  std::int32_t partition_;
};

Result<std::unique_ptr<ProducerCollector>> ProducerCollector::create(ProducerOptions options,
                                                                     std::string application_id) {
  auto deliveries = std::make_shared<DeliveryLog>();
  options.onDelivery = [deliveries](const DeliveryReport& report) { deliveries->record(report); };
  MILLRACE_TRY(Producer producer, Producer::create(std::move(options)));
  return std::unique_ptr<ProducerCollector>(
      new ProducerCollector(std::make_unique<Producer>(std::move(producer)), std::move(deliveries),
                            std::move(application_id)));
}

ProducerCollector::ProducerCollector(std::unique_ptr<Producer> producer,
                                     std::shared_ptr<DeliveryLog> deliveries,
                                     std::string application_id)
    : producer_(std::move(producer)),
      deliveries_(std::move(deliveries)),
      application_id_(std::move(application_id)) {}

std::int32_t ProducerCollector::topicHandle(std::string_view topic, bool internal) {
  const std::string name =
      internal ? decorateTopic(application_id_, std::string(topic)) : std::string(topic);
  const auto known = std::ranges::find(topics_, name, &Topic::name);
  if (known != topics_.end()) return static_cast<std::int32_t>(known - topics_.begin());
  topics_.push_back({name});
  return static_cast<std::int32_t>(topics_.size()) - 1;
}

Status ProducerCollector::resolve(Topic& topic) {
  if (topic.handle) return {};
  MILLRACE_TRY(topic.handle, producer_->topic(topic.name));
  return {};
}

Result<std::int32_t> ProducerCollector::partitionCount(std::int32_t topic) {
  Topic& entry = topics_[static_cast<std::size_t>(topic)];
  MILLRACE_CHECK_OK(resolve(entry));
  return entry.handle->partitionCount();
}

Status ProducerCollector::send(const OutputRecord& record) {
  static_assert(OutputRecord::kByKey == Producer::kAnyPartition);
  Topic& topic = topics_[static_cast<std::size_t>(record.topic)];
  MILLRACE_CHECK_OK(resolve(topic));
  dirty_ = true;
  if (record.headers == nullptr || record.headers->empty()) {
    return producer_->append(*topic.handle, record.partition, record.key, record.value,
                             record.timestamp);
  }
  headers_.clear();
  for (const Header& header : *record.headers) {
    headers_.push_back(
        {header.key, header.value ? std::optional<BytesView>(*header.value) : std::nullopt});
  }
  return producer_->append(*topic.handle, record.partition, record.key, record.value,
                           record.timestamp, headers_);
}

Result<std::unique_ptr<ChangelogWriter>> ProducerCollector::changelog(
    const TopicPartition& partition) {
  MILLRACE_TRY(const TopicHandle handle, producer_->topic(partition.topic));
  deliveries_->track(partition);
  return std::unique_ptr<ChangelogWriter>(
      std::make_unique<PartitionWriter>(*this, handle, partition.partition));
}

Status ProducerCollector::flush() {
  if (dirty_) {
    MILLRACE_CHECK_OK(producer_->flush());
    dirty_ = false;
  }
  return deliveries_->status();
}

}  // namespace millrace::streams
