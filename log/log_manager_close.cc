// A clean stop: all logs on disk, then the checkpoints, then the marker that vouches for them.
#include "log/file_slot.h"
#include "log/journal/in_threads.h"
#include "log/log_manager_state.h"

#include <algorithm>

namespace millrace::log {

namespace {

/// It is the disk that they wait for.
constexpr std::size_t kClosingThreads = 32;

struct Closing {
  PartitionLog* log;
  Status outcome;
  FlushJob written;
};

Status firstFailure(const std::vector<Closing>& logs) {
  const auto failed = std::ranges::find_if(logs, [](const Closing& c) { return !c.outcome; });
  return failed == logs.end() ? Status{} : failed->outcome;
}

}  // namespace

Status LogManager::State::closeLogs(DataDirectory& directory) {
  std::vector<Closing> closing;
  for (auto& [tp, entry] : logs)
    if (entry.directory == &directory) closing.push_back({entry.log.get(), {}, {}});
  const std::size_t threads =
      options.recovery_threads > 1 ? FileSlot::threadsAtOnce(kClosingThreads) : 1;
  const auto forEach = [&](const auto& fn) {
    inThreads(closing.size(), [&](std::size_t i) { fn(closing[i]); }, threads);
  };
  const auto close = [](Closing& c) {
    if (c.outcome) c.outcome = c.log->close();
  };
  const auto unsynced_logs = static_cast<std::size_t>(
      std::ranges::count_if(closing, [](const Closing& c) { return c.log->needsFlush(); }));
  if (unsynced_logs < options.logs_synced_together) {
    forEach(close);
    return firstFailure(closing);
  }
  forEach([](Closing& c) {
    auto written = c.log->writeOut();
    if (written) c.written = std::move(*written);
    if (!written) c.outcome = std::unexpected(written.error());
  });
  const Result<bool> synced = directory.syncAll();
  if (synced && !*synced) {
    forEach(close);
    return firstFailure(closing);
  }
  const Status outcome = synced ? Status{} : std::unexpected(synced.error());
  (void)judge(directory, outcome);
  forEach([&](Closing& c) {
    if (c.outcome) c.outcome = c.log->closed(c.written, outcome);
  });
  return firstFailure(closing);
}

Status LogManager::close(std::int64_t broker_epoch) {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  std::map<const DataDirectory*, Status> outcomes;
  for (const auto& directory : s.directories) outcomes[directory.get()] = s.closeLogs(*directory);
  MILLRACE_CHECK_OK(s.writeCheckpoints());
  Status first;
  for (const auto& directory : s.directories) {
    Status& outcome = outcomes[directory.get()];
    if (outcome && directory->health()) {
      outcome = s.judge(*directory, s.journals.at(directory.get())->close());
      if (outcome) outcome = s.judge(*directory, directory->writeMarker(broker_epoch));
    }
    directory->unlock();
    if (first) first = outcome;
  }
  s.logs.clear();
  return first;
}

}  // namespace millrace::log
