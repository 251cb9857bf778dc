// Logs that move from one data directory to another (KIP-113): which are on their way, and how the
// copy takes the log's place. README.md says what a start makes of each step.
#include "log/log_manager_state.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::log {
namespace {

std::string pathOf(const DataDirectory& directory, const TopicPartition& tp,
                   std::string_view marker) {
  return directory.path(tp.toString() + "/" + std::string(marker));
}

/// What a marker says; empty where there is none. A directory where that cannot be read goes
/// offline.
std::string markerIn(FileSystem& files, DataDirectory& directory, const TopicPartition& tp,
                     std::string_view marker) {
  auto text = files.readAll(pathOf(directory, tp, marker));
  if (!text && text.error().code != Errc::kNotFound) directory.goOffline(text.error());
  return text ? std::string(*text) : std::string();
}

enum class Claim : std::uint8_t { kNone, kVoid, kGood };

/// Whether the log in `here` took the place of the one in `there`. Void: it was about to, and that
/// one stayed.
Claim claimOf(FileSystem& files, const TopicPartition& tp, DataDirectory& here,
              DataDirectory& there) {
  const std::string moved = markerIn(files, here, tp, kMovedMarker);
  const std::string moving = markerIn(files, there, tp, kMovingMarker);
  if (moved.empty()) return Claim::kNone;
  return moved == moving ? Claim::kGood : Claim::kVoid;
}

}  // namespace

std::set<std::pair<const DataDirectory*, TopicPartition>> LogManager::State::settleMoves() {
  std::set<std::pair<const DataDirectory*, TopicPartition>> left;
  std::map<TopicPartition, std::vector<DataDirectory*>> places;
  for (const auto& directory : directories)
    for (const TopicPartition& tp : directory->found())
      if (directory->health()) places[tp].push_back(directory.get());
  for (const auto& [tp, in] : places) {
    if (in.size() != 2) continue;
    const Claim first = claimOf(files, tp, *in[0], *in[1]);
    const Claim second = claimOf(files, tp, *in[1], *in[0]);
    const bool online = in[0]->health() && in[1]->health();
    if (!online || first == second) continue;  // takeIn() tells of two
    const bool first_stays = first > second ? first == Claim::kGood : second == Claim::kVoid;
    DataDirectory& loser = first_stays ? *in[1] : *in[0];
    DataDirectory& winner = first_stays ? *in[0] : *in[1];
    left.emplace(&loser, tp);
    Status gone = doom(loser, tp, 0);
    if (gone) gone = files.syncDirectory(loser.path());
    if (!gone) loser.goOffline(gone.error());
    report.notes.push_back(
        fmt::format("{} has moved from {} to {}", tp.toString(), loser.path(), winner.path()));
  }
  return left;
}

void LogManager::State::settleMarkers() {
  const bool all_online =
      std::ranges::all_of(directories, [](const auto& d) { return d->health().has_value(); });
  std::vector<TopicPartition> unknown;
  for (auto& [tp, entry] : logs) {
    DataDirectory& here = *entry.directory;
    // While a directory is offline, the log that was left may come back in it.
    if (entry.log->recovery().moved && all_online)
      (void)judge(here, files.remove(pathOf(here, tp, kMovedMarker)));
    if (!entry.log->recovery().moving) continue;
    const std::string copy = FutureName{tp, markerIn(files, here, tp, kMovingMarker)}.toString();
    const bool waits = std::ranges::any_of(directories, [&copy](const auto& directory) {
      return std::ranges::find(directory->futures(), copy) != directory->futures().end();
    });
    if (waits) {
      (void)stay(here, entry.log->directory());
    } else if (all_online) {
      entry.may_have_moved = true;
    } else {
      unknown.push_back(tp);
    }
  }
  for (const TopicPartition& tp : unknown) {
    const auto log = logs.extract(tp);
    Error cause{Errc::kKafkaStorageError,
                fmt::format("{}: its copy was about to take its place, and a directory is offline "
                            "that may hold it",
                            log.mapped().log->directory())};
    report.notes.push_back(fmt::format("{} stays offline: {}", tp.toString(), cause.detail));
    offline.insert_or_assign(
        tp, Offline{std::move(cause), log.mapped().directory, pointsOf(*log.mapped().log)});
  }
}

Status LogManager::State::mustLieIn(const TopicPartition& tp, Entry& entry,
                                    const Uuid& directory_id) {
  if (!entry.may_have_moved) return {};
  if (isGiven(directory_id) && directory_id != idOf(*entry.directory))
    return fail(Errc::kKafkaStorageError,
                fmt::format("{} has moved from {} to the data directory with id {}, which is not "
                            "in log.dirs",
                            tp.toString(), entry.directory->path(), directory_id.toString()));
  MILLRACE_CHECK_OK(stay(*entry.directory, entry.log->directory()));
  entry.may_have_moved = false;
  return {};
}

