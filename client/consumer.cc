#include "client/consumer.h"

#include "base/log.h"
#include "client/consumer_core.h"

#include <stdexcept>

namespace millrace {

Result<Consumer> Consumer::create(ConsumerOptions options) {
  MILLRACE_TRY(auto core, client::ConsumerCore::make(std::move(options)));
  return Consumer(std::move(core));
}

Consumer::Consumer(ConsumerOptions options) {
  auto made = create(std::move(options));
  if (!made) throw std::invalid_argument(made.error().toString());
  *this = std::move(*made);
}

Consumer::Consumer(std::shared_ptr<client::ConsumerCore> core) : core_(std::move(core)) {}
Consumer::Consumer(Consumer&&) noexcept = default;
Consumer& Consumer::operator=(Consumer&&) noexcept = default;
Consumer::~Consumer() {
  if (!core_) return;
  const Status closed = core_->close(std::chrono::seconds(30));
  if (!closed) MILLRACE_LOG_WARN("consumer closed: {}", closed.error().toString());
}

Status Consumer::subscribe(std::vector<std::string> topics, RebalanceListener listener) {
  return core_->subscribe(std::set<std::string>(topics.begin(), topics.end()), {},
                          std::move(listener));
}
Status Consumer::subscribe(std::function<bool(const std::string&)> accepts,
                           RebalanceListener listener) {
  return core_->subscribe({}, std::move(accepts), std::move(listener));
}
Status Consumer::assign(std::vector<TopicPartition> partitions) {
  return core_->assign(std::move(partitions));
}
Status Consumer::unsubscribe() { return core_->unsubscribe(); }

ConsumerRecords Consumer::poll(Duration timeout) { return core_->poll(timeout); }
void Consumer::wakeup() { core_->wakeup(); }

Status Consumer::seek(const TopicPartition& partition, std::int64_t offset) {
  return core_->seek(partition, offset, -1);
}
Status Consumer::seek(const TopicPartition& partition, const OffsetAndMetadata& position) {
  return core_->seek(partition, position.offset, position.leader_epoch.value_or(-1));
}
Status Consumer::seekToBeginning(const std::vector<TopicPartition>& partitions) {
  return core_->seekToTimestamp(partitions, -2);
}
Status Consumer::seekToEnd(const std::vector<TopicPartition>& partitions) {
  return core_->seekToTimestamp(partitions, -1);
}
Result<std::int64_t> Consumer::position(const TopicPartition& partition, Duration timeout) {
  return core_->position(partition, timeout);
}
Result<std::map<TopicPartition, std::optional<OffsetAndMetadata>>> Consumer::committed(
    const std::vector<TopicPartition>& partitions, Duration timeout) {
  return core_->committed(partitions, timeout);
}
Result<std::map<TopicPartition, std::optional<OffsetAndTimestamp>>> Consumer::offsetsForTimes(
    const std::map<TopicPartition, Millis>& times, Duration timeout) {
  for (const auto& [tp, time] : times) {
    if (time < 0) return fail(Errc::kInvalidRequest, "offsetsForTimes: a timestamp is negative");
  }
  return core_->lookup(times, timeout);
}

namespace {
Result<std::map<TopicPartition, std::int64_t>> endsOf(client::ConsumerCore& core,
                                                      const std::vector<TopicPartition>& partitions,
                                                      std::int64_t spec,
                                                      Consumer::Duration timeout) {
  std::map<TopicPartition, std::int64_t> specs;
  for (const TopicPartition& tp : partitions) specs[tp] = spec;
  MILLRACE_TRY(const auto found, core.lookup(specs, timeout));
  std::map<TopicPartition, std::int64_t> out;
  for (const auto& [tp, at] : found) out[tp] = at ? at->offset : 0;
  return out;
}
}  // namespace

Result<std::map<TopicPartition, std::int64_t>> Consumer::beginningOffsets(
    const std::vector<TopicPartition>& partitions, Duration timeout) {
  return endsOf(*core_, partitions, -2, timeout);
}
Result<std::map<TopicPartition, std::int64_t>> Consumer::endOffsets(
    const std::vector<TopicPartition>& partitions, Duration timeout) {
  return endsOf(*core_, partitions, -1, timeout);
}
std::optional<std::int64_t> Consumer::currentLag(const TopicPartition& partition) const {
  return core_->currentLag(partition);
}

Status Consumer::commitSync(Duration timeout) { return core_->commitSync(std::nullopt, timeout); }
Status Consumer::commitSync(const CommitOffsets& offsets, Duration timeout) {
  return core_->commitSync(offsets, timeout);
}
void Consumer::commitAsync(CommitCallback callback) {
  core_->commitAsync(std::nullopt, std::move(callback));
}
void Consumer::commitAsync(const CommitOffsets& offsets, CommitCallback callback) {
  core_->commitAsync(offsets, std::move(callback));
}

void Consumer::pause(const std::vector<TopicPartition>& partitions) {
  core_->setPaused(partitions, true);
}
void Consumer::resume(const std::vector<TopicPartition>& partitions) {
  core_->setPaused(partitions, false);
}
std::set<TopicPartition> Consumer::paused() const { return core_->paused(); }
std::set<TopicPartition> Consumer::assignment() const { return core_->assignment(); }
std::set<std::string> Consumer::subscription() const { return core_->subscription(); }
ConsumerGroupMetadata Consumer::groupMetadata() const { return core_->groupMetadata(); }
void Consumer::enforceRebalance() { core_->enforceRebalance(); }

Result<std::vector<PartitionInfo>> Consumer::partitionsFor(const std::string& topic,
                                                           Duration timeout) {
  MILLRACE_TRY(auto found, core_->topics(std::vector<std::string>{topic}, timeout));
  return std::move(found[topic]);
}
Result<std::map<std::string, std::vector<PartitionInfo>>> Consumer::listTopics(Duration timeout) {
  return core_->topics(std::nullopt, timeout);
}

Status Consumer::close(Duration timeout) { return core_->close(timeout); }

}  // namespace millrace
