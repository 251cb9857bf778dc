// The consumer: assigned by hand or by its group, prefetching in the background.
#pragma once

#include "client/assignor.h"
#include "client/record.h"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>

namespace millrace {

namespace client {
class Transport;
class ConsumerCore;
}  // namespace client

/// The common options; any other key of Kafka's consumer goes into `properties` (text, as in a
/// file), which wins over the fields. Unknown keys are warned about.
struct ConsumerOptions {
  std::string bootstrapServers = {};  ///< "host:port,host:port"
  std::string groupId = {};           ///< empty: no group, no commits
  std::string clientId = {};
  std::optional<std::string> groupInstanceId = std::nullopt;  ///< static membership (KIP-345)
  std::optional<std::string> autoOffsetReset =
      std::nullopt;  ///< latest (default), earliest, none, by_duration:PT1H
  std::optional<bool> autoCommit = std::nullopt;              ///< default true with a group
  std::optional<std::int32_t> maxPollRecords = std::nullopt;  ///< default 500
  /// Names in order of preference: range, cooperative-sticky, roundrobin, sticky; or Kafka's class
  /// names.
  std::vector<std::string> assignors = {};
  std::map<std::string, std::string> properties = {};
  /// Instead of the named ones: an assignor of one's own (streams). Called on the thread that
  /// polls.
  std::shared_ptr<client::GroupAssignor> customAssignor = {};
  /// Instead of bootstrapServers: a way that does not need a socket (Broker::transport()).
  std::shared_ptr<client::Transport> transport = {};
};

/// Told of changes of the assignment, on the thread that polls (or closes), inside that call.
/// Commits are allowed in it.
struct RebalanceListener {
  std::function<void(const std::vector<TopicPartition>&)> onAssigned = {};
  /// Before the partitions go: the last moment to commit them.
  std::function<void(const std::vector<TopicPartition>&)> onRevoked = {};
  /// They are gone already (the member was thrown out). Unset: onRevoked is called.
  std::function<void(const std::vector<TopicPartition>&)> onLost = {};
};

/// What a transactional producer needs to commit this consumer's offsets.
struct ConsumerGroupMetadata {
  std::string group_id;
  std::int32_t generation = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id = std::nullopt;
};

struct PartitionInfo {
  TopicPartition partition;
  std::int32_t leader = -1;  ///< -1: none now
  std::vector<std::int32_t> replicas;
  std::vector<std::int32_t> in_sync_replicas;
};

using CommitOffsets = std::map<TopicPartition, OffsetAndMetadata>;
using CommitCallback = std::function<void(const Status&, const CommitOffsets&)>;

/// One thread at a time may use a consumer (only wakeup() may come from another). Fetching,
/// heartbeats and connections go on without the caller, on a thread of its own, so that a slow
/// caller stays in its group for max.poll.interval.ms. Coroutine forms: client/async.h.
class Consumer {
 public:
  using Duration = std::chrono::milliseconds;
  static constexpr Duration kDefaultTimeout{-1};  ///< default.api.timeout.ms

  /// Throws std::invalid_argument where a configuration value is wrong; connects in the background.
  explicit Consumer(ConsumerOptions options);
  /// The same without exceptions: kConfig names the key.
  [[nodiscard]] static Result<Consumer> create(ConsumerOptions options);
  Consumer(Consumer&&) noexcept;
  Consumer& operator=(Consumer&&) noexcept;
  ~Consumer();

  /// Replaces the subscription; joins the group at the next poll. Errors: kState after assign,
  /// without a group.
  Status subscribe(std::vector<std::string> topics, RebalanceListener listener = {});
  /// All topics that the predicate accepts, looked up again at each metadata refresh.
  Status subscribe(std::function<bool(const std::string&)> accepts,
                   RebalanceListener listener = {});
  /// Takes partitions by hand, without the group's coordination (commits still work). Replaces.
  Status assign(std::vector<TopicPartition> partitions);
  /// Leaves the group, drops the assignment.
  Status unsubscribe();

