// Record batches in the form in which the transcripts write them.
#pragma once

#include "base/bytes.h"

#include <boost/json.hpp>

namespace millrace::broker::testing {

/// The bytes of a list of batches, with their damage. Throws std::runtime_error for what it does
/// not know.
[[nodiscard]] Bytes batchesFromJson(const boost::json::array& batches);
/// The reverse.
[[nodiscard]] boost::json::array batchesToJson(BytesView batches);

[[nodiscard]] Bytes fromHex(std::string_view hex);

}  // namespace millrace::broker::testing