Status LogManager::State::stay(DataDirectory& directory, const std::string& log) const {
  Status gone = files.remove(log + "/" + std::string(kMovingMarker));
  if (gone) gone = files.syncDirectory(log);
  return judge(directory, gone);
}

const char* LogManager::State::whyNotToMove(const DataDirectory& to, const FutureName& name) const {
  const auto log = logs.find(name.partition);
  if (log == logs.end()) return "there is no such log";
  if (log->second.directory == &to) return "the log is there already";
  if (moves.contains(name.partition)) return "another one is under way";
  const auto id = readPartitionMetadata({files, to.path(name.toString())});
  const Uuid wanted = log->second.log->topicId();
  if (!id || (*id && !wanted.isZero() && **id != wanted)) return "it is of another topic";
  return nullptr;
}

void LogManager::State::adoptFutures() {
  for (const auto& directory : directories) {
    if (!directory->health()) continue;
    for (const std::string& file : directory->futures()) {
      const auto name = parseFutureName(file);
      if (!name) continue;
      const bool unknown =
          !logs.contains(name->partition) &&
          (offline.contains(name->partition) ||
           std::ranges::any_of(directories, [](const auto& d) { return !d->health(); }));
      if (unknown) continue;  // its log may come back
      const char* const why = whyNotToMove(*directory, *name);
      if (why == nullptr) {
        auto future = std::make_shared<FutureLog>(files, *name, directory->path());
        moves.emplace(name->partition, Moving{std::move(future), directory.get()});
        continue;
      }
      report.notes.push_back(fmt::format("{}: {}: it is removed", directory->path(file), why));
      auto away = setAside(*directory, file, name->partition, kDeleteDirSuffix);
      if (away) doomed.push_back({std::move(*away), 0});
    }
  }
}

std::vector<LogManager::Move> LogManager::moves() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<Move> out;
  for (const auto& [tp, moving] : state_->moves)
    if (moving.left.log == nullptr) out.push_back({tp, moving.to->path(), moving.future});
  return out;
}

Status LogManager::State::dropMove(const TopicPartition& tp, Millis due_ms) {
  const auto found = moves.find(tp);
  if (found == moves.end()) return {};
  const Moving gone = std::move(found->second);
  moves.erase(found);
  gone.future->cancel();
  if (!gone.to->health()) return {};
  MILLRACE_TRY(std::string away,
               setAside(*gone.to, gone.future->name().toString(), tp, kDeleteDirSuffix));
  doomed.push_back({std::move(away), due_ms});
  return {};
}

Result<std::shared_ptr<FutureLog>> LogManager::beginMove(const TopicPartition& tp,
                                                         const std::string& path) {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  const auto to = std::ranges::find(s.directories, path, [](const auto& d) { return d->path(); });
  if (to == s.directories.end() || !s.isLogDir(**to))
    return fail(Errc::kLogDirNotFound, fmt::format("{} is not in log.dirs", path));
  const auto mustBeOnline = [&s](DataDirectory& directory) -> Status {
    const Status present =
        directory.health() ? s.judge(directory, directory.checkPresent()) : directory.health();
    if (present) return {};
    return fail(Errc::kKafkaStorageError,
                fmt::format("{} is offline: {}", directory.path(), present.error().detail));
  };
  MILLRACE_CHECK_OK(mustBeOnline(**to));
  if (const auto broken = s.offline.find(tp); broken != s.offline.end())
    return fail(Errc::kKafkaStorageError, broken->second.cause.detail);
  const auto log = s.logs.find(tp);
  if (log == s.logs.end()) return fail(Errc::kNotFound, "no log " + tp.toString());
  const auto before = s.moves.find(tp);
  if (before != s.moves.end() && before->second.to == to->get()) return nullptr;
  if (before != s.moves.end()) {
    DataDirectory& other = *before->second.to;
    MILLRACE_CHECK_OK(s.dropMove(tp, 0));
    // A start that finds both would not know which one is meant.
    MILLRACE_CHECK_OK(s.judge(other, s.files.syncDirectory(other.path())));
  }
  if (log->second.directory == to->get()) return nullptr;
  // As Kafka (ReplicaManager.alterReplicaLogDirs): where one is offline, there may be a copy in it.
  for (const auto& directory : s.directories) MILLRACE_CHECK_OK(mustBeOnline(*directory));
  auto future = std::make_shared<FutureLog>(s.files, FutureName{tp, s.uniqueId()}, path);
  s.moves.emplace(tp, State::Moving{future, to->get()});
  const Status begun = s.judgeUnlessFull(**to, future->begin(log->second.log->topicId()));
  if (begun) return future;
  // The next start must not go on with what was refused. Where it cannot be renamed, there is
  // nothing, or its directory is offline.
  (void)s.dropMove(tp, 0);
  return std::unexpected(begun.error());
}

