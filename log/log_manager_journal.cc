// The data directories' journals: replayed at start, one for each while it is in use.
#include "base/idle_probe.h"
#include "log/journal/replay.h"
#include "log/log_manager_state.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::log {

/// Its files are those of all logs: one that is not there is no log's own trouble.
std::function<void(const Error&)> LogManager::State::journalFailureOf(DataDirectory& directory) {
  return [fail = failureOf(directory)](Error cause) {
    if (cause.code == Errc::kNotFound) cause.code = Errc::kIo;
    fail(cause);
  };
}

void LogManager::State::openJournal(DataDirectory& directory) {
  if (directory.health())
    if (const Status done = replayJournal(directory); !done) directory.goOffline(done.error());
  Journal::Options journal_options{.files = &files,
                                   .directory = directory.path(),
                                   .present = [&directory] { return directory.checkPresent(); },
                                   .file_bytes = options.journal_file_bytes,
                                   .direct_bytes = options.journal_direct_bytes,
                                   .salt = static_cast<std::uint32_t>(random.next()),
                                   .on_failure = journalFailureOf(directory)};
  if (options.watch_processors)
    journal_options.processor_idled = [probe = std::make_shared<IdleProbe>()] {
      return probe->idled();
    };
  auto& journal = journals[&directory];
  journal = std::make_unique<Journal>(std::move(journal_options));
  for (const auto& [tp, entry] : logs)
    if (entry.directory == &directory) entry.log->setJournal(journal.get());
}

Status LogManager::State::replayJournal(DataDirectory& directory) {
  MILLRACE_TRY(const bool any, hasJournal(files, directory.path()));
  // After a clean stop there is none, unless another program ran here meanwhile.
  if (any && !directory.clean()) {
    const auto complain = [&](const journal::LogKey& key, const Error& error) {
      const auto found = logs.find(key.partition);
      const Points points =
          found == logs.end() ? pointsIn(directory, key.partition) : pointsOf(*found->second.log);
      logs.erase(key.partition);
      offline.insert_or_assign(key.partition, Offline{error, &directory, points});
      report.notes.push_back(
          fmt::format("{} stays offline: {}", key.partition.toString(), error.toString()));
    };
    const auto find = [&](const journal::LogKey& key, JournalLogUse state) {
      return logForReplay(directory, key, state);
    };
    MILLRACE_TRY(const ReplayReport replayed,
                 log::replayJournal(files, directory.path(), find, complain));
    if (replayed.batches > 0)
      report.notes.push_back(fmt::format("{}: the journal brought back {} batches, {} bytes",
                                         directory.path(), replayed.batches, replayed.bytes));
  }
  if (!any) return {};
  const bool offline_here = std::ranges::any_of(
      offline, [&](const auto& item) { return item.second.directory == &directory; });
  if (directory.clean() || !offline_here) return removeJournal(files, directory.path());
  report.notes.push_back(fmt::format(
      "{}: the journal is kept beside as {}.kept: it may have records of logs that are offline",
      directory.path(), kJournalFiles[0]));
  return keepJournal(files, directory.path());
}

PartitionLog* LogManager::State::logForReplay(DataDirectory& directory, const journal::LogKey& key,
                                              JournalLogUse state) {
  if (offline.contains(key.partition)) return nullptr;
  const auto found = logs.find(key.partition);
  if (found != logs.end()) {
    PartitionLog* const log = found->second.log.get();
    if (found->second.directory != &directory) return nullptr;
    // A crash of the machine may have taken partition.metadata.
    if (log->topicId().isZero()) {
      const bool adopted = state == JournalLogUse::kNoId || log->adopt(key.topic_id);
      return adopted ? log : nullptr;
    }
    return log->topicId() == key.topic_id ? log : nullptr;
  }
  if (state != JournalLogUse::kMade) return nullptr;
  // What the checkpoint files say is of an earlier log of this name. The next start must not take
  // it for this one's.
  if (const Points old = pointsIn(directory, key.partition);
      std::max({old.recovery_point, old.log_start, old.high_watermark, old.cleaned_to}) >
      Offset{0}) {
    if (!writeCheckpoints() || !directory.health()) return nullptr;
  }
  // Its directory had not reached the disk, or the topic was deleted: the metadata will tell.
  auto made = PartitionLog::open({.directory = directory.path(key.partition.toString()),
                                  .config = configOf(key.partition.topic),
                                  .topic_id = key.topic_id,
                                  .files = &files,
                                  .on_disk_failure = failureOf(directory)});
  if (!made) {
    offline.insert_or_assign(key.partition,
                             Offline{made.error(), &directory, pointsIn(directory, key.partition)});
    return nullptr;
  }
  return logs.emplace(key.partition, Entry{std::move(*made), &directory}).first->second.log.get();
}

/// The first flush of a log puts its topic id on disk before its recovery point moves, and the
/// journal's entries carry it: a log without one has nothing that was promised to last. Were it
/// taken for the log of whatever topic has the name now, records of one that was deleted might come
/// back in it. Kafka sets such logs aside, too (LogManager.isStrayReplica).
void LogManager::State::setOwnerlessAside(DataDirectory& directory) {
  if (!directory.health()) return;
  std::vector<TopicPartition> ownerless;
  for (const auto& [tp, entry] : logs)
    if (entry.directory == &directory && entry.log->recovery().ownerless &&
        entry.log->topicId().isZero())
      ownerless.push_back(tp);
  for (const TopicPartition& tp : ownerless) {
    logs.erase(tp);
    --report.logs;
    const auto aside = moveAway(directory, tp, kStrayDirSuffix);
    if (!aside) return;  // the directory is offline
    report.notes.push_back(
        fmt::format("{}: nobody knows whose records these are, a crash took partition.metadata "
                    "before anything was flushed; they are set aside as {}",
                    tp.toString(), *aside));
  }
}

std::vector<Journal*> LogManager::journals() const {
  std::vector<Journal*> out;
  for (const auto& directory : state_->directories)
    out.push_back(state_->journals.at(directory.get()).get());
  return out;
}

}  // namespace millrace::log
