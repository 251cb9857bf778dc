// What the records of Kafka's internal topics and the control records say, as JSON.
#pragma once

#include "base/bytes.h"
#include "record/records.h"

#include <boost/json/value.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace millrace::cli {

/// How keys and values are to be read.
enum class Decoding {
  kAuto,          ///< by the topic that the file's directory is named after
  kNone,          ///< as bytes
  kMetadata,      ///< __cluster_metadata and its snapshots
  kOffsets,       ///< __consumer_offsets
  kTransactions,  ///< __transaction_state
  kShareState,    ///< __share_group_state
};

/// kAuto answered for a file; anything else stays.
[[nodiscard]] Decoding decodingFor(const std::string& path, Decoding asked);

struct DecodedRecord {
  /// The message's name: "PartitionRecord", "OffsetCommitKey"; a control record's type.
  std::string type;
  boost::json::value key;
  boost::json::value value;
};

/// Nothing where the record is not of such a kind, or newer than this build: it is shown as bytes
/// then.
[[nodiscard]] std::optional<DecodedRecord> decodeRecord(Decoding decoding,
                                                        const record::RecordView& record);
/// A record of a control batch. Unknown types keep their value as bytes.
[[nodiscard]] DecodedRecord decodeControl(const record::RecordView& record);

}  // namespace millrace::cli
