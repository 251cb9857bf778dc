#include "connect/source_runner.h"

#include "base/log.h"

namespace millrace::connect {

namespace {
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
constexpr milliseconds kFirstRetry{300};
}  // namespace

SourceRunner::SourceRunner(std::shared_ptr<const WorkerContext> worker, ConnectorConfig connector,
                           int task, std::unique_ptr<TaskSettings> settings)
    : TaskRunner(connector.name, task, worker->interval("task.call.timeout.ms")),
      worker_(std::move(worker)),
      connector_(std::move(connector)),
      settings_(std::move(settings)),
      task_(connector_.factory->make_source()),
      errors_(connector_, task),
      client_id_("connector-producer-" + connector_.name + "-" + std::to_string(task)) {}

std::uint64_t SourceRunner::records() const {
  return delivery_->acknowledged.load(std::memory_order_relaxed);
}

std::optional<SourceMap> SourceRunner::storedOffset(const SourceMap& partition) {
  return worker_->offsets->get(connector_.name, partition);
}

void SourceRunner::log(std::string_view message) { MILLRACE_LOG_INFO("{}: {}", name(), message); }

void SourceRunner::interrupt() {
  const std::lock_guard lock(life_mutex_);
  if (task_) task_->stop();
}

void SourceRunner::release() {
  producer_.reset();
  topics_.reset();
  const std::lock_guard lock(life_mutex_);
  task_.reset();
}

Status SourceRunner::prepare() {
  MILLRACE_TRY(key_converter_, converterFor(connector_.config, worker_->config, "key"));
  MILLRACE_TRY(value_converter_, converterFor(connector_.config, worker_->config, "value"));
  MILLRACE_TRY(Producer producer,
               Producer::create(worker_->producerOptions(connector_, client_id_)));
  producer_.emplace(std::move(producer));
  MILLRACE_TRY(TopicCreator topics, TopicCreator::make(*worker_, connector_));
  topics_.emplace(std::move(topics));
  const InCall call(*this, "start");
  return guarded([this] { return task_->start(*settings_, *this); });
}

Status SourceRunner::run() {
  MILLRACE_CHECK_OK(prepare());
  const Status looped = loop();
  // Also after an error: what was acknowledged is stored, so that a restart does not repeat it.
  const Status flushed = producer_->flush(worker_->interval("offset.flush.timeout.ms"));
  const Status committed = commit();
  if (!looped) return looped;
  MILLRACE_CHECK_OK(deliveryStatus());
  if (!flushed && !errors_.tolerates()) return flushed;
  return committed;
}

Status SourceRunner::loop() {
  const milliseconds interval = worker_->interval("offset.flush.interval.ms");
  auto next_commit = Clock::now() + interval;
  while (!stopping() && !task_->finished()) {
    MILLRACE_TRY(std::vector<SourceRecord> records, pollWithRetries());
    for (SourceRecord& record : records) MILLRACE_CHECK_OK(send(std::move(record)));
    MILLRACE_CHECK_OK(deliveryStatus());
    if (Clock::now() < next_commit) continue;
    MILLRACE_CHECK_OK(commit());
    next_commit = Clock::now() + interval;
  }
  if (stopping()) return {};
  return producer_->flush();  // finished: all of it, however long it takes
}

Result<std::vector<SourceRecord>> SourceRunner::pollWithRetries() {
  const milliseconds budget(connector_.config.getLong("errors.retry.timeout"));
  const milliseconds longest(connector_.config.getLong("errors.retry.delay.max.ms"));
  const auto began = Clock::now();
  for (milliseconds delay = std::min(kFirstRetry, longest);; delay = std::min(delay * 2, longest)) {
    Result<std::vector<SourceRecord>> records;
    {
      const InCall call(*this, "poll");
      records = guarded([this] { return task_->poll(); });
    }
    if (records || !isRetriable(records.error().code)) return records;
    const bool unlimited = budget.count() < 0;
    if (!unlimited && Clock::now() + delay > began + budget) {
      MILLRACE_CHECK_OK(errors_.handle(Stage::kPoll, records.error(), nullptr));
      return std::vector<SourceRecord>();
    }
    if (pauseFor(delay)) return std::vector<SourceRecord>();
  }
}

Result<ProducerRecord> SourceRunner::convert(SourceRecord& record) {
  ProducerRecord sent{.topic = std::move(record.topic), .partition = record.partition};
  auto key = key_converter_->fromConnect(record.key_schema, record.key);
  if (!key) return std::unexpected(Error{key.error().code, "key: " + key.error().detail});
  auto value = value_converter_->fromConnect(record.value_schema, record.value);
  if (!value) return std::unexpected(Error{value.error().code, "value: " + value.error().detail});
  sent.key = std::move(*key);
  sent.value = std::move(*value);
  sent.timestamp = record.timestamp;
  for (const RecordHeader& header : record.headers) {
    MILLRACE_TRY(std::optional<Bytes> content,
                 value_converter_->fromConnect(header.schema, header.value));
    sent.headers.push_back({header.key, std::move(content)});
  }
  return sent;
}

Status SourceRunner::send(SourceRecord record) {
  Result<ProducerRecord> converted = convert(record);
  const auto ticket =
      delivery_->submitted.submit(record.source_partition, std::move(record.source_offset));
  if (!converted) {
    const Stage stage =
        converted.error().detail.starts_with("key") ? Stage::kKeyConverter : Stage::kValueConverter;
    MILLRACE_CHECK_OK(errors_.handle(stage, converted.error(), nullptr));
    delivery_->submitted.acknowledge(ticket);  // skipped
    return {};
  }
  MILLRACE_CHECK_OK(topics_->ensure(converted->topic));
  producer_->send(std::move(*converted), [delivery = delivery_, ticket,
                                          tolerates = errors_.tolerates()](const auto& result) {
    if (!result && !tolerates) {
      const std::lock_guard lock(delivery->mutex);
      if (delivery->failed) delivery->failed = std::unexpected(result.error());
      return;  // its offset and those behind it are never stored: a restart sends it again
    }
    if (result) delivery->acknowledged.fetch_add(1, std::memory_order_relaxed);
    delivery->submitted.acknowledge(ticket);
  });
  return {};
}

Status SourceRunner::deliveryStatus() {
  const std::lock_guard lock(delivery_->mutex);
  return delivery_->failed;
}

Status SourceRunner::commit() {
  for (const auto& [partition, offset] : delivery_->submitted.release()) {
    worker_->offsets->set(connector_.name, *partition, offset);
  }
  MILLRACE_CHECK_OK(worker_->offsets->flush());
  const InCall call(*this, "commit");
  return guarded([this] { return task_->commit(); });
}

}  // namespace millrace::connect
