#include "connect/sink_runner.h"

#include "base/log.h"

#include <boost/regex.hpp>

namespace millrace::connect {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
constexpr milliseconds kRetryPause{1000};
constexpr milliseconds kLongestPoll{1000};

RawRecord rawOf(const Record& record) {
  RawRecord raw{.topic = record.topic(),
                .partition = record.partition(),
                .offset = record.offset(),
                .timestamp = record.timestamp()};
  if (record.hasKey()) raw.key = Bytes(record.key());
  if (record.hasValue()) raw.value = Bytes(record.value());
  for (const HeaderView& header : record.headers()) {
    std::optional<Bytes> value;
    if (header.value) value = Bytes(*header.value);
    raw.headers.push_back({std::string(header.key), std::move(value)});
  }
  return raw;
}

std::vector<TopicPartition> toClient(const std::vector<TopicPartitionKey>& keys) {
  std::vector<TopicPartition> partitions;
  for (const auto& [topic, partition] : keys) partitions.push_back({topic, partition});
  return partitions;
}

std::vector<TopicPartitionKey> fromClient(const std::vector<TopicPartition>& partitions) {
  std::vector<TopicPartitionKey> keys;
  for (const TopicPartition& partition : partitions) {
    keys.emplace_back(partition.topic, partition.partition);
  }
  return keys;
}

}  // namespace

SinkRunner::SinkRunner(std::shared_ptr<const WorkerContext> worker, ConnectorConfig connector,
                       int task, std::unique_ptr<TaskSettings> settings)
    : TaskRunner(connector.name, task, worker->interval("task.call.timeout.ms")),
      worker_(std::move(worker)),
      connector_(std::move(connector)),
      settings_(std::move(settings)),
      task_(connector_.factory->make_sink()),
      errors_(connector_, task),
      id_(task) {}

void SinkRunner::seek(const TopicPartitionKey& partition, std::int64_t offset) {
  const Status moved = consumer_->seek({partition.first, partition.second}, offset);
  if (!moved) log("cannot seek: " + moved.error().toString());
  delivered_[partition] = offset;
}

void SinkRunner::pause(const std::vector<TopicPartitionKey>& partitions) {
  consumer_->pause(toClient(partitions));
}

void SinkRunner::resume(const std::vector<TopicPartitionKey>& partitions) {
  consumer_->resume(toClient(partitions));
}

bool SinkRunner::report(const SinkRecord& record, const Error& error) {
  if (!errors_.reports()) return false;
  for (const RawRecord& raw : batch_) {
    if (raw.offset != record.offset || raw.partition != record.partition ||
        raw.topic != record.topic) {
      continue;
    }
    return errors_.handle(Stage::kPut, error, &raw).has_value();
  }
  return false;
}

void SinkRunner::log(std::string_view message) { MILLRACE_LOG_INFO("{}: {}", name(), message); }

void SinkRunner::interrupt() {
  const std::lock_guard lock(life_mutex_);
  if (task_) task_->stop();
  if (consumer_) consumer_->wakeup();
}

void SinkRunner::release() {
  errors_.close();
  const std::lock_guard lock(life_mutex_);
  consumer_.reset();
  task_.reset();
}

Status SinkRunner::prepare() {
  MILLRACE_TRY(key_converter_, converterFor(connector_.config, worker_->config, "key"));
  MILLRACE_TRY(value_converter_, converterFor(connector_.config, worker_->config, "value"));
  MILLRACE_CHECK_OK(errors_.open(worker_->producerOptions(
      connector_, "connector-dlq-producer-" + connector_.name + "-" + std::to_string(id_))));
  MILLRACE_TRY(Consumer consumer, Consumer::create(worker_->consumerOptions(connector_, id_)));
  {
    const std::lock_guard lock(life_mutex_);
    consumer_.emplace(std::move(consumer));
  }
  {
    const InCall call(*this, "start");
    MILLRACE_CHECK_OK(guarded([this] { return task_->start(*settings_, *this); }));
  }
  return subscribe();
}

Status SinkRunner::subscribe() {
  RebalanceListener listener;
  listener.onAssigned = [this](const auto& partitions) { onAssigned(partitions); };
  listener.onRevoked = [this](const auto& partitions) { onRevoked(partitions, false); };
  listener.onLost = [this](const auto& partitions) { onRevoked(partitions, true); };
  const std::string& pattern = connector_.config.getString("topics.regex");
  if (pattern.empty()) {
    return consumer_->subscribe(connector_.config.getList("topics"), std::move(listener));
  }
  const boost::regex regex(pattern, boost::regex::perl | boost::regex::no_except);
  if (regex.status() != 0) return fail(Errc::kConfig, "topics.regex is no regular expression");
  const auto accepts = [regex](const std::string& topic) {
    return boost::regex_match(topic, regex);
  };
  return consumer_->subscribe(accepts, std::move(listener));
}

void SinkRunner::onAssigned(const std::vector<TopicPartition>& partitions) {
  const InCall call(*this, "open");
  const Status opened = guarded([&] { return task_->open(fromClient(partitions)); });
  if (!opened && callback_failed_) callback_failed_ = opened;
}

