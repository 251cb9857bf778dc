#include "dsl/driver_core.h"

#include <set>

namespace millrace::dsl {
namespace {

void orThrow(Status status) {
  if (!status) throw DriverError(std::move(status).error());
}

}  // namespace

DriverCore::DriverCore(streams::Topology topology, const DriverOptions& options)
    : topology_(std::move(topology)),
      cache_{.max_bytes = options.cacheMaxBytes},
      wall_ms_(options.wallClock) {
  streams::Task::Options task{.application_id = options.applicationId,
                              .collector = this,
                              .stores = options.stores == nullptr ? &memory_ : options.stores,
                              .cache = &cache_,
                              .wall_ms = wall_ms_};
  for (const auto& sub : topology_.subtopologies()) {
    task.subtopologies.push_back(sub.id);
    for (const std::string& topic : sub.source_topics) {
      inputs_[topic] = task.inputs.size();
      task.inputs.push_back({topic, 0});
    }
  }
  task_ = std::make_unique<streams::Task>(topology_, std::move(task));
  orThrow(task_->init());
}

std::int32_t DriverCore::topicHandle(std::string_view topic, bool internal) {
  topics_.push_back({std::string(topic), internal});
  return static_cast<std::int32_t>(topics_.size() - 1);
}

Status DriverCore::send(const streams::OutputRecord& record) {
  streams::OwnedRecord owned{.timestamp = record.timestamp};
  if (record.key) owned.key = Bytes(*record.key);
  if (record.value) owned.value = Bytes(*record.value);
  if (record.headers != nullptr) owned.headers = *record.headers;
  fresh_.emplace_back(record.topic, std::move(owned));
  return {};
}

void DriverCore::pipe(const std::string& topic, streams::OwnedRecord record) {
  if (!inputs_.contains(topic)) {
    throw DriverError(
        {Errc::kUnknownTopicOrPartition, "the topology does not read topic " + topic});
  }
  enqueue(topic, std::move(record));
  processAll();
}

void DriverCore::enqueue(const std::string& topic, streams::OwnedRecord record) {
  record.offset = next_offset_[topic]++;
  task_->add(inputs_.at(topic), std::move(record));
}

void DriverCore::processAll() {
  do {
    auto taken = task_->process(1);
    if (!taken) throw DriverError(std::move(taken).error());
    commit();
  } while (task_->buffered() > 0);
}

/// Kafka's driver commits with a checkpoint, which flushes the stores a second time.
void DriverCore::commit() {
  orThrow(task_->flush());
  orThrow(task_->flush());
  task_->committed();
  sendBack();
}

void DriverCore::sendBack() {
  auto fresh = std::move(fresh_);
  fresh_.clear();
  for (auto& [handle, record] : fresh) {
    const Topic& topic = topics_[static_cast<std::size_t>(handle)];
    if (!topic.internal) {
      RawOutput output{topic.name, record.key, record.value, record.timestamp, record.headers};
      outputs_[topic.name].push_back(output);
      sent_.push_back(std::move(output));
    }
    if (inputs_.contains(topic.name)) enqueue(topic.name, std::move(record));
  }
}

void DriverCore::advanceWallClock(Millis ms) {
  wall_ms_ += ms;
  auto punctuated = task_->punctuateWallClock(wall_ms_);
  if (!punctuated) throw DriverError(std::move(punctuated).error());
  commit();
  if (task_->buffered() > 0) processAll();
}

std::vector<RawOutput> DriverCore::takeSent() {
  auto sent = std::move(sent_);
  sent_.clear();
  return sent;
}

}  // namespace millrace::dsl
