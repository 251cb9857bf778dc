// Records as Kafka's dump tool shows them.
#pragma once

#include "cli/dump/record_decoder.h"
#include "record/records.h"

#include <optional>
#include <string>

namespace millrace::cli {

/// A record's key and value as text; nothing where it has none.
struct KafkaText {
  std::optional<std::string> key;
  std::optional<std::string> value;
};

/// The record of a data batch. What cannot be decoded says so in place of the key or the value.
[[nodiscard]] KafkaText kafkaText(Decoding decoding, const record::RecordView& record);
/// What a control record says: " endTxnMarker: COMMIT coordinatorEpoch: 0".
[[nodiscard]] std::string kafkaControlText(const record::RecordView& record);
/// Bytes as Java reads UTF-8: each part that is none as U+FFFD.
[[nodiscard]] std::string javaText(BytesView bytes);

}  // namespace millrace::cli
