// The records of __consumer_offsets: Kafka's keys and values.
#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/uuid.h"
#include "broker/groups/classic_group.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace millrace::broker {

/// A record of the offsets topic; no value: a tombstone.
struct GroupRecord {
  Bytes key;
  std::optional<Bytes> value;
};

/// A committed offset.
struct CommittedOffset {
  std::int64_t offset = -1;
  std::int32_t leader_epoch = -1;
  std::string metadata;
  Millis commit_timestamp = -1;            ///< wall clock
  std::optional<Millis> expire_timestamp;  ///< only commits of versions 2-4 with a retention
  Uuid topic_id;                           ///< zero: committed by name
  std::int64_t record_offset = -1;         ///< of its record in the log; newer ones win
};

/// The group as it is, with an assignment for each member.
[[nodiscard]] GroupRecord groupMetadataRecord(const ClassicGroup& group);
/// As above, with assignments that the members do not have yet.
[[nodiscard]] GroupRecord groupMetadataRecord(const ClassicGroup& group,
                                              const std::map<std::string, Bytes>& assignments);
[[nodiscard]] GroupRecord groupTombstone(std::string_view group_id);
[[nodiscard]] GroupRecord offsetRecord(std::string_view group_id, std::string_view topic,
                                       std::int32_t partition, const CommittedOffset& offset);
[[nodiscard]] GroupRecord offsetTombstone(std::string_view group_id, std::string_view topic,
                                          std::int32_t partition);

/// A record read back.
struct LoadedOffset {
  std::string group_id;
  std::string topic;
  std::int32_t partition = 0;
  std::optional<CommittedOffset> offset;
};
struct LoadedGroup {
  std::string group_id;
  std::optional<ClassicGroup> group;
};
/// Records of the newer group types, which this build does not run.
struct LoadedOther {};
using LoadedRecord = std::variant<LoadedOffset, LoadedGroup, LoadedOther>;
/// Errors: kCorruptData for a record of a known type that does not decode.
[[nodiscard]] Result<LoadedRecord> parseGroupRecord(BytesView key,
                                                    const std::optional<BytesView>& value);

}  // namespace millrace::broker