void SinkRunner::onRevoked(const std::vector<TopicPartition>& partitions, bool lost) {
  if (!lost) {
    const Status committed = commit();
    if (!committed) log("commit before a rebalance: " + committed.error().toString());
  }
  const InCall call(*this, "close");
  const Status closed = guarded([&] {
    task_->close(fromClient(partitions));
    return Status();
  });
  if (!closed && callback_failed_) callback_failed_ = closed;
  for (const TopicPartitionKey& key : fromClient(partitions)) {
    delivered_.erase(key);
    committed_.erase(key);
  }
}

Status SinkRunner::run() {
  MILLRACE_CHECK_OK(prepare());
  const Status looped = loop();
  // Also after an error: what was put is committed, so that a restart goes on behind it.
  const Status committed = commit();
  const Status closed = consumer_->close(worker_->interval("task.shutdown.graceful.timeout.ms"));
  if (!looped) return looped;
  MILLRACE_CHECK_OK(committed);
  return closed;
}

Status SinkRunner::loop() {
  const milliseconds interval = worker_->interval("offset.flush.interval.ms");
  auto next_commit = Clock::now() + interval;
  while (!stopping()) {
    const auto left = std::chrono::ceil<milliseconds>(next_commit - Clock::now());
    const ConsumerRecords polled = consumer_->poll(std::clamp(left, milliseconds(0), kLongestPoll));
    MILLRACE_CHECK_OK(callback_failed_);
    if (!polled.ok()) {
      MILLRACE_CHECK_OK(errors_.handle(Stage::kConsume, polled.error(), nullptr));
      continue;
    }
    if (!polled.empty()) MILLRACE_CHECK_OK(deliver(polled));
    if (Clock::now() < next_commit && !commit_requested_) continue;
    commit_requested_ = false;
    const Status committed = commit();
    if (!committed)
      log("offsets were not committed, the next time will tell: " + committed.error().toString());
    next_commit = Clock::now() + interval;
  }
  return {};
}

Result<std::optional<SinkRecord>> SinkRunner::convert(const RawRecord& raw) {
  SinkRecord record{.topic = raw.topic, .partition = raw.partition, .offset = raw.offset};
  auto key = key_converter_->toConnect(raw.key);
  if (!key) {
    MILLRACE_CHECK_OK(errors_.handle(Stage::kKeyConverter, key.error(), &raw));
    return std::nullopt;
  }
  auto value = value_converter_->toConnect(raw.value);
  if (!value) {
    MILLRACE_CHECK_OK(errors_.handle(Stage::kValueConverter, value.error(), &raw));
    return std::nullopt;
  }
  record.key_schema = std::move(key->schema);
  record.key = std::move(key->value);
  record.value_schema = std::move(value->schema);
  record.value = std::move(value->value);
  if (raw.timestamp >= 0) record.timestamp = raw.timestamp;
  for (const Header& header : raw.headers) {
    record.headers.push_back(
        {header.key, optionalBytesSchema(), header.value ? Value(Blob{*header.value}) : Value()});
  }
  return record;
}

Status SinkRunner::deliver(const ConsumerRecords& polled) {
  batch_.clear();
  std::vector<SinkRecord> records;
  SinkOffsets next;
  for (const Record& record : polled) {
    batch_.push_back(rawOf(record));
    MILLRACE_TRY(std::optional<SinkRecord> converted, convert(batch_.back()));
    if (converted) records.push_back(std::move(*converted));
    next[{record.topic(), record.partition()}] = record.offset() + 1;
  }
  if (!records.empty()) MILLRACE_CHECK_OK(putWithRetries(records));
  for (const auto& [partition, offset] : next) delivered_[partition] = offset;
  put_.fetch_add(records.size());
  return {};
}

Status SinkRunner::putWithRetries(const std::vector<SinkRecord>& records) {
  const auto put = [&] {
    const InCall call(*this, "put");
    return guarded([&] { return task_->put(records); });
  };
  Status done = put();
  if (done || !isRetriable(done.error().code)) return done;
  // The consumer stays in its group while the sink cannot take records: polling with everything
  // paused keeps it alive.
  const std::set<TopicPartition> all = consumer_->assignment();
  const std::vector<TopicPartition> assigned(all.begin(), all.end());
  consumer_->pause(assigned);
  while (!done && isRetriable(done.error().code) && !stopping()) {
    log("the sink asks to try again: " + done.error().toString());
    if (pauseFor(kRetryPause)) break;
    const ConsumerRecords none = consumer_->poll(milliseconds(0));
    if (!none.ok()) return fail(none.error().code, none.error().detail);
    done = put();
  }
  consumer_->resume(assigned);
  return done;
}

Status SinkRunner::commit() {
  if (delivered_ == committed_) return {};
  Result<SinkOffsets> safe;
  {
    const InCall call(*this, "preCommit");
    safe = guarded([this] { return task_->preCommit(delivered_); });
  }
  if (!safe) return std::unexpected(safe.error());
  CommitOffsets offsets;
  for (const auto& [partition, offset] : *safe) {
    offsets[{partition.first, partition.second}] = {.offset = offset};
  }
  if (offsets.empty()) return {};
  MILLRACE_CHECK_OK(consumer_->commitSync(offsets, worker_->interval("offset.flush.timeout.ms")));
  committed_ = delivered_;
  return {};
}

}  // namespace millrace::connect
