#include "log/log_manager.h"

#include "log/log_manager_state.h"

#include <fmt/format.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <unordered_map>

namespace millrace::log {

namespace {

/// Kafka takes the whole directory offline where a file of it cannot be read or written.
bool isDiskFailure(const Error& error) {
  return error.code == Errc::kIo || error.code == Errc::kDiskFull;
}

/// Tells how far the opening of logs has come. From any thread.
class Progress {
 public:
  Progress(const LogManagerOptions& options, std::size_t total)
      : tell_(options.on_progress), total_(total) {}

  void count(std::uint64_t scanned_bytes) {
    const std::size_t opened = opened_.fetch_add(1, std::memory_order_relaxed) + 1;
    const std::uint64_t bytes = bytes_.fetch_add(scanned_bytes, std::memory_order_relaxed);
    const auto now = Clock::now();
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock || !tell_ || now - told_ < std::chrono::seconds(1)) return;
    told_ = now;
    tell_(opened, total_, bytes + scanned_bytes);
  }

 private:
  using Clock = std::chrono::steady_clock;
  const std::function<void(std::size_t, std::size_t, std::uint64_t)>& tell_;
  std::size_t total_;
  std::atomic<std::size_t> opened_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::mutex mutex_;
  Clock::time_point told_ = Clock::now();
};

/// Runs `fn(i)` for i in [0, n) on up to `threads` threads; the calling thread alone where that is
/// enough.
template <class Fn>
void inParallel(int threads, std::size_t n, Fn fn) {
  if (threads <= 1 || n <= 1) {
    for (std::size_t i = 0; i < n; ++i) fn(i);
    return;
  }
  tbb::task_arena arena(threads);
  arena.execute([&] { tbb::parallel_for(std::size_t{0}, n, fn); });
}

}  // namespace

LogManager::LogManager(LogManagerOptions options)
    : state_(std::make_unique<State>(std::move(options))) {}

LogManager::~LogManager() = default;

Result<std::unique_ptr<LogManager>> LogManager::open(LogManagerOptions options) {
  std::unique_ptr<LogManager> manager(new LogManager(std::move(options)));
  State& s = *manager->state_;
  std::set<std::string> seen;
  for (const std::string& path : s.options.directories) {
    if (!seen.insert(path).second) return fail(Errc::kConfig, path + " stands twice in log.dirs");
    MILLRACE_CHECK_OK(s.openDirectory(path));
  }
  if (s.directories.empty()) return fail(Errc::kConfig, "log.dirs names no directory");
  const std::string& metadata = s.options.metadata_directory;
  if (!metadata.empty() && !seen.contains(metadata)) MILLRACE_CHECK_OK(s.openDirectory(metadata));
  MILLRACE_CHECK_OK(s.checkDirectories());
  MILLRACE_CHECK_OK(s.openAll());
  MILLRACE_CHECK_OK(s.checkDirectories());
  return manager;
}

Status LogManager::State::openDirectory(const std::string& path) {
  directories.push_back(std::make_unique<DataDirectory>(files, path));
  DataDirectory& directory = *directories.back();
  const auto known = options.broken.find(path);
  const Status opened =
      known == options.broken.end() ? directory.open() : std::unexpected(known->second);
  if (opened) return {};
  // Somebody else's directory is a mistake in the configuration, not a broken disk.
  if (known == options.broken.end() && opened.error().code == Errc::kConfig) return opened;
  directory.goOffline(opened.error());
  return {};
}

Status LogManager::State::checkDirectories() const {
  for (const auto& directory : directories) {
    const Status health = directory->health();
    if (health || (directories.size() > 1 && directory->path() != options.metadata_directory))
      continue;
    return fail(health.error().code, fmt::format("the data directory {} cannot be used: {}",
                                                 directory->path(), health.error().detail));
  }
  const auto usable = [this](const auto& d) { return isLogDir(*d) && d->health(); };
  if (std::ranges::any_of(directories, usable)) return {};
  return fail(Errc::kIo,
              fmt::format("none of log.dirs can be used; {}: {}", directories.front()->path(),
                          directories.front()->health().error().detail));
}

bool LogManager::State::isLogDir(const DataDirectory& directory) const {
  return std::ranges::find(options.directories, directory.path()) != options.directories.end();
}

Uuid LogManager::State::idOf(const DataDirectory& directory) const {
  const auto found = options.directory_ids.find(directory.path());
  return found == options.directory_ids.end() ? Uuid{} : found->second;
}

