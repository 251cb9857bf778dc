// A move to another data directory, the log's side: what there is to copy.
#include "log/partition_log_state.h"

namespace millrace::log {

Result<MoveSource> PartitionLog::moveSource(MovePass pass) {
  State& s = *state_;
  const FilesInUse use(s);
  if (pass == MovePass::kLast) MILLRACE_CHECK_OK(s.prepareClose());
  if (!s.health) return std::unexpected(s.health.error());
  MoveSource source{.directory = directory_,
                    .absent = s.absent,
                    .snapshots = s.snapshots,
                    .end = endOffset(),
                    .version = {s.recovery.rebuilt_indexes, cleanedTo(), s.cuts}};
  if (s.absent) return source;
  // What group commit has not written to the segment yet.
  if (s.active().size() > 0) {
    const auto written = s.checked(s.active().file());
    if (!written) return std::unexpected(written.error());
  }
  for (const auto& segment : s.segments) source.parts.push_back({segment->base(), segment->size()});
  return source;
}

}  // namespace millrace::log
