// A copy of the checkpoint files with a checksum. Kafka's format has none, and a digit that changes
// there would move a recovery point or a log's start.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <map>
#include <string>
#include <string_view>

namespace millrace::log {

/// Beside the checkpoint files; Kafka does not look at it.
inline constexpr std::string_view kCheckpointCopy = "millrace-checkpoints";

struct CheckpointText {
  Bytes text;
  /// The file's File::stamp() once it held this: with another one, somebody else wrote it since.
  std::string stamp;
  friend bool operator==(const CheckpointText&, const CheckpointText&) = default;
};
/// What the checkpoint files hold, by name.
using CheckpointTexts = std::map<std::string, CheckpointText>;

/// See docs/formats/checkpoints.md.
[[nodiscard]] Bytes encodeCheckpointCopy(const CheckpointTexts& texts);
/// Errors: kCorruptData. `path` is for these.
[[nodiscard]] Result<CheckpointTexts> decodeCheckpointCopy(const std::string& path,
                                                           BytesView bytes);

}  // namespace millrace::log