Status LogManager::State::judge(DataDirectory& directory, Status status) const {
  if (status) return status;
  Error cause = status.error();
  // A file that is not there is no failure of the disk, unless all of them are gone.
  if (cause.code == Errc::kNotFound)
    if (const Status present = directory.checkPresent(); !present) cause = present.error();
  const bool failed = isDiskFailure(cause) && directory.goOffline(cause);
  if (failed && options.on_failure) options.on_failure(directory.path(), cause);
  return status;
}

Status LogManager::State::openAll() {
  struct Work {
    DataDirectory* directory;
    TopicPartition tp;
    Result<std::unique_ptr<PartitionLog>> opened;
  };
  std::vector<Work> work;
  const auto left = settleMoves();
  report.clean = true;
  for (const auto& directory : directories) {
    if (!directory->health()) continue;
    report.clean = report.clean && (directory->clean() || directory->found().empty());
    for (const std::string& path : directory->leftovers()) doomed.push_back({path, 0});
    for (const std::string& note : directory->complaints()) report.notes.push_back(note);
    for (const TopicPartition& tp : directory->found())
      if (!left.contains({directory.get(), tp})) work.push_back({directory.get(), tp, nullptr});
  }
  const Clock& clock = options.clock != nullptr ? *options.clock : systemClock();
  const Millis now_ms = clock.wallMs();
  Progress progress(options, work.size());
  inParallel(options.recovery_threads, work.size(), [&](std::size_t i) {
    Work& w = work[i];
    w.opened = openLog(*w.directory, w.tp, now_ms);
    progress.count(w.opened ? (*w.opened)->recovery().scanned_bytes : 0);
  });
  for (Work& w : work) MILLRACE_CHECK_OK(takeIn(*w.directory, w.tp, std::move(w.opened)));
  MILLRACE_CHECK_OK(confirmCuts());
  for (const auto& directory : directories) takeIntoUse(*directory);
  settleMarkers();
  adoptFutures();
  // What is left of a checkpoint file and its copy, where one was damaged, is alone until then.
  const bool damaged = std::ranges::any_of(directories, [](const auto& directory) {
    return directory->health() && !directory->complaints().empty();
  });
  return damaged ? writeCheckpoints() : Status{};
}

Status LogManager::State::confirmCuts() {
  std::vector<Entry*> cut;
  for (auto& [tp, entry] : logs)
    if (entry.log->cutPending()) cut.push_back(&entry);
  if (cut.empty()) return {};
  MILLRACE_CHECK_OK(writeCheckpoints());
  for (Entry* const entry : cut)
    if (entry->directory->health()) (void)judge(*entry->directory, entry->log->confirmCut());
  return {};
}

void LogManager::State::takeIntoUse(DataDirectory& directory) {
  openJournal(directory);
  setOwnerlessAside(directory);
  removed.merge(directory.strangers());
  directory.forgetCheckpoints();
  if (directory.health())
    if (const Status removed_marker = directory.removeMarker(); !removed_marker)
      directory.goOffline(removed_marker.error());
  const Status health = directory.health();
  if (health) return;
  abandon(directory);
  report.notes.push_back(
      fmt::format("log.dirs: {} is offline: {}", directory.path(), health.error().toString()));
}

Result<std::unique_ptr<PartitionLog>> LogManager::State::openLog(DataDirectory& directory,
                                                                 const TopicPartition& tp,
                                                                 Millis now_ms) {
  // The rest of a disk that failed meanwhile need not be tried.
  if (const Status health = directory.health(); !health) return std::unexpected(health.error());
  auto opened = PartitionLog::open({.directory = directory.path(tp.toString()),
                                    .config = configOf(tp.topic),
                                    .log_start_offset = directory.logStart(tp),
                                    .recovery_point = directory.recoveryPoint(tp),
                                    .high_watermark = directory.highWatermark(tp),
                                    .cleaned_to = directory.cleanedTo(tp),
                                    .now_ms = now_ms,
                                    .clean_shutdown = directory.clean(),
                                    .files = &files,
                                    .on_disk_failure = failureOf(directory)});
  if (!opened && isDiskFailure(opened.error())) directory.goOffline(opened.error());
  return opened;
}

std::function<void(const Error&)> LogManager::State::failureOf(DataDirectory& directory) {
  return [this, &directory](const Error& cause) { (void)judge(directory, std::unexpected(cause)); };
}

