#include "log/log_manager.h"

#include "log/data_directory.h"

#include <fmt/format.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <unordered_map>

namespace millrace::log {

struct LogManager::State {
  struct Entry {
    std::unique_ptr<PartitionLog> log;
    DataDirectory* directory = nullptr;
  };
  struct Doomed {
    std::string path;
    Millis due_ms;
  };

  LogManagerOptions options;
  FileSystem& files;
  LoadReport report;
  mutable std::mutex mutex;
  std::vector<std::unique_ptr<DataDirectory>> directories;
  std::unordered_map<TopicPartition, Entry> logs;
  std::vector<Doomed> doomed;
  /// Where logs were removed and the directory not synced since.
  std::set<DataDirectory*> unsynced;
  /// Logs that could not be opened, and why: they must not be made anew.
  std::unordered_map<TopicPartition, Error> offline;

  explicit State(LogManagerOptions given)
      : options(std::move(given)),
        files(options.files != nullptr ? *options.files : systemFiles()) {}

  [[nodiscard]] LogConfig configOf(const std::string& topic) const {
    return options.config_of ? options.config_of(topic) : options.defaults;
  }
  [[nodiscard]] Status openAll();
  [[nodiscard]] Status takeIn(DataDirectory& directory, const TopicPartition& tp,
                              Result<std::unique_ptr<PartitionLog>> opened);
  [[nodiscard]] DataDirectory& leastUsed() const;
  [[nodiscard]] Status writeCheckpoints();
};

namespace {

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
    s.directories.push_back(std::make_unique<DataDirectory>(s.files, path));
    MILLRACE_CHECK_OK(s.directories.back()->open());
  }
  if (s.directories.empty()) return fail(Errc::kConfig, "log.dirs names no directory");
  MILLRACE_CHECK_OK(s.openAll());
  return manager;
}

Status LogManager::State::openAll() {
  struct Work {
    DataDirectory* directory;
    TopicPartition tp;
    Result<std::unique_ptr<PartitionLog>> opened;
  };
  std::vector<Work> work;
  report.clean = true;
  for (const auto& directory : directories) {
    report.clean = report.clean && (directory->clean() || directory->found().empty());
    for (const std::string& path : directory->leftovers()) doomed.push_back({path, 0});
    for (const std::string& note : directory->complaints()) report.notes.push_back(note);
    for (const TopicPartition& tp : directory->found())
      work.push_back({directory.get(), tp, nullptr});
  }
  const Clock& clock = options.clock != nullptr ? *options.clock : systemClock();
  const Millis now_ms = clock.wallMs();
  inParallel(options.recovery_threads, work.size(), [&](std::size_t i) {
    Work& w = work[i];
    w.opened = PartitionLog::open({.directory = w.directory->path(w.tp.toString()),
                                   .config = configOf(w.tp.topic),
                                   .log_start_offset = w.directory->logStart(w.tp),
                                   .recovery_point = w.directory->recoveryPoint(w.tp),
                                   .high_watermark = w.directory->highWatermark(w.tp),
                                   .cleaned_to = w.directory->cleanedTo(w.tp),
                                   .now_ms = now_ms,
                                   .clean_shutdown = w.directory->clean(),
                                   .files = &files});
  });
  for (Work& w : work) MILLRACE_CHECK_OK(takeIn(*w.directory, w.tp, std::move(w.opened)));
  for (const auto& directory : directories) {
    directory->forgetCheckpoints();
    MILLRACE_CHECK_OK(directory->removeMarker());
  }
  return {};
}

