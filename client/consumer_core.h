// The consumer behind client/consumer.h. One mutex guards everything; the caller's thread and
// answers from the transport (on its threads) both act under it. A caller that waits runs the
// client's event loop itself, so that an answer needs no second thread to reach it; where it
// cannot, a condition variable wakes it. User code never runs under the mutex.
#pragma once

#include "client/client_config.h"
#include "client/consumer.h"
#include "client/group_membership.h"
#include "client/positions.h"
#include "client/requests.h"
#include "client/runtime.h"

#include <condition_variable>
#include <list>
#include <mutex>

namespace millrace::client {

class ConsumerCore : public std::enable_shared_from_this<ConsumerCore> {
 public:
  using Duration = std::chrono::milliseconds;
  using TimePoint = std::chrono::steady_clock::time_point;
  using Lock = std::unique_lock<std::mutex>;

  static Result<std::shared_ptr<ConsumerCore>> make(ConsumerOptions options);
  ConsumerCore(ClientConfig config, ConsumerOptions options, ResetPolicy reset,
               std::vector<std::shared_ptr<GroupAssignor>> assignors);

  // consumer_core.cc
  Status subscribe(std::set<std::string> topics, std::function<bool(const std::string&)> accepts,
                   RebalanceListener listener);
  Status assign(std::vector<TopicPartition> partitions);
  Status unsubscribe();
  ConsumerRecords poll(Duration timeout);
  void wakeup();
  void setPaused(const std::vector<TopicPartition>& partitions, bool paused);
  Status close(Duration timeout);
  std::set<TopicPartition> assignment() const;
  std::set<TopicPartition> paused() const;
  std::set<std::string> subscription() const;
  ConsumerGroupMetadata groupMetadata() const;
  void enforceRebalance();

  // consumer_positions.cc
  Status seek(const TopicPartition& tp, std::int64_t offset, std::int32_t epoch);
  Status seekToTimestamp(const std::vector<TopicPartition>& partitions, std::int64_t timestamp);
  Result<std::int64_t> position(const TopicPartition& tp, Duration timeout);
  std::optional<std::int64_t> currentLag(const TopicPartition& tp) const;
  Result<std::map<TopicPartition, std::optional<OffsetAndTimestamp>>> lookup(
      const std::map<TopicPartition, std::int64_t>& timestamps, Duration timeout);
  Result<std::map<std::string, std::vector<PartitionInfo>>> topics(
      std::optional<std::vector<std::string>> names, Duration timeout);

  // consumer_commit.cc
  Result<std::map<TopicPartition, std::optional<OffsetAndMetadata>>> committed(
      const std::vector<TopicPartition>& partitions, Duration timeout);
  Status commitSync(const std::optional<CommitOffsets>& offsets, Duration timeout);
  void commitAsync(const std::optional<CommitOffsets>& offsets, CommitCallback callback);

 private:
  struct NodeFetch {
    FetchSession session;
    bool in_flight = false;
    Millis not_before_ms = 0;
  };
  struct AskedFetch;
  struct FetchedPartition;
  struct PendingCommit {
    CommitOffsets offsets;
    CommitCallback callback;
  };
  struct GroupMemberInfo {
    std::string id;
    MemberSubscription subscription;
  };

  // consumer_core.cc
  void start();
  TimePoint deadlineOf(Duration timeout) const;
  /// Lets go of the lock until something may have changed, or until `deadline`. Runs the handlers
  /// of the client's runtime meanwhile, where it can.
  void waitChange(Lock& lock, TimePoint deadline);
  /// Waits out a back-off, without deaf ears.
  void pause(Lock& lock, Duration duration);
  /// Sends to the group's coordinator, which is `node`, and waits for the answer.
  Result<Reply> askGroup(Lock& lock, NodeId node, Call call);
  /// After each change that a waiting caller may look for. Not under the lock.
  void tellCaller();
  std::optional<Error> takeError();
  void onMetadata(const ClusterImage& image);
  void runCommitCallbacks(Lock& lock);
  bool leavesOnClose() const;
  /// A transport callback that locks, calls `handle(core, reply)` and wakes the caller's thread.
  template <class Handle>
  Done guarded(Handle handle) {
    return [weak = weak_from_this(), handle = std::move(handle)](Result<Reply> reply) mutable {
      const auto self = weak.lock();
      if (!self) return;
      {
        const std::lock_guard lock(self->mutex_);
        if (self->closed_) return;
        handle(*self, std::move(reply));
      }
      self->tellCaller();
    };
  }