Status LogManager::State::takeIn(DataDirectory& directory, const TopicPartition& tp,
                                 Result<std::unique_ptr<PartitionLog>> opened) {
  if (!opened) {
    // The rest serves on; whoever asks for this partition gets the error.
    offline.insert_or_assign(tp, Offline{opened.error(), &directory, pointsIn(directory, tp)});
    if (isDiskFailure(opened.error())) return {};  // its directory is what there is to tell of
    report.notes.push_back(
        fmt::format("{} stays offline: {}", tp.toString(), opened.error().toString()));
    return {};
  }
  const RecoveryInfo& found = (*opened)->recovery();
  ++report.logs;
  report.scanned_bytes += found.scanned_bytes;
  report.truncated_bytes += found.truncated_bytes;
  if (found.truncated_bytes > 0)
    report.notes.push_back(fmt::format("{}: cut {} bytes at offset {}: {}", tp.toString(),
                                       found.truncated_bytes, (*opened)->endOffset().value(),
                                       found.damage));
  if (!logs.emplace(tp, Entry{std::move(*opened), &directory}).second)
    return fail(
        Errc::kConfig,
        fmt::format("{} stands in two data directories, {} and {}: perhaps one was copied, or "
                    "a replica was on its way to another directory; remove the one of the "
                    "two that is not up to date",
                    tp.toString(), logs.at(tp).directory->path(), directory.path()));
  return {};
}

const LoadReport& LogManager::report() const { return state_->report; }

PartitionLog* LogManager::find(const TopicPartition& tp) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->logs.find(tp);
  return found == state_->logs.end() ? nullptr : found->second.log.get();
}

std::vector<std::pair<TopicPartition, PartitionLog*>> LogManager::all() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<std::pair<TopicPartition, PartitionLog*>> out;
  out.reserve(state_->logs.size());
  for (const auto& [tp, entry] : state_->logs) out.emplace_back(tp, entry.log.get());
  return out;
}

std::vector<LogManager::LogInfo> LogManager::describe() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<LogInfo> out;
  out.reserve(state_->logs.size());
  for (const auto& [tp, entry] : state_->logs)
    out.push_back({tp, entry.directory->path(), entry.log->sizeInBytes(),
                   std::max<std::int64_t>(entry.log->highWatermark() - entry.log->endOffset(), 0)});
  for (const auto& [tp, moving] : state_->moves) {
    const auto log = state_->logs.find(tp);
    if (moving.left.log != nullptr || log == state_->logs.end()) continue;
    const FutureLog& future = *moving.future;
    out.push_back({tp, moving.to->path(), future.sizeInBytes(),
                   log->second.log->endOffset() - future.endOffset(), true});
  }
  return out;
}

Result<DataDirectory*> LogManager::State::leastUsed() const {
  std::unordered_map<const DataDirectory*, std::size_t> used;
  if (directories.size() > 1)
    for (const auto& [tp, entry] : logs) ++used[entry.directory];
  DataDirectory* least = nullptr;
  for (const auto& directory : directories) {
    if (!isLogDir(*directory)) continue;
    // The log may lie there already.
    if (const Status health = directory->health(); !health)
      return fail(Errc::kKafkaStorageError,
                  fmt::format("{} is offline: {}", directory->path(), health.error().detail));
    if (least == nullptr || used[directory.get()] < used[least]) least = directory.get();
  }
  return least;
}

Result<DataDirectory*> LogManager::State::place(const Uuid& directory_id) const {
  if (options.directory_ids.empty()) return leastUsed();
  if (!isGiven(directory_id)) return leastUsed();
  for (const auto& directory : directories) {
    if (idOf(*directory) != directory_id) continue;
    const Status health = directory->health();
    if (health) return directory.get();
    return fail(Errc::kKafkaStorageError,
                fmt::format("{} is offline: {}", directory->path(), health.error().detail));
  }
  return fail(Errc::kKafkaStorageError,
              fmt::format("it lies in the data directory with id {}, which is not in log.dirs",
                          directory_id.toString()));
}

void LogManager::State::abandon(const DataDirectory& directory) {
  const Status health = directory.health();
  std::vector<TopicPartition> given_up;
  for (const auto& [tp, moving] : moves) {
    const auto log = logs.find(tp);
    const bool from_here = log != logs.end() && log->second.directory == &directory;
    if (from_here || moving.to == &directory) given_up.push_back(tp);
  }
  // A copy that cannot be renamed lies in a directory that is offline: a start goes on with it.
  for (const TopicPartition& tp : given_up) (void)dropMove(tp, 0);
  std::erase_if(logs, [&](auto& item) {
    auto& [tp, entry] = item;
    if (entry.directory != &directory) return false;
    offline.insert_or_assign(
        tp, Offline{{Errc::kKafkaStorageError,
                     fmt::format("{} is offline: {}", directory.path(), health.error().detail)},
                    entry.directory});
    return true;
  });
}

void LogManager::abandon(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  for (const auto& directory : state_->directories)
    if (directory->path() == path && !directory->health()) state_->abandon(*directory);
}

