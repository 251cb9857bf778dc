// Logs and files that go: topics that were deleted, segments that are no longer part of a log.
#include "log/log_manager_state.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::log {
namespace {

/// What file systems take for a name.
constexpr std::size_t kLongestName = 255;

}  // namespace

Status LogManager::remove(const TopicPartition& tp, Millis now_ms) {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  MILLRACE_CHECK_OK(s.dropMove(tp, now_ms));
  if (const auto offline = s.offline.find(tp); offline != s.offline.end()) {
    DataDirectory& directory = *offline->second.directory;
    s.offline.erase(offline);
    // On a directory that is offline, the next start with it finds a stray.
    if (!directory.health()) return {};
    return s.doom(directory, tp, laterBy(now_ms, s.options.defaults.file_delete_delay_ms));
  }
  const auto found = s.logs.find(tp);
  if (found == s.logs.end()) return fail(Errc::kNotFound, "no log " + tp.toString());
  PartitionLog& log = *found->second.log;
  if (log.hasDirectory())
    MILLRACE_CHECK_OK(
        s.doom(*found->second.directory, tp, laterBy(now_ms, log.config().file_delete_delay_ms)));
  const Status left = log.leaveJournal();
  s.logs.erase(found);
  return left;
}

Result<std::string> LogManager::setAside(const TopicPartition& tp) {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  MILLRACE_CHECK_OK(s.dropMove(tp, 0));
  const auto found = s.logs.find(tp);
  if (found == s.logs.end()) return fail(Errc::kNotFound, "no log " + tp.toString());
  PartitionLog& log = *found->second.log;
  std::string aside;
  if (log.hasDirectory()) {
    MILLRACE_TRY(aside, s.moveAway(*found->second.directory, tp, kStrayDirSuffix));
  }
  const Status left = log.leaveJournal();
  s.logs.erase(found);
  if (!left) return std::unexpected(left.error());
  return aside;
}

Status LogManager::State::doom(DataDirectory& directory, const TopicPartition& tp, Millis due_ms) {
  MILLRACE_TRY(std::string away, moveAway(directory, tp, kDeleteDirSuffix));
  doomed.push_back({std::move(away), due_ms});
  return {};
}

std::string LogManager::State::uniqueId() {
  const std::uint64_t high = random.next();
  const Uuid id = makeUuid(high, random.next());
  return fmt::format("{:016x}{:016x}", id.high, id.low);
}

Result<std::string> LogManager::State::setAside(DataDirectory& directory, const std::string& name,
                                                const TopicPartition& tp, std::string_view suffix) {
  // Kafka's name: topic-partition.uniqueid-delete, the topic cut where that gets too long
  // (UnifiedLog.logDeleteDirName).
  const std::string rest = fmt::format("-{}.{}{}", tp.partition.value(), uniqueId(), suffix);
  std::string away = directory.path(tp.topic.substr(0, kLongestName - rest.size()) + rest);
  MILLRACE_CHECK_OK(judge(directory, files.rename(directory.path(name), away)));
  unsynced.insert(&directory);
  return away;
}

Result<std::string> LogManager::State::moveAway(DataDirectory& directory, const TopicPartition& tp,
                                                std::string_view suffix) {
  MILLRACE_TRY(std::string away, setAside(directory, tp.toString(), tp, suffix));
  removed.insert(tp);
  return away;
}

Status LogManager::syncRemovals() {
  std::set<DataDirectory*> changed;
  {
    const std::lock_guard lock(state_->mutex);
    changed.swap(state_->unsynced);
  }
  for (DataDirectory* directory : changed)
    MILLRACE_CHECK_OK(state_->judge(*directory, state_->files.syncDirectory(directory->path())));
  return {};
}

Status LogManager::State::forgetRemoved(const TopicPartition& tp) {
  if (!removed.contains(tp)) return {};
  for (const auto& directory : directories) {
    // After a crash, the old one's records must not go into the new one.
    if (directory->health()) MILLRACE_CHECK_OK(journals.at(directory.get())->commit().status);
    if (directory->health())
      MILLRACE_CHECK_OK(judge(*directory, files.syncDirectory(directory->path())));
  }
  MILLRACE_CHECK_OK(writeCheckpoints());
  removed.clear();
  return {};
}

Result<std::optional<Millis>> LogManager::purge(Millis now_ms) {
  std::vector<std::string> due;
  std::optional<Millis> next_ms;
  {
    const std::lock_guard lock(state_->mutex);
    for (const auto& doomed : state_->doomed) {
      if (doomed.due_ms <= now_ms)
        due.push_back(doomed.path);
      else
        next_ms = std::min(next_ms.value_or(doomed.due_ms), doomed.due_ms);
    }
    std::erase_if(state_->doomed, [now_ms](const auto& d) { return d.due_ms <= now_ms; });
  }
  // Were the name lost in a crash, and its files not, a log without its records would be back.
  if (!due.empty()) MILLRACE_CHECK_OK(syncRemovals());
  Status outcome;
  for (const std::string& path : due) {
    Status removed = state_->judgeAt(path, state_->files.removeAll(path));
    if (!removed && outcome) outcome = std::move(removed);
  }
  if (!outcome) return std::unexpected(outcome.error());
  return next_ms;
}

Status LogManager::unlink(const std::vector<std::string>& paths) {
  Status outcome;
  for (const std::string& path : paths) {
    Status removed = state_->files.remove(path);
    // Its log was deleted meanwhile.
    if (!removed && removed.error().code == Errc::kNotFound) continue;
    removed = state_->judgeAt(path, std::move(removed));
    if (!removed && outcome) outcome = std::move(removed);
  }
  return outcome;
}

Status LogManager::State::judgeAt(const std::string& path, Status status) const {
  if (status) return status;
  DataDirectory* holder = nullptr;  // one directory may lie in another
  for (const auto& directory : directories)
    if (path.starts_with(directory->path() + "/") &&
        (holder == nullptr || holder->path().size() < directory->path().size()))
      holder = directory.get();
  return holder == nullptr ? status : judge(*holder, std::move(status));
}

}  // namespace millrace::log