Status LogManager::State::takeIn(DataDirectory& directory, const TopicPartition& tp,
                                 Result<std::unique_ptr<PartitionLog>> opened) {
  if (!opened) {
    // The rest serves on; whoever asks for this partition gets the error.
    offline.emplace(tp, opened.error());
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
    return fail(Errc::kConfig, fmt::format("{} stands in two data directories", tp.toString()));
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

DataDirectory& LogManager::State::leastUsed() const {
  if (directories.size() == 1) return *directories.front();
  std::unordered_map<const DataDirectory*, std::size_t> used;
  for (const auto& [tp, entry] : logs) ++used[entry.directory];
  return **std::ranges::min_element(directories, {}, [&](const auto& d) { return used[d.get()]; });
}

Result<PartitionLog*> LogManager::create(const TopicPartition& tp, const Uuid& topic_id,
                                         const LogConfig& config) {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  const auto found = s.logs.find(tp);
  if (found != s.logs.end()) {
    PartitionLog* log = found->second.log.get();
    if (!topic_id.isZero() && !log->topicId().isZero() && log->topicId() != topic_id)
      return fail(Errc::kInconsistentTopicId,
                  fmt::format("{} belongs to topic id {}, not {}", log->directory(),
                              log->topicId().toString(), topic_id.toString()));
    if (log->topicId().isZero() && !topic_id.isZero()) MILLRACE_CHECK_OK(log->adopt(topic_id));
    return log;
  }
  const auto broken = s.offline.find(tp);
  if (broken != s.offline.end()) return std::unexpected(broken->second);
  DataDirectory& directory = s.leastUsed();
  MILLRACE_TRY(auto log, PartitionLog::open({.directory = directory.path(tp.toString()),
                                             .config = config,
                                             .topic_id = topic_id,
                                             .files = &s.files}));
  PartitionLog* const made = log.get();
  s.logs.emplace(tp, State::Entry{std::move(log), &directory});
  return made;
}

Status LogManager::remove(const TopicPartition& tp, Millis now_ms) {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  const auto found = s.logs.find(tp);
  if (found == s.logs.end()) return fail(Errc::kNotFound, "no log " + tp.toString());
  const std::string path = found->second.log->directory();
  const Millis delay = found->second.log->config().file_delete_delay_ms;
  // Kafka's name: topic-partition.uniqueid-delete. Ids are 32 characters long, without dashes.
  std::string id = randomUuid().toString();
  std::erase(id, '-');
  const std::string away =
      found->second.directory->path(fmt::format("{}.{}{}", tp.toString(), id, kDeleteDirSuffix));
  if (found->second.log->hasDirectory()) {
    MILLRACE_CHECK_OK(s.files.rename(path, away));
    s.doomed.push_back({away, now_ms + delay});
    s.unsynced.insert(found->second.directory);
  }
  s.logs.erase(found);
  return {};
}

Status LogManager::syncRemovals() {
  std::set<DataDirectory*> changed;
  {
    const std::lock_guard lock(state_->mutex);
    changed.swap(state_->unsynced);
  }
  for (const DataDirectory* directory : changed)
    MILLRACE_CHECK_OK(state_->files.syncDirectory(directory->path()));
  return {};
}

Status LogManager::State::writeCheckpoints() {
  for (const auto& directory : directories) {
    DataDirectory::Checkpoints points;
    for (const auto& [tp, entry] : logs) {
      if (entry.directory != directory.get()) continue;
      // What is not mentioned is at 0.
      if (entry.log->endOffset() == Offset{0}) continue;
      points.recovery_points.emplace(tp, entry.log->recoveryPoint());
      if (entry.log->startOffset() > Offset{0})
        points.log_starts.emplace(tp, entry.log->startOffset());
      points.high_watermarks.emplace(tp, entry.log->highWatermark());
      if (entry.log->cleanedTo() > Offset{0}) points.cleaned_to.emplace(tp, entry.log->cleanedTo());
    }
    MILLRACE_CHECK_OK(directory->writeCheckpoints(points));
  }
  return {};
}

Status LogManager::writeCheckpoints() {
  const std::lock_guard lock(state_->mutex);
  return state_->writeCheckpoints();
}

Status LogManager::purge(Millis now_ms) {
  std::vector<std::string> due;
  {
    const std::lock_guard lock(state_->mutex);
    for (const auto& doomed : state_->doomed)
      if (doomed.due_ms <= now_ms) due.push_back(doomed.path);
    std::erase_if(state_->doomed, [now_ms](const auto& d) { return d.due_ms <= now_ms; });
  }
  for (const std::string& path : due) MILLRACE_CHECK_OK(state_->files.removeAll(path));
  return {};
}

Status LogManager::close(std::int64_t broker_epoch) {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  std::vector<State::Entry*> entries;
  for (auto& [tp, entry] : s.logs) entries.push_back(&entry);
  std::vector<Status> outcomes(entries.size());
  inParallel(s.options.recovery_threads, entries.size(),
             [&](std::size_t i) { outcomes[i] = entries[i]->log->close(); });
  MILLRACE_CHECK_OK(s.writeCheckpoints());
  for (const auto& directory : s.directories) {
    bool clean = true;
    for (std::size_t i = 0; i < entries.size(); ++i)
      clean = clean && (entries[i]->directory != directory.get() || outcomes[i]);
    if (clean) MILLRACE_CHECK_OK(directory->writeMarker(broker_epoch));
    directory->unlock();
  }
  s.logs.clear();
  for (Status& outcome : outcomes)
    if (!outcome) return outcome;
  return {};
}

const std::vector<std::string>& LogManager::directories() const {
  return state_->options.directories;
}

FileSystem& LogManager::files() const { return state_->files; }

}  // namespace millrace::log
