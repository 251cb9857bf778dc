// What travels with a record besides key and value.
#pragma once

#include "base/clock.h"
#include "client/record.h"

#include <vector>

namespace millrace::streams {

using Headers = std::vector<Header>;

/// Timestamp and headers of the record being processed. Passed by value: two registers. `headers`
/// may be null (none) and lives as long as the call it is passed to.
struct RecordMeta {
  Millis timestamp = 0;
  const Headers* headers = nullptr;
};

/// Where the record that is being processed came from. Empty topic where there is none
/// (punctuation).
struct RecordOrigin {
  std::string_view topic;
  std::int32_t partition = -1;
  std::int64_t offset = -1;
};

/// A table's update: the new value (null: deleted), and the old one where somebody below asked for
/// it. `is_latest` is false only for out-of-order updates of versioned tables (KIP-914).
template <class V>
struct Change {
  const V* new_value = nullptr;
  const V* old_value = nullptr;
  bool is_latest = true;
};

}  // namespace millrace::streams
