// Committed offsets of the groups of one offsets partition: who may commit, what is kept, what
// expires.
#pragma once

#include "broker/groups/group_machine.h"
#include "broker/groups/group_records.h"

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace millrace::broker {

struct OffsetConfig {
  std::int64_t retention_ms = 7LL * 24 * 3600 * 1000;  ///< offsets.retention.minutes
  std::int32_t max_metadata_bytes = 4096;              ///< offset.metadata.max.bytes
};

/// One offset that a client wants to commit; `error` is filled by prepareCommit().
struct OffsetToCommit {
  std::string topic;
  std::int32_t partition = 0;
  CommittedOffset offset;
  Errc error = Errc::kNone;
};

struct CommitEvent {
  std::string group_id;
  std::string member_id;
  std::optional<std::string> instance_id;
  std::int32_t generation = -1;  ///< below zero and no member: a client without a group
};

/// Pure, like GroupMachine, with which it shares the groups. What is prepared becomes visible by
/// apply(), which the shell calls when the records are in the log.
class OffsetStore {
 public:
  using Partitions = std::map<std::int32_t, CommittedOffset>;
  using Topics = std::map<std::string, Partitions, std::less<>>;

  OffsetStore(OffsetConfig config, GroupMachine& groups) : config_(config), groups_(groups) {}

  /// Whether these may be committed; each refused one has an error. Keeps a member's session alive.
  void prepareCommit(const CommitEvent& event, std::vector<OffsetToCommit>& offsets, Millis now,
                     Millis wall_ms);
  void apply(std::string_view group_id, const OffsetToCommit& offset, std::int64_t record_offset);
  /// From the log: a value or a tombstone.
  void restore(const LoadedOffset& loaded, std::int64_t record_offset);

  /// nullptr where there is none.
  [[nodiscard]] const CommittedOffset* find(std::string_view group_id, std::string_view topic,
                                            std::int32_t partition) const;
  /// nullptr where the group has none.
  [[nodiscard]] const Topics* all(std::string_view group_id) const;

  /// Whether a group may lose offsets of a topic: kGroupIdNotFound, kNonEmptyGroup,
  /// kGroupSubscribedToTopic.
  [[nodiscard]] Errc mayDelete(std::string_view group_id, std::string_view topic) const;
  void erase(std::string_view group_id, std::string_view topic, std::int32_t partition);

  /// DeleteGroups: kGroupIdNotFound, kNonEmptyGroup. The tombstones for everything of the group.
  [[nodiscard]] Errc mayDeleteGroup(std::string_view group_id) const;
  [[nodiscard]] std::vector<GroupRecord> groupTombstones(std::string_view group_id) const;
  void eraseGroup(std::string_view group_id);

  /// What has expired at `wall_ms`: the offsets, and the groups that are empty then.
  struct Expired {
    struct Entry {
      std::string group_id;
      std::string topic;
      std::int32_t partition = 0;
      std::int64_t record_offset = -1;
    };
    std::vector<Entry> offsets;
    std::vector<std::string> groups;
    [[nodiscard]] std::vector<GroupRecord> tombstones() const;
  };
  [[nodiscard]] Expired expired(Millis wall_ms) const;
  /// All offsets of a topic that was deleted.
  [[nodiscard]] Expired offsetsOf(std::string_view topic) const;
  /// Forgets what still is as it was when `expired` was made.
  void apply(const Expired& expired);

 private:
  [[nodiscard]] Errc checkCommit(const CommitEvent& event, Millis now);
  [[nodiscard]] bool isExpired(const ClassicGroup& group, const std::set<std::string>* subscribed,
                               const std::string& topic, const CommittedOffset& offset,
                               Millis wall_ms) const;

  OffsetConfig config_;
  GroupMachine& groups_;
  std::map<std::string, Topics, std::less<>> offsets_;
};

}  // namespace millrace::broker
