// Where a store writes what it changes, so that it can be built again elsewhere.
#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

#include <optional>

namespace millrace::streams {

/// One partition of a changelog topic. Keys and values as Kafka's changelogs have them.
class ChangelogWriter {
 public:
  virtual ~ChangelogWriter() = default;
  /// nullopt: a tombstone. Asynchronous: failures show at the next flush of the producer.
  [[nodiscard]] virtual Status append(BytesView key, std::optional<BytesView> value,
                                      Millis timestamp) = 0;
};

}  // namespace millrace::streams