  /// Records from where the positions stand; waits for the first one until the timeout. Runs
  /// rebalance listeners and commit callbacks. Empty after the timeout or wakeup(). An error says
  /// that the consumer needs the caller (e.g. NO_OFFSET_FOR_PARTITION as kNotFound,
  /// TOPIC_AUTHORIZATION_FAILED, FENCED_INSTANCE_ID).
  ConsumerRecords poll(Duration timeout);
  /// Makes the poll that runs, or else the next one, return at once. From any thread.
  void wakeup();

  Status seek(const TopicPartition& partition, std::int64_t offset);
  Status seek(const TopicPartition& partition, const OffsetAndMetadata& position);
  /// Lazy, as in Kafka: looked up at the next poll or position(). Empty: all assigned.
  Status seekToBeginning(const std::vector<TopicPartition>& partitions = {});
  Status seekToEnd(const std::vector<TopicPartition>& partitions = {});
  /// Offset of the next record that poll will return.
  [[nodiscard]] Result<std::int64_t> position(const TopicPartition& partition,
                                              Duration timeout = kDefaultTimeout);
  /// nullopt where the group has committed nothing.
  [[nodiscard]] Result<std::map<TopicPartition, std::optional<OffsetAndMetadata>>> committed(
      const std::vector<TopicPartition>& partitions, Duration timeout = kDefaultTimeout);
  /// nullopt where no record is that young.
  [[nodiscard]] Result<std::map<TopicPartition, std::optional<OffsetAndTimestamp>>> offsetsForTimes(
      const std::map<TopicPartition, Millis>& times, Duration timeout = kDefaultTimeout);
  [[nodiscard]] Result<std::map<TopicPartition, std::int64_t>> beginningOffsets(
      const std::vector<TopicPartition>& partitions, Duration timeout = kDefaultTimeout);
  /// The high watermark (or last stable offset with isolation.level=read_committed).
  [[nodiscard]] Result<std::map<TopicPartition, std::int64_t>> endOffsets(
      const std::vector<TopicPartition>& partitions, Duration timeout = kDefaultTimeout);
  /// End of the log as of the last fetch, minus position; nullopt before the first fetch.
  [[nodiscard]] std::optional<std::int64_t> currentLag(const TopicPartition& partition) const;

  /// Commits the positions of all assigned partitions and waits.
  Status commitSync(Duration timeout = kDefaultTimeout);
  Status commitSync(const CommitOffsets& offsets, Duration timeout = kDefaultTimeout);
  /// Commits without waiting; the callback runs in a later poll, commitSync or close. Not retried.
  void commitAsync(CommitCallback callback = {});
  void commitAsync(const CommitOffsets& offsets, CommitCallback callback = {});

  void pause(const std::vector<TopicPartition>& partitions);
  void resume(const std::vector<TopicPartition>& partitions);
  [[nodiscard]] std::set<TopicPartition> paused() const;
  [[nodiscard]] std::set<TopicPartition> assignment() const;
  [[nodiscard]] std::set<std::string> subscription() const;
  [[nodiscard]] ConsumerGroupMetadata groupMetadata() const;
  /// Rejoins the group at the next poll.
  void enforceRebalance();

  /// Empty where the topic does not exist.
  [[nodiscard]] Result<std::vector<PartitionInfo>> partitionsFor(
      const std::string& topic, Duration timeout = kDefaultTimeout);
  [[nodiscard]] Result<std::map<std::string, std::vector<PartitionInfo>>> listTopics(
      Duration timeout = kDefaultTimeout);

  /// Commits (with auto-commit), leaves the group unless static, closes. Idempotent; the destructor
  /// does it too.
  Status close(Duration timeout = std::chrono::seconds(30));

 private:
  explicit Consumer(std::shared_ptr<client::ConsumerCore> core);
  std::shared_ptr<client::ConsumerCore> core_;
};

}  // namespace millrace
