// One batch and its records.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "record/batch.h"
#include "record/records.h"

#include <optional>

namespace millrace::log::detail {

/// What a sound batch holds.
struct CheckedBatch {
  std::int64_t records = 0;
  /// Of a control batch that is not empty.
  std::optional<record::ControlType> control;
};

/// CRC, codec, counts, every record's offset and the greatest timestamp. `scratch` is for
/// unpacking. Errors: what is wrong, without file and position.
[[nodiscard]] Result<CheckedBatch> checkBatch(const record::BatchView& batch, Bytes& scratch);

}  // namespace millrace::log::detail