  // consumer_group.cc
  /// To the coordinator, which is known.
  void callCoordinator(Call call, Done done);
  Status coordinate(Lock& lock);
  void askCoordinator();
  void onCoordinator(Result<Reply> reply);
  void coordinatorLost();
  void onLost(Lock& lock);
  void prepareJoin(Lock& lock);
  void sendJoin();
  void onJoin(Result<Reply> reply);
  Status runAssignor(Lock& lock);
  Result<AssignableTopics> assignableTopics(bool& complete);
  void sendSync(const GroupAssignment& assignment);
  void onSync(Result<Reply> reply);
  Status applyAssignment(Lock& lock);
  void follow(GroupMembership::Step step);
  void onHeartbeatTimer();
  void sendHeartbeat();
  void sendLeave(const std::string& member_id);
  void startHeartbeats();
  void revoke(Lock& lock, const std::vector<TopicPartition>& partitions);
  bool isCooperative() const;
  GroupAssignor* chosenAssignor() const;
  std::vector<TopicPartition> owned() const;

  // consumer_fetch.cc
  void sendFetches();
  void sendFetch(NodeId node, NodeFetch& fetch, const FetchWishes& wishes);
  void onFetchAnswer(const std::shared_ptr<AskedFetch>& asked, Result<Reply> reply);
  std::vector<FetchedPartition> decodeAnswer(const AskedFetch& asked,
                                             const std::shared_ptr<Reply>& reply);
  void applyFetch(FetchedPartition fetched);
  void onFetchError(const TopicPartition& tp, PartitionPosition& p, Errc code);

  // consumer_positions.cc
  Status updatePositions();
  void askCommitted(const std::vector<TopicPartition>& partitions);
  void onCommitted(const std::map<TopicPartition, std::uint64_t>& asked, Result<Reply> reply);
  void askOffsets(const std::vector<TopicPartition>& partitions);
  void onOffsets(const std::map<TopicPartition, std::uint64_t>& asked, Result<Reply> reply);

  // consumer_commit.cc
  Result<NodeId> waitCoordinator(Lock& lock, TimePoint deadline);
  Result<CommitIdentity> commitIdentity() const;
  void sendCommit(PendingCommit commit);
  void autoCommitIfDue();
  void autoCommitNow(Lock& lock, Duration limit);
  Status commitOnce(Lock& lock, const CommitOffsets& offsets, TimePoint deadline, bool& retry);

  const ClientConfig config_;
  const std::string group_;
  const bool auto_commit_;
  const Millis auto_commit_interval_ms_;
  const std::size_t max_poll_records_;
  std::vector<std::shared_ptr<GroupAssignor>> assignors_;
  ClientBase base_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Positions positions_;
  std::map<NodeId, NodeFetch> fetches_;
  std::map<std::string, std::shared_ptr<const std::string>> topic_names_;
  std::optional<Error> error_;  // reported once by poll
  bool closed_ = false;
  bool wakeup_ = false;
  bool subscribed_ = false;
  bool committed_asking_ = false;
  std::set<std::string> topics_;
  std::function<bool(const std::string&)> accepts_;
  RebalanceListener listener_;

  GroupMembership membership_;
  std::optional<NodeId> coordinator_;
  bool coordinator_asking_ = false;
  Millis coordinator_not_before_ms_ = 0;
  bool prepared_ = false;
  std::vector<GroupMemberInfo> members_;              // leader, while assigning
  std::uint64_t assign_metadata_version_ = 0;         // 0: not asked yet
  std::map<std::string, std::int32_t> group_topics_;  // leader: partition counts that were assigned
  std::optional<Bytes> pending_assignment_;
  bool heartbeats_started_ = false;
  std::shared_ptr<Alarm> heartbeat_alarm_;

  Millis next_auto_commit_ms_ = 0;
  std::list<PendingCommit> waiting_commits_;       // for a coordinator
  std::list<std::function<void()>> done_commits_;  // callbacks for the caller's thread
  int commits_in_flight_ = 0;
  bool leaving_ = false;  ///< a LeaveGroup is under way
};

}  // namespace millrace::client