void LogManager::fileFailed(const std::string& path, const Error& cause) {
  (void)state_->judgeAt(path, std::unexpected(cause));
}

void LogManager::probeDirectories() {
  for (const auto& directory : state_->directories)
    if (directory->health()) (void)state_->judge(*directory, directory->checkPresent());
}

std::vector<LogManager::DirectoryState> LogManager::directoryStates() const {
  std::vector<DirectoryState> states;
  for (const auto& directory : state_->directories)
    if (state_->isLogDir(*directory))
      states.push_back({directory->path(), state_->idOf(*directory), directory->health()});
  return states;
}

Result<PartitionLog*> LogManager::create(const TopicPartition& tp, const Uuid& topic_id,
                                         const LogConfig& config, const Uuid& directory_id) {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  const auto found = s.logs.find(tp);
  if (found != s.logs.end()) {
    PartitionLog* log = found->second.log.get();
    if (const Status health = found->second.directory->health(); !health)
      return fail(
          Errc::kKafkaStorageError,
          fmt::format("{} is offline: {}", found->second.directory->path(), health.error().detail));
    if (!topic_id.isZero() && !log->topicId().isZero() && log->topicId() != topic_id)
      return fail(Errc::kInconsistentTopicId,
                  fmt::format("{} belongs to topic id {}, not {}", log->directory(),
                              log->topicId().toString(), topic_id.toString()));
    MILLRACE_CHECK_OK(s.mustLieIn(tp, found->second, directory_id));
    if (log->topicId().isZero() && !topic_id.isZero()) MILLRACE_CHECK_OK(log->adopt(topic_id));
    return log;
  }
  const auto broken = s.offline.find(tp);
  if (broken != s.offline.end()) return std::unexpected(broken->second.cause);
  MILLRACE_CHECK_OK(s.forgetRemoved(tp));
  MILLRACE_TRY(DataDirectory* const directory, s.place(directory_id));
  if (const Status present = s.judge(*directory, directory->checkPresent()); !present)
    return fail(Errc::kKafkaStorageError, present.error().detail);
  MILLRACE_TRY(auto log, PartitionLog::open({.directory = directory->path(tp.toString()),
                                             .config = config,
                                             .topic_id = topic_id,
                                             .files = &s.files,
                                             .on_disk_failure = s.failureOf(*directory),
                                             .journal = s.journals.at(directory).get()}));
  PartitionLog* const made = log.get();
  s.logs.emplace(tp, State::Entry{std::move(log), directory});
  return made;
}

void LogManager::State::Points::addTo(DataDirectory::Checkpoints& all,
                                      const TopicPartition& tp) const {
  all.recovery_points.emplace(tp, recovery_point);
  all.high_watermarks.emplace(tp, high_watermark);
  if (log_start > Offset{0}) all.log_starts.emplace(tp, log_start);
  if (cleaned_to > Offset{0}) all.cleaned_to.emplace(tp, cleaned_to);
}

LogManager::State::Points LogManager::State::pointsOf(const PartitionLog& log) {
  return {log.recoveryPoint(), log.startOffset(), log.highWatermark(), log.cleanedTo()};
}

LogManager::State::Points LogManager::State::pointsIn(const DataDirectory& directory,
                                                      const TopicPartition& tp) {
  return {directory.recoveryPoint(tp), directory.logStart(tp), directory.highWatermark(tp),
          directory.cleanedTo(tp)};
}

Status LogManager::State::writeCheckpoints() {
  for (const auto& directory : directories) {
    if (!directory->health() || !judge(*directory, directory->checkPresent())) continue;
    DataDirectory::Checkpoints points;
    for (const auto& [tp, entry] : logs)
      // What is not mentioned is at 0.
      if (entry.directory == directory.get() && entry.log->endOffset() > Offset{0})
        pointsOf(*entry.log).addTo(points, tp);
    for (const auto& [tp, log] : offline)
      if (log.directory == directory.get()) log.points.addTo(points, tp);
    for (const auto& [tp, moving] : moves)
      if (moving.to == directory.get() && moving.points) moving.points->addTo(points, tp);
    // One that fails goes offline; the others have theirs written.
    (void)judge(*directory, directory->writeCheckpoints(points));
  }
  return {};
}

Status LogManager::writeCheckpoints() {
  const std::lock_guard lock(state_->mutex);
  return state_->writeCheckpoints();
}

const std::vector<std::string>& LogManager::directories() const {
  return state_->options.directories;
}

FileSystem& LogManager::files() const { return state_->files; }

}  // namespace millrace::log
