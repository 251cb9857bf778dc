#include "broker/groups/offset_store.h"

#include <set>

namespace millrace::broker {

Errc OffsetStore::checkCommit(const CommitEvent& event, Millis now) {
  const ClassicGroup* group = groups_.find(event.group_id);
  if (!group) {
    // Whoever speaks of a generation is a member of a group that is gone.
    if (event.generation >= 0) return Errc::kIllegalGeneration;
    groups_.ensureGroup(event.group_id, now);
    group = groups_.find(event.group_id);
  }
  if (event.generation < 0 && group->is(GroupState::kEmpty)) return Errc::kNone;
  if (event.generation >= 0 || !event.member_id.empty() || event.instance_id) {
    const Errc invalid = group->validateMember(event.member_id, event.instance_id);
    if (invalid != Errc::kNone) return invalid;
    if (event.generation != group->generation()) return Errc::kIllegalGeneration;
  } else {
    // A group with members: only they may commit.
    return Errc::kUnknownMemberId;
  }
  // Between join and sync nobody knows what he owns.
  return group->is(GroupState::kCompletingRebalance) ? Errc::kRebalanceInProgress : Errc::kNone;
}

void OffsetStore::prepareCommit(const CommitEvent& event, std::vector<OffsetToCommit>& offsets,
                                Millis now, Millis wall_ms) {
  const Errc refused = checkCommit(event, now);
  for (OffsetToCommit& o : offsets) {
    if (o.error != Errc::kNone) continue;
    o.offset.commit_timestamp = wall_ms;
    if (refused != Errc::kNone) {
      o.error = refused;
    } else if (o.offset.metadata.size() > static_cast<std::size_t>(config_.max_metadata_bytes)) {
      o.error = Errc::kOffsetMetadataTooLarge;
    }
  }
  if (refused == Errc::kNone) groups_.touchSession(event.group_id, event.member_id, now);
}

void OffsetStore::apply(std::string_view group_id, const OffsetToCommit& offset,
                        std::int64_t record_offset) {
  auto group = offsets_.find(group_id);
  if (group == offsets_.end()) group = offsets_.emplace(std::string(group_id), Topics{}).first;
  CommittedOffset& slot = group->second[offset.topic][offset.partition];
  if (record_offset < slot.record_offset) return;
  slot = offset.offset;
  slot.record_offset = record_offset;
}

void OffsetStore::restore(const LoadedOffset& loaded, std::int64_t record_offset) {
  if (!loaded.offset) return erase(loaded.group_id, loaded.topic, loaded.partition);
  groups_.ensureGroup(loaded.group_id, loaded.offset->commit_timestamp);
  apply(loaded.group_id, {loaded.topic, loaded.partition, *loaded.offset}, record_offset);
}

const OffsetStore::Topics* OffsetStore::all(std::string_view group_id) const {
  const auto group = offsets_.find(group_id);
  return group == offsets_.end() ? nullptr : &group->second;
}

const CommittedOffset* OffsetStore::find(std::string_view group_id, std::string_view topic,
                                         std::int32_t partition) const {
  const Topics* const topics = all(group_id);
  if (!topics) return nullptr;
  const auto partitions = topics->find(topic);
  if (partitions == topics->end()) return nullptr;
  const auto found = partitions->second.find(partition);
  return found == partitions->second.end() ? nullptr : &found->second;
}

void OffsetStore::erase(std::string_view group_id, std::string_view topic, std::int32_t partition) {
  const auto group = offsets_.find(group_id);
  if (group == offsets_.end()) return;
  const auto partitions = group->second.find(topic);
  if (partitions == group->second.end()) return;
  partitions->second.erase(partition);
  if (partitions->second.empty()) group->second.erase(partitions);
  if (group->second.empty()) offsets_.erase(group);
}

Errc OffsetStore::mayDelete(std::string_view group_id, std::string_view topic) const {
  const ClassicGroup* const group = groups_.find(group_id);
  if (!group || group->is(GroupState::kDead)) return Errc::kGroupIdNotFound;
  if (group->is(GroupState::kEmpty)) return Errc::kNone;
  if (group->protocolType() != "consumer") return Errc::kNonEmptyGroup;
  const auto subscribed = group->subscribedTopics();
  const bool free = subscribed && !subscribed->contains(std::string(topic));
  return free ? Errc::kNone : Errc::kGroupSubscribedToTopic;
}

Errc OffsetStore::mayDeleteGroup(std::string_view group_id) const {
  const ClassicGroup* const group = groups_.find(group_id);
  if (!group || group->is(GroupState::kDead)) return Errc::kGroupIdNotFound;
  return group->is(GroupState::kEmpty) ? Errc::kNone : Errc::kNonEmptyGroup;
}

std::vector<GroupRecord> OffsetStore::groupTombstones(std::string_view group_id) const {
  std::vector<GroupRecord> records;
  if (const Topics* const topics = all(group_id)) {
    for (const auto& [topic, partitions] : *topics) {
      for (const auto& [partition, offset] : partitions) {
        records.push_back(offsetTombstone(group_id, topic, partition));
      }
    }
  }
  records.push_back(groupTombstone(group_id));
  return records;
}

void OffsetStore::eraseGroup(std::string_view group_id) {
  const auto found = offsets_.find(group_id);
  if (found != offsets_.end()) offsets_.erase(found);
  const ClassicGroup* const group = groups_.find(group_id);
  if (group && group->members().empty()) groups_.erase(group_id);
}

// Kafka's ClassicGroup.offsetExpirationCondition: what the retention counts from depends on whether
// anybody still uses the offset.
bool OffsetStore::isExpired(const ClassicGroup& group, const std::set<std::string>* subscribed,
                            const std::string& topic, const CommittedOffset& offset,
                            Millis wall_ms) const {
  if (offset.expire_timestamp) {
    return group.is(GroupState::kEmpty) && wall_ms >= *offset.expire_timestamp;
  }
  Millis since = offset.commit_timestamp;
  if (!group.protocolType().empty()) {
    if (group.is(GroupState::kEmpty)) {
      since = std::max(since, group.stateSinceMs());
    } else if (!group.is(GroupState::kStable) || !subscribed || subscribed->contains(topic)) {
      return false;
    }
  }
  return wall_ms - since >= config_.retention_ms;
}

OffsetStore::Expired OffsetStore::expired(Millis wall_ms) const {
  Expired out;
  for (const ClassicGroup* group : groups_.groups()) {
    const auto subscribed = group->subscribedTopics();
    bool any_left = false;
    if (const Topics* const topics = all(group->id())) {
      for (const auto& [topic, partitions] : *topics) {
        for (const auto& [partition, offset] : partitions) {
          if (isExpired(*group, subscribed ? &*subscribed : nullptr, topic, offset, wall_ms)) {
            out.offsets.push_back({group->id(), topic, partition, offset.record_offset});
          } else {
            any_left = true;
          }
        }
      }
    }
    const bool idle = group->is(GroupState::kEmpty) && group->pendingMembers().empty();
    if (idle && !any_left) out.groups.push_back(group->id());
  }
  return out;
}

OffsetStore::Expired OffsetStore::offsetsOf(std::string_view topic) const {
  Expired out;
  for (const auto& [group_id, topics] : offsets_) {
    const auto partitions = topics.find(topic);
    if (partitions == topics.end()) continue;
    for (const auto& [partition, offset] : partitions->second) {
      out.offsets.push_back({group_id, std::string(topic), partition, offset.record_offset});
    }
  }
  return out;
}

std::vector<GroupRecord> OffsetStore::Expired::tombstones() const {
  std::vector<GroupRecord> records;
  for (const Entry& e : offsets)
    records.push_back(offsetTombstone(e.group_id, e.topic, e.partition));
  for (const std::string& group : groups) records.push_back(groupTombstone(group));
  return records;
}

void OffsetStore::apply(const Expired& expired) {
  for (const Expired::Entry& e : expired.offsets) {
    const CommittedOffset* const now = find(e.group_id, e.topic, e.partition);
    if (now && now->record_offset == e.record_offset) erase(e.group_id, e.topic, e.partition);
  }
  for (const std::string& id : expired.groups) {
    const ClassicGroup* const group = groups_.find(id);
    const bool idle = group && group->is(GroupState::kEmpty) && group->pendingMembers().empty();
    if (idle && !all(id)) groups_.erase(id);
  }
}

}  // namespace millrace::broker
