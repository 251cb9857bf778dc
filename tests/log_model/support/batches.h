// Batches of the model as bytes and as text.
#pragma once

#include "tests/log_model/support/log_model.h"

#include <string>

namespace millrace::log::test {

/// As a producer sends it.
[[nodiscard]] Bytes encode(const ModelBatch& batch);
/// For a person who follows a failure.
[[nodiscard]] std::string describe(const ModelBatch& batch);

}  // namespace millrace::log::test
