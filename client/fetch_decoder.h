// From the bytes of a fetch answer to checked slices of records.
#pragma once

#include "client/record.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace millrace::client {

struct FetchedBytes {
  BytesView records;
  std::shared_ptr<const void> owner;  ///< keeps `records` alive
  std::shared_ptr<const std::string> topic;
  std::int32_t partition = 0;
  std::int64_t fetch_offset = 0;  ///< records below it are skipped
  bool check_crcs = true;
  bool read_committed = false;
  /// (producer id, first offset) of aborted transactions in the answer; used with read_committed.
  std::vector<std::pair<std::int64_t, std::int64_t>> aborted = {};
};

struct DecodedFetch {
  std::vector<RecordSlice> slices;
  std::int64_t next_offset = 0;  ///< where to fetch on, behind control batches and gaps
  std::int32_t last_epoch = -1;  ///< leader epoch of the last batch
  std::optional<Error> error;    ///< of the batch at next_offset; what came before it is good
};

/// Checks every batch (CRC, structure), unpacks compressed ones, drops control batches and aborted
/// transactions. A torn last batch ends the walk. Pure.
[[nodiscard]] DecodedFetch decodeFetch(const FetchedBytes& bytes);

/// Cuts a slice: the first `count` of its records (0 < count < slice.count) are returned, `slice`
/// keeps the rest.
[[nodiscard]] RecordSlice takeFirst(RecordSlice& slice, std::int32_t count);

}  // namespace millrace::client
