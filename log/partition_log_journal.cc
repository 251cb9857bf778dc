// Group commit, the log's side: what is appended with flush.on.ack goes into the journal, too.
#include "log/data_directory.h"
#include "log/partition_log_state.h"

namespace millrace::log {

void PartitionLog::setJournal(Journal* journal) { state_->options.journal = journal; }

Journal* PartitionLog::journal() const { return state_->options.journal; }

Status PartitionLog::leaveJournal() {
  State& s = *state_;
  if (s.journaled == nullptr) return {};
  s.options.journal->forget(*s.journaled);
  return s.options.journal->cancel(s.journaled, Offset{0});
}

Result<std::optional<PartitionLog::Gap>> PartitionLog::firstGap() const {
  const State& s = *state_;
  for (std::size_t i = s.indexFor(recoveryPoint()); i + 1 < s.segments.size(); ++i) {
    Segment& segment = *s.segments[i];
    const Offset next = s.segments[i + 1]->base();
    MILLRACE_TRY(const Offset end, segment.endAt(segment.size()));
    if (end < next) return Gap{std::max(end, recoveryPoint()), next};
  }
  return std::nullopt;
}

Status PartitionLog::State::addToJournal(std::span<const BytesView> batches, Offset first,
                                         Offset end) {
  Journal* const journal = options.journal;
  if (!log.config_.flush_on_ack || journal == nullptr) return {};
  if (journaled == nullptr) {
    const std::string& path = files.directory;
    const auto name = parseLogDirectory(std::string_view(path).substr(path.rfind('/') + 1));
    if (!name) return fail(Errc::kConfig, path + " is not named like a log");
    journaled = std::make_shared<JournaledLog>(journal::LogKey{topic_id, *name}, path,
                                               unsynced.directory());
  }
  // Something below that is neither on disk nor in the journal: from before flush.on.ack was set,
  // or since the last start.
  const bool gap = journaled_to != first && log.recoveryPoint() < first;
  if (gap) {
    for (std::size_t i = indexFor(log.recoveryPoint()); i + 1 < segments.size(); ++i) {
      MILLRACE_TRY(const auto file, segments[i]->file());
      journal->noteUnsynced(*journaled, file);
    }
  }
  MILLRACE_TRY(const auto file, active().openFile());
  MILLRACE_TRY(last_round, journal->append(journaled, file, batches, gap));
  journaled_to = end;
  return {};
}

LateWrites* PartitionLog::State::lateWrites(Offset first) const {
  const bool journaling = log.config_.flush_on_ack && options.journal != nullptr;
  return journaling && journaled != nullptr && journaled_to == first ? &journaled->late() : nullptr;
}

void PartitionLog::State::tellJournal(Offset flushed) {
  if (journaled == nullptr) return;
  for (std::size_t i = indexFor(log.recoveryPoint()); i + 1 < segments.size(); ++i)
    if (endOf(i) <= flushed) options.journal->noteSynced(*journaled, segments[i]->path());
}

Status PartitionLog::State::cutJournal(Offset end) {
  if (journaled == nullptr) return {};
  MILLRACE_CHECK_OK(options.journal->cancel(journaled, end));
  journaled_to = Offset{-1};
  return options.journal->commit().status;
}

}  // namespace millrace::log
