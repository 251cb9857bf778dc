#include "broker/groups/group_records.h"

#include "base/assert.h"
#include "protocol/messages/group_metadata_key.h"
#include "protocol/messages/group_metadata_value.h"
#include "protocol/messages/offset_commit_key.h"
#include "protocol/messages/offset_commit_value.h"
#include "protocol/record_frame.h"

namespace millrace::broker {
namespace {

/// What Kafka 4.2 writes.
constexpr std::int16_t kGroupValueVersion = 3;
constexpr std::int16_t kOffsetValueVersion = 4;
/// The only version with an expiry of its own.
constexpr std::int16_t kExpiringOffsetVersion = 1;

template <class M>
Bytes keyOf(const M& message) {
  auto bytes = protocol::encodeRecordKey(message);
  MILLRACE_ASSERT(bytes.has_value(), bytes ? "" : bytes.error().toString());
  return std::move(*bytes);
}
template <class M>
Bytes valueOf(const M& message, std::int16_t version) {
  auto bytes = protocol::encodeVersioned(message, version);
  MILLRACE_ASSERT(bytes.has_value(), bytes ? "" : bytes.error().toString());
  return std::move(*bytes);
}

Bytes groupKey(std::string_view group_id) {
  protocol::GroupMetadataKey key;
  key.group = Text::borrow(group_id);
  return keyOf(key);
}

Bytes offsetKey(std::string_view group_id, std::string_view topic, std::int32_t partition) {
  protocol::OffsetCommitKey key;
  key.group = Text::borrow(group_id);
  key.topic = Text::borrow(topic);
  key.partition = partition;
  return keyOf(key);
}

std::optional<std::string> owned(const std::optional<Text>& text) {
  return text ? std::optional(text->str()) : std::nullopt;
}

GroupMember memberOf(const protocol::GroupMetadataValue::MemberMetadata& m,
                     const std::optional<std::string>& protocol_name) {
  GroupMember member;
  member.id = m.member_id.str();
  member.instance_id = owned(m.group_instance_id);
  member.client_id = m.client_id.str();
  member.client_host = m.client_host.str();
  member.session_timeout_ms = m.session_timeout;
  member.rebalance_timeout_ms = m.rebalance_timeout == -1 ? m.session_timeout : m.rebalance_timeout;
  // Only the chosen protocol is kept in the log: until it rejoins the member knows no other.
  member.protocols.push_back({protocol_name.value_or(""), m.subscription.str()});
  member.assignment = m.assignment.str();
  return member;
}

Result<LoadedRecord> parseOffset(BytesView key_bytes, const std::optional<BytesView>& value_bytes) {
  MILLRACE_TRY(const auto key_message,
               protocol::decodeRecordKey(protocol::MessageKind::kGroupKey, key_bytes));
  const auto& key = key_message.as<protocol::OffsetCommitKey>();
  LoadedOffset loaded{key.group.str(), key.topic.str(), key.partition, std::nullopt};
  if (!value_bytes) return LoadedRecord(std::move(loaded));
  MILLRACE_TRY(const auto value,
               protocol::decodeVersioned<protocol::OffsetCommitValue>(*value_bytes));
  CommittedOffset offset;
  offset.offset = value.offset;
  offset.leader_epoch = value.leader_epoch;
  offset.metadata = value.metadata.str();
  offset.commit_timestamp = value.commit_timestamp;
  if (value.expire_timestamp != -1) offset.expire_timestamp = value.expire_timestamp;
  offset.topic_id = value.topic_id;
  loaded.offset = std::move(offset);
  return LoadedRecord(std::move(loaded));
}

Result<LoadedRecord> parseGroup(const protocol::GroupMetadataKey& key,
                                const std::optional<BytesView>& value_bytes) {
  LoadedGroup loaded{key.group.str(), std::nullopt};
  if (!value_bytes) return LoadedRecord(std::move(loaded));
  MILLRACE_TRY(const auto value,
               protocol::decodeVersioned<protocol::GroupMetadataValue>(*value_bytes));
  const auto protocol_name = owned(value.protocol);
  std::vector<GroupMember> members;
  for (const auto& m : value.members) members.push_back(memberOf(m, protocol_name));
  ClassicGroup group(loaded.group_id, value.current_state_timestamp);
  group.restore(value.protocol_type.str(), value.generation, protocol_name, owned(value.leader),
                value.current_state_timestamp, std::move(members));
  loaded.group = std::move(group);
  return LoadedRecord(std::move(loaded));
}

}  // namespace

GroupRecord groupMetadataRecord(const ClassicGroup& group) {
  std::map<std::string, Bytes> assignments;
  for (const GroupMember& m : group.members()) assignments.emplace(m.id, m.assignment);
  return groupMetadataRecord(group, assignments);
}

GroupRecord groupMetadataRecord(const ClassicGroup& group,
                                const std::map<std::string, Bytes>& assignments) {
  protocol::GroupMetadataValue value;
  value.protocol_type = group.protocolType();
  value.generation = group.generation();
  value.protocol.reset();
  value.leader.reset();
  if (group.protocolName()) value.protocol = *group.protocolName();
  if (group.leader()) value.leader = *group.leader();
  value.current_state_timestamp = group.stateSinceMs();
  for (const GroupMember& m : group.members()) {
    auto& out = value.members.emplace_back();
    out.member_id = m.id;
    if (m.instance_id) out.group_instance_id = *m.instance_id;
    out.client_id = m.client_id;
    out.client_host = m.client_host;
    out.rebalance_timeout = m.rebalance_timeout_ms;
    out.session_timeout = m.session_timeout_ms;
    if (group.protocolName()) out.subscription = m.metadataFor(*group.protocolName());
    const auto assignment = assignments.find(m.id);
    if (assignment != assignments.end()) out.assignment = assignment->second;
  }
  return {groupKey(group.id()), valueOf(value, kGroupValueVersion)};
}

GroupRecord groupTombstone(std::string_view group_id) { return {groupKey(group_id), std::nullopt}; }

GroupRecord offsetRecord(std::string_view group_id, std::string_view topic, std::int32_t partition,
                         const CommittedOffset& offset) {
  protocol::OffsetCommitValue value;
  value.offset = offset.offset;
  value.leader_epoch = offset.leader_epoch;
  value.metadata = Text::borrow(offset.metadata);
  value.commit_timestamp = offset.commit_timestamp;
  value.expire_timestamp = offset.expire_timestamp.value_or(-1);
  value.topic_id = offset.topic_id;
  const std::int16_t version =
      offset.expire_timestamp ? kExpiringOffsetVersion : kOffsetValueVersion;
  return {offsetKey(group_id, topic, partition), valueOf(value, version)};
}

GroupRecord offsetTombstone(std::string_view group_id, std::string_view topic,
                            std::int32_t partition) {
  return {offsetKey(group_id, topic, partition), std::nullopt};
}

Result<LoadedRecord> parseGroupRecord(BytesView key, const std::optional<BytesView>& value) {
  auto message = protocol::decodeRecordKey(protocol::MessageKind::kGroupKey, key);
  if (!message) {
    // A newer broker's record type: Kafka skips it, too.
    if (message.error().code == Errc::kUnsupportedVersion) return LoadedRecord(LoadedOther{});
    return fail(Errc::kCorruptData, message.error().detail);
  }
  if (message->is<protocol::OffsetCommitKey>()) return parseOffset(key, value);
  if (const auto* group = message->get<protocol::GroupMetadataKey>())
    return parseGroup(*group, value);
  return LoadedRecord(LoadedOther{});
}

}  // namespace millrace::broker