void LogManager::moveFailed(const FutureLog& future, const Error& cause) {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  State::Moving* const moving = s.moveOf(future);
  if (moving == nullptr) return;
  if (future.fault() == FutureLog::Fault::kTarget)
    (void)s.judgeUnlessFull(*moving->to, std::unexpected(cause));
  // Its room is needed where the disk is full. What cannot be renamed is offline already.
  (void)s.dropMove(future.name().partition, 0);
}

Status LogManager::State::judgeUnlessFull(DataDirectory& directory, Status status) const {
  // The logs that lie there may have all the room they need.
  if (!status && status.error().code == Errc::kDiskFull) return status;
  return judge(directory, std::move(status));
}

LogManager::State::Moving* LogManager::State::moveOf(const FutureLog& future) {
  const auto found = moves.find(future.name().partition);
  return found == moves.end() || found->second.future.get() != &future ? nullptr : &found->second;
}

Result<std::unique_ptr<PartitionLog>> LogManager::State::putInPlace(DataDirectory& from,
                                                                    Moving& moving,
                                                                    const MoveSource& source,
                                                                    const LogConfig& config) {
  DataDirectory& to = *moving.to;
  const TopicPartition& tp = moving.future->name().partition;
  const std::string path = to.path(tp.toString());
  const LogFiles old{files, source.directory};
  const auto place = [&]() -> Result<std::unique_ptr<PartitionLog>> {
    if (const Status health = to.health(); !health) return std::unexpected(health.error());
    if (!source.absent)
      MILLRACE_CHECK_OK(judgeUnlessFull(
          from, files.writeAtomically(old.path(kMovingMarker), moving.future->name().id)));
    MILLRACE_CHECK_OK(judge(to, files.rename(moving.future->path(), path)));
    MILLRACE_CHECK_OK(judge(to, files.syncDirectory(to.path())));
    return PartitionLog::open({.directory = path,
                               .config = config,
                               .log_start_offset = moving.points->log_start,
                               .recovery_point = source.end,
                               .high_watermark = moving.points->high_watermark,
                               .cleaned_to = moving.points->cleaned_to,
                               .clean_shutdown = true,
                               .files = &files,
                               .on_disk_failure = failureOf(to),
                               .journal = journals.at(&to).get()});
  };
  auto placed = place();
  if (placed || source.absent) return placed;
  // Whether it has its name after a crash is unknown: the log must not lose against it.
  const Status stays = stay(from, old.directory);
  if (!stays && stays.error().code != Errc::kNotFound) return std::unexpected(stays.error());
  const auto there = files.exists(path);
  if (there && *there && to.health()) (void)doom(to, tp, 0);
  return placed;
}

Result<PartitionLog*> LogManager::takePlace(FutureLog& future, const MoveSource& source,
                                            const LogConfig& config) {
  State& s = *state_;
  const TopicPartition& tp = future.name().partition;
  MILLRACE_CHECK_OK(future.complete(source));
  const std::lock_guard lock(s.mutex);
  State::Moving* const moving = s.moveOf(future);
  if (moving == nullptr) return fail(Errc::kCancelled, "no move of " + tp.toString());
  State::Entry& entry = s.logs.at(tp);
  moving->points = {source.end, entry.log->startOffset(),
                    std::min(entry.log->highWatermark(), source.end), entry.log->cleanedTo()};
  // Before it has its name: without its recovery point it would be taken for a torn one.
  const Status written = s.writeCheckpoints();
  auto placed = !written ? Result<std::unique_ptr<PartitionLog>>(std::unexpected(written.error()))
                         : s.putInPlace(*entry.directory, *moving, source, config);
  moving->points.reset();
  if (!placed) return std::unexpected(placed.error());
  PartitionLog* const made = placed->get();
  moving->left = std::exchange(entry, State::Entry{std::move(*placed), moving->to});
  return made;
}

Status LogManager::finishMove(const TopicPartition& tp, Millis now_ms) {
  State& s = *state_;
  State::Entry left;
  {
    const std::lock_guard lock(s.mutex);
    const auto found = s.moves.find(tp);
    if (found == s.moves.end()) return fail(Errc::kNotFound, "no move of " + tp.toString());
    left = std::move(found->second.left);
    s.moves.erase(found);
  }
  DataDirectory& from = *left.directory;
  // What the journal has of it must not make it anew.
  if (left.log->hasDirectory()) MILLRACE_CHECK_OK(s.journals.at(&from)->commit().status);
  const std::lock_guard lock(s.mutex);
  if (left.log->hasDirectory()) {
    const auto& config = left.log->config();
    MILLRACE_CHECK_OK(s.doom(from, tp, laterBy(now_ms, config.file_delete_delay_ms)));
    MILLRACE_CHECK_OK(s.judge(from, s.files.syncDirectory(from.path())));
  }
  DataDirectory& to = *s.logs.at(tp).directory;
  return s.judge(to, s.files.remove(pathOf(to, tp, kMovedMarker)));
}

}  // namespace millrace::log
