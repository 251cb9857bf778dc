// The coordinator of the groups of one offsets partition: the shell around GroupMachine and
// OffsetStore.
#pragma once

#include "base/clock.h"
#include "base/net/gate.h"
#include "base/net/task.h"
#include "base/net/waiter.h"
#include "broker/groups/group_machine.h"
#include "broker/groups/offset_store.h"
#include "broker/partitions.h"

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace millrace {
class Config;
}

namespace millrace::broker {

/// The settings of a coordinator, out of the broker's configuration.
struct CoordinatorConfig {
  GroupConfig groups;
  OffsetConfig offsets;
  std::int64_t expiry_interval_ms = 600'000;  ///< offsets.retention.check.interval.ms
  static CoordinatorConfig of(const Config& broker);
};

/// Lives on the shard of its partition; everything is called there. A task of a request holds the
/// coordinator alive, so that it may resign meanwhile. Calling order: start() (loading begins),
/// requests, resign(), close(); its owner keeps it until close() has returned.
class GroupCoordinator : public std::enable_shared_from_this<GroupCoordinator> {
 public:
  GroupCoordinator(TopicIdPartition partition, CoordinatorConfig config, PartitionStore& store,
                   const Clock& clock, Shard& shard);

  void start();
  /// Answers what is parked with kNotCoordinator; later requests hear the same.
  void resign();
  /// Ends timers and loading, waits for what runs in the background. After resign().
  [[nodiscard]] Task<> close() { return gate_.close(); }
  /// kNone, kCoordinatorLoadInProgress, kNotCoordinator.
  [[nodiscard]] Errc status() const { return status_; }

  [[nodiscard]] Task<protocol::JoinGroupResponse> join(JoinEvent event);
  [[nodiscard]] Task<protocol::SyncGroupResponse> sync(SyncEvent event);
  [[nodiscard]] Errc heartbeat(const std::string& group_id, const std::string& member_id,
                               const std::optional<std::string>& instance_id,
                               std::int32_t generation);
  struct Left {
    Errc error = Errc::kNone;  ///< of the request as a whole
    std::vector<Errc> members;
  };
  [[nodiscard]] Left leave(const std::string& group_id,
                           const std::vector<GroupMachine::Leaving>& members);
  /// Fills the errors; what has none is in the log when this returns.
  [[nodiscard]] Task<std::vector<OffsetToCommit>> commit(CommitEvent event,
                                                         std::vector<OffsetToCommit> offsets);
  /// One error for each, as OffsetDelete has them; kGroupIdNotFound and such for all.
  [[nodiscard]] Task<std::vector<OffsetToCommit>> deleteOffsets(
      std::string group_id, std::vector<OffsetToCommit> offsets);
  [[nodiscard]] Task<Errc> deleteGroup(std::string group_id);
  /// Offsets of topics that are no more.
  [[nodiscard]] Task<> dropTopics(std::vector<std::string> topics);

  [[nodiscard]] const GroupMachine& groups() const { return machine_; }
  [[nodiscard]] const OffsetStore& offsets() const { return offsets_; }

 private:
  using Self = std::shared_ptr<GroupCoordinator>;
  template <class Response>
  struct Parked {
    std::optional<Response> answer;
    WaitList waiting;
  };
  template <class Response>
  using ParkedByToken = std::unordered_map<Token, std::shared_ptr<Parked<Response>>>;

  static Task<> load(Self self);
  static Task<> runTimers(Self self);
  static Task<> appendAndReport(Self self, GroupActions::Append append);
  [[nodiscard]] Task<Result<Appended>> append(std::vector<GroupRecord> records);
  [[nodiscard]] Task<> expireOffsets();
  void perform(GroupActions actions);
  template <class Response>
  static void answer(ParkedByToken<Response>& parked, Token token, Response response);
  template <class Response>
  static Task<Response> park(Self self, std::shared_ptr<Parked<Response>> slot, Response cancelled);
  [[nodiscard]] Millis now();

  const TopicIdPartition partition_;
  const CoordinatorConfig config_;
  PartitionStore& store_;
  const Clock& clock_;
  Shard& shard_;
  Errc status_ = Errc::kCoordinatorLoadInProgress;
  GroupMachine machine_;
  OffsetStore offsets_;
  ParkedByToken<protocol::JoinGroupResponse> joins_;
  ParkedByToken<protocol::SyncGroupResponse> syncs_;
  Token next_token_ = 1;
  Millis next_expiry_ms_ = 0;
  WaitList timer_wake_;
  Gate gate_;
};

/// What a client hears of a failed append (Kafka's appendGroupMetadataErrorToResponseError).
[[nodiscard]] Errc appendErrorToAnswer(Errc error);

}  // namespace millrace::broker
