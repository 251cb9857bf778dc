#include "client/consumer_core.h"

#include "base/log.h"
#include "client/cluster_queries.h"

#include <fmt/format.h>

namespace millrace::client {
namespace {

Positions::Options positionOptions(const Config& c, ResetPolicy reset) {
  Positions::Options o;
  o.reset = reset;
  o.partition_max_bytes = c.getInt("max.partition.fetch.bytes");
  o.read_committed = c.getString("isolation.level") == "read_committed";
  return o;
}

GroupMembership::Options membershipOptions(const Config& c) {
  GroupMembership::Options o;
  o.group = c.getString("group.id");
  if (!c.getString("group.instance.id").empty()) o.instance_id = c.getString("group.instance.id");
  o.session_timeout_ms = c.getInt("session.timeout.ms");
  o.heartbeat_ms = c.getInt("heartbeat.interval.ms");
  o.max_poll_interval_ms = c.getInt("max.poll.interval.ms");
  o.retry_backoff_ms = c.getLong("retry.backoff.ms");
  return o;
}

}  // namespace

Result<std::shared_ptr<ConsumerCore>> ConsumerCore::make(ConsumerOptions options) {
  MILLRACE_TRY(ClientConfig config, parseConsumerConfig(options));
  MILLRACE_TRY(const ResetPolicy reset,
               parseResetPolicy(config.values.getString("auto.offset.reset")));
  std::vector<std::shared_ptr<GroupAssignor>> assignors;
  if (options.customAssignor) {
    assignors.push_back(options.customAssignor);
  } else {
    for (const std::string& name : config.values.getList("partition.assignment.strategy")) {
      MILLRACE_TRY(auto assignor, makeAssignor(name));
      assignors.push_back(std::move(assignor));
    }
  }
  auto core = std::make_shared<ConsumerCore>(std::move(config), std::move(options), reset,
                                             std::move(assignors));
  core->start();
  return core;
}

ConsumerCore::ConsumerCore(ClientConfig config, ConsumerOptions options, ResetPolicy reset,
                           std::vector<std::shared_ptr<GroupAssignor>> assignors)
    : config_(std::move(config)),
      group_(config_.values.getString("group.id")),
      auto_commit_(!group_.empty() && config_.values.getBool("enable.auto.commit")),
      auto_commit_interval_ms_(config_.values.getInt("auto.commit.interval.ms")),
      max_poll_records_(static_cast<std::size_t>(config_.values.getInt("max.poll.records"))),
      assignors_(std::move(assignors)),
      base_(config_.common, std::move(options.transport),
            config_.values.getBool("allow.auto.create.topics")),
      positions_(positionOptions(config_.values, reset)),
      membership_(membershipOptions(config_.values)) {}

void ConsumerCore::start() {
  base_.metadata->onUpdate([weak = weak_from_this()](const MetadataService::ImagePtr& image) {
    const auto self = weak.lock();
    if (!self) return;
    {
      const std::lock_guard lock(self->mutex_);
      if (self->closed_) return;
      self->onMetadata(*image);
    }
    self->tellCaller();
  });
}

ConsumerCore::TimePoint ConsumerCore::deadlineOf(Duration timeout) const {
  if (timeout < Duration::zero()) timeout = Duration(config_.common.api_timeout_ms);
  const auto now = std::chrono::steady_clock::now();
  // Keeps "forever" from overflowing.
  if (timeout > std::chrono::hours(24 * 365)) timeout = std::chrono::hours(24 * 365);
  return now + timeout;
}

void ConsumerCore::waitChange(Lock& lock, TimePoint deadline) {
  // Back-offs (join, offsets, coordinator) end without an event: look again soon where one may run.
  bool pending = subscribed_ && (membership_.needsToJoin() || !coordinator_);
  for (const auto& [tp, p] : positions_.all()) pending |= !p.offset || p.not_before_ms > 0;
  for (const auto& [node, fetch] : fetches_) pending |= fetch.not_before_ms > 0;
  const auto step = pending ? Duration(50) : Duration(1000);
  deadline = std::min(deadline, std::chrono::steady_clock::now() + step);
  // Claimed under the lock: what changes from here on ends the wait.
  if (!base_.runtime->claim()) {
    changed_.wait_until(lock, deadline);
    return;
  }
  lock.unlock();
  base_.runtime->runClaimed(deadline);
  lock.lock();
}

void ConsumerCore::pause(Lock& lock, Duration duration) {
  const TimePoint until = std::chrono::steady_clock::now() + duration;
  while (!closed_ && std::chrono::steady_clock::now() < until) waitChange(lock, until);
}

Result<Reply> ConsumerCore::askGroup(Lock& lock, NodeId node, Call call) {
  auto answer = std::make_shared<std::optional<Result<Reply>>>();
  auto take = [answer](ConsumerCore&, Result<Reply> reply) { *answer = std::move(reply); };
  call.to_coordinator = true;
  base_.transport->call(node, std::move(call), guarded(std::move(take)));
  while (!*answer) waitChange(lock, deadlineOf(Duration::max()));
  return std::move(**answer);
}

void ConsumerCore::tellCaller() {
  changed_.notify_all();
  base_.runtime->tellCaller();
}

std::optional<Error> ConsumerCore::takeError() {
  if (error_) return std::exchange(error_, std::nullopt);
  for (auto& [tp, p] : positions_.all()) {
    if (p.error && p.prefetched.empty()) return *p.error;
  }
  return std::nullopt;
}

void ConsumerCore::onMetadata(const ClusterImage& image) {
  if (accepts_) {
    std::set<std::string> fresh;
    for (const auto& topic : image.topics) {
      const bool usable = topic->error == Errc::kNone && !topic->internal;
      if (usable && accepts_(topic->name)) fresh.insert(topic->name);
    }
    if (fresh != topics_) {
      topics_ = std::move(fresh);
      membership_.requestRejoin();
    }
  }
  for (const std::string& name : topics_) {
    const TopicMeta* const found = image.topics.find(name);
    if (found == nullptr) continue;
    const Errc code = found->error;
    if (code == Errc::kTopicAuthorizationFailed || code == Errc::kInvalidTopicException) {
      error_ = Error{code, fmt::format("topic {}: {}", name, errorMessage(code))};
    }
  }
  if (membership_.isLeader() && membership_.state() == GroupMembership::State::kStable) {
    for (const auto& [name, count] : group_topics_) {
      const TopicMeta* topic = image.topic(name);
      const auto now = topic == nullptr ? 0 : static_cast<std::int32_t>(topic->partitions.size());
      if (now != count) membership_.requestRejoin();
    }
  }
  sendFetches();
}

Status ConsumerCore::subscribe(std::set<std::string> topics,
                               std::function<bool(const std::string&)> accepts,
                               RebalanceListener listener) {
  if (group_.empty()) return fail(Errc::kState, "subscribe needs a group.id; or use assign");
  const std::lock_guard lock(mutex_);
  if (closed_) return fail(Errc::kClosed, "the consumer is closed");
  if (!subscribed_ && !positions_.all().empty()) {
    return fail(Errc::kState, "partitions were assigned by hand: unsubscribe first");
  }
  const bool first = !subscribed_;
  const bool changed = topics != topics_ || accepts;
  subscribed_ = true;
  topics_ = std::move(topics);
  accepts_ = std::move(accepts);
  listener_ = std::move(listener);
  if (accepts_) {
    base_.metadata->setAllTopics();
  } else {
    base_.metadata->setTopics(topics_);
  }
  if (first) membership_.polled(systemClock().monotonicMs());
  if (changed) membership_.requestRejoin();
  return {};
}

Status ConsumerCore::assign(std::vector<TopicPartition> partitions) {
  const std::lock_guard lock(mutex_);
  if (closed_) return fail(Errc::kClosed, "the consumer is closed");
  if (subscribed_) return fail(Errc::kState, "the consumer is subscribed: unsubscribe first");
  std::set<std::string> topics;
  for (const TopicPartition& tp : partitions) topics.insert(tp.topic);
  positions_.assign(partitions);
  base_.metadata->setTopics(std::move(topics));
  sendFetches();
  return {};
}

Status ConsumerCore::unsubscribe() {
  Lock lock(mutex_);
  if (closed_) return fail(Errc::kClosed, "the consumer is closed");
  if (subscribed_) {
    autoCommitNow(lock, Duration(config_.common.request_timeout_ms));
    const auto mine = owned();
    if (!mine.empty()) revoke(lock, mine);
    if (membership_.generation() >= 0 || !membership_.memberId().empty()) {
      sendLeave(membership_.memberId());
    }
    membership_.left();
  }
  subscribed_ = false;
  accepts_ = {};
  topics_.clear();
  prepared_ = false;
  pending_assignment_.reset();
  positions_.assign({});
  return {};
}

void ConsumerCore::runCommitCallbacks(Lock& lock) {
  while (!done_commits_.empty()) {
    const std::function<void()> callback = std::move(done_commits_.front());
    done_commits_.pop_front();
    lock.unlock();
    callback();
    lock.lock();
  }
}

ConsumerRecords ConsumerCore::poll(Duration timeout) {
  const TimePoint deadline = deadlineOf(std::max(timeout, Duration::zero()));
  Lock lock(mutex_);
  if (closed_) return ConsumerRecords(Error{Errc::kClosed, "the consumer is closed"});
  if (!subscribed_ && positions_.all().empty()) {
    return ConsumerRecords(Error{Errc::kState, "nothing to poll: subscribe or assign first"});
  }
  membership_.polled(systemClock().monotonicMs());
  autoCommitIfDue();
  for (;;) {
    runCommitCallbacks(lock);
    if (subscribed_) {
      const Status status = coordinate(lock);
      if (!status) return ConsumerRecords(status.error());
    }
    if (auto error = takeError()) return ConsumerRecords(std::move(*error));
    const Status positioned = updatePositions();
    if (!positioned) return ConsumerRecords(positioned.error());
    auto slices = positions_.collect(max_poll_records_);
    sendFetches();
    if (!slices.empty()) return ConsumerRecords(std::move(slices));
    if (std::exchange(wakeup_, false)) return {};
    if (std::chrono::steady_clock::now() >= deadline) return {};
    waitChange(lock, deadline);
  }
}

void ConsumerCore::wakeup() {
  {
    const std::lock_guard lock(mutex_);
    wakeup_ = true;
  }
  tellCaller();
}

void ConsumerCore::setPaused(const std::vector<TopicPartition>& partitions, bool paused) {
  const std::lock_guard lock(mutex_);
  for (const TopicPartition& tp : partitions) {
    if (PartitionPosition* p = positions_.find(tp)) p->paused = paused;
  }
  if (!paused && !closed_) sendFetches();
}

Status ConsumerCore::close(Duration timeout) {
  Status status;
  {
    Lock lock(mutex_);
    if (closed_) return {};
    const TimePoint deadline = deadlineOf(timeout);
    if (auto_commit_ && !positions_.committable().empty()) {
      lock.unlock();
      status = commitSync(std::nullopt, std::chrono::duration_cast<Duration>(
                                            deadline - std::chrono::steady_clock::now()));
      lock.lock();
    }
    while (commits_in_flight_ > 0 && std::chrono::steady_clock::now() < deadline) {
      waitChange(lock, deadline);
    }
    runCommitCallbacks(lock);
    if (subscribed_) {
      const auto mine = owned();
      if (!mine.empty()) revoke(lock, mine);
      if (leavesOnClose() && !membership_.memberId().empty()) sendLeave(membership_.memberId());
    }
    // Without the answer the member might stay in the group until its session ends.
    while (leaving_ && std::chrono::steady_clock::now() < deadline) waitChange(lock, deadline);
    closed_ = true;
  }
  tellCaller();
  base_.shutdown();
  return status;
}

/// Static members stay, and so does who asks for it with Kafka's internal key (as Kafka Streams
/// does).
bool ConsumerCore::leavesOnClose() const {
  const auto& given = config_.values.originals();
  const auto it = given.find("internal.leave.group.on.close");
  return !membership_.options().instance_id && (it == given.end() || it->second != "false");
}

std::set<TopicPartition> ConsumerCore::assignment() const {
  const std::lock_guard lock(mutex_);
  std::set<TopicPartition> out;
  for (const auto& [tp, p] : positions_.all()) out.insert(tp);
  return out;
}

std::set<TopicPartition> ConsumerCore::paused() const {
  const std::lock_guard lock(mutex_);
  std::set<TopicPartition> out;
  for (const auto& [tp, p] : positions_.all()) {
    if (p.paused) out.insert(tp);
  }
  return out;
}

std::set<std::string> ConsumerCore::subscription() const {
  const std::lock_guard lock(mutex_);
  return topics_;
}

ConsumerGroupMetadata ConsumerCore::groupMetadata() const {
  const std::lock_guard lock(mutex_);
  return ConsumerGroupMetadata{group_, membership_.generation(), membership_.memberId(),
                               membership_.options().instance_id};
}

void ConsumerCore::enforceRebalance() {
  const std::lock_guard lock(mutex_);
  membership_.requestRejoin();
}

}  // namespace millrace::client
