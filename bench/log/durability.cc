// flush.on.ack beside no flush: producers that each wait for their acknowledgement before they send
// again, and what the disk can do at best: one pwrite and fdatasync for a whole round.
#include "bench/log/support.h"
#include "log/journal/journal.h"

#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <thread>

namespace millrace::bench {
namespace {

struct Case {
  std::size_t producers;
  std::size_t partitions;
  std::int64_t records;
  std::int64_t value_size;
};

/// The broker's scheme without its sockets: one thread appends for whoever may send, another
/// commits round after round.
class GroupCommitRun {
 public:
  GroupCommitRun(const LogBenchOptions& options, const Case& c)
      : dir_(options),
        case_(c),
        batch_(batchOf(c.records, c.value_size)),
        journal_({.files = &systemFiles(), .directory = dir_.path()}) {
    log::LogConfig config;
    config.flush_on_ack = true;
    for (std::size_t i = 0; i < c.partitions; ++i)
      logs_.push_back(
          orDie(log::PartitionLog::open({.directory = dir_.path("t-" + std::to_string(i)),
                                         .config = config,
                                         .topic_id = Uuid{1, 1},
                                         .journal = &journal_})));
    for (std::size_t i = 0; i < c.producers; ++i) ready_.push_back(i);
  }

  /// Acknowledged batches.
  Pace run(double seconds) {
    std::jthread committer([this](const std::stop_token& stop) { commitUntil(stop); });
    warmUp();
    const std::uint64_t before = acknowledged_;
    const Stopwatch watch;
    while (watch.seconds() < seconds) appendReady();
    std::unique_lock lock(mutex_);
    return {static_cast<double>(acknowledged_ - before), watch.seconds()};
  }

  [[nodiscard]] const log::Journal& journal() const { return journal_; }

 private:
  void warmUp() {
    const std::uint64_t enough = 2 * case_.producers;
    for (;;) {
      {
        const std::lock_guard lock(mutex_);
        if (acknowledged_ >= enough) return;
      }
      appendReady();
    }
  }

  void appendReady() {
    std::deque<std::size_t> sending;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !ready_.empty(); });
      sending.swap(ready_);
    }
    const auto view = orDie(record::BatchView::parse(batch_));
    for (const std::size_t producer : sending) {
      log::PartitionLog& log = *logs_[next_];
      next_ = next_ + 1 == logs_.size() ? 0 : next_ + 1;
      const auto done = log.append(view, {.now_ms = kTimestamp});
      if (!done) std::abort();
      const std::lock_guard lock(mutex_);
      waiting_.push_back({producer, done->round});
    }
    gathered_.notify_one();
  }

  void commitUntil(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      if (!journal_.hasGathered()) {
        std::unique_lock lock(mutex_);
        gathered_.wait_for(lock, std::chrono::milliseconds(5));
        continue;
      }
      const auto done = journal_.commit();
      orDie(done.status);
      const std::lock_guard lock(mutex_);
      while (!waiting_.empty() && waiting_.front().round <= done.round) {
        ready_.push_back(waiting_.front().producer);
        waiting_.pop_front();
        ++acknowledged_;
      }
      changed_.notify_one();
    }
    std::lock_guard lock(mutex_);
  }

  struct Waiting {
    std::size_t producer;
    std::uint64_t round;
  };

  TempDir dir_;
  Case case_;
  Bytes batch_;
  log::Journal journal_;
  std::vector<std::unique_ptr<log::PartitionLog>> logs_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable gathered_;
  std::deque<std::size_t> ready_;
  std::deque<Waiting> waiting_;
  std::size_t next_ = 0;
  std::uint64_t acknowledged_ = 0;
};

/// The same appends, acknowledged when they are in the page cache.
Pace withoutFlush(const LogBenchOptions& options, const Case& c) {
  const TempDir dir(options);
  std::vector<std::unique_ptr<log::PartitionLog>> logs;
  for (std::size_t i = 0; i < c.partitions; ++i)
    logs.push_back(
        orDie(log::PartitionLog::open({.directory = dir.path("t-" + std::to_string(i))})));
  const Bytes batch = batchOf(c.records, c.value_size);
  for (auto& log : logs) appendTo(*log, batch);
  Pace pace;
  const Stopwatch watch;
  while (watch.seconds() < options.seconds) {
    for (std::size_t i = 0; i < 64; ++i)
      appendTo(*logs[static_cast<std::size_t>(pace.units + static_cast<double>(i)) % logs.size()],
               batch);
    pace.units += 64;
  }
  pace.seconds = watch.seconds();
  return pace;
}

/// One write and one fdatasync for the batches of all producers, nothing else.
Pace rawSync(const LogBenchOptions& options, const Case& c) {
  const TempDir dir(options);
  const auto file = orDie(systemFiles().open(dir.path("raw"), OpenMode::kCreate));
  const Bytes round(batchOf(c.records, c.value_size).size() * c.producers, 'r');
  constexpr std::uint64_t kFileBytes = 64ULL << 20;
  const Bytes zeros(1 << 20, '\0');
  for (std::uint64_t at = 0; at < kFileBytes; at += zeros.size()) {
    const BytesView part = zeros;
    orDie(file->write(at, std::span(&part, 1)));
  }
  orDie(file->sync());
  Pace pace;
  std::uint64_t at = 0;
  const Stopwatch watch;
  while (watch.seconds() < options.seconds) {
    const BytesView bytes = round;
    orDie(file->write(at, std::span(&bytes, 1)));
    orDie(file->sync());
    at = (at + round.size() + 4095) / 4096 * 4096;
    if (at + round.size() > kFileBytes) at = 0;
    pace.units += static_cast<double>(c.producers);
  }
  pace.seconds = watch.seconds();
  return pace;
}

/// What group commit without a journal would cost: fdatasync of every log that was written.
Pace syncEach(const LogBenchOptions& options, const Case& c) {
  const TempDir dir(options);
  std::vector<std::unique_ptr<log::PartitionLog>> logs;
  for (std::size_t i = 0; i < c.partitions; ++i)
    logs.push_back(
        orDie(log::PartitionLog::open({.directory = dir.path("t-" + std::to_string(i))})));
  const Bytes batch = batchOf(c.records, c.value_size);
  std::size_t next = 0;
  Pace pace;
  const Stopwatch watch;
  while (watch.seconds() < options.seconds) {
    std::vector<log::PartitionLog*> touched;
    for (std::size_t i = 0; i < c.producers; ++i) {
      touched.push_back(logs[next].get());
      appendTo(*logs[next], batch);
      next = next + 1 == logs.size() ? 0 : next + 1;
    }
    for (log::PartitionLog* const log : touched) orDie(log->flush());
    pace.units += static_cast<double>(c.producers);
  }
  pace.seconds = watch.seconds();
  return pace;
}

void measure(const Case& c, const LogBenchOptions& options) {
  const auto bytes = static_cast<double>(batchOf(c.records, c.value_size).size());
  const Pace plain = withoutFlush(options, c);
  const Pace raw = rawSync(options, c);
  const Pace each = syncEach(options, c);
  GroupCommitRun run(options, c);
  const Pace ours = run.run(options.seconds);
  const auto counters = run.journal().counters();
  std::printf(
      "flush.on.ack %4zu producers %5zu partitions %5lld x %4lld B %9.0f batches/s %7.1f MB/s "
      "(%.0f batches/round, %llu direct)   no flush %9.0f   ratio %3.0f %%   raw fdatasync %9.0f   "
      "ratio %3.0f %%   fdatasync of each log %7.0f\n",
      c.producers, c.partitions, static_cast<long long>(c.records),
      static_cast<long long>(c.value_size), ours.rate(), ours.rate() * bytes / 1e6,
      ours.units / static_cast<double>(std::max<std::uint64_t>(counters.rounds, 1)),
      static_cast<unsigned long long>(counters.direct_syncs), plain.rate(),
      100 * ours.rate() / plain.rate(), raw.rate(), 100 * ours.rate() / raw.rate(), each.rate());
}

}  // namespace

void benchDurability(const LogBenchOptions& options) {
  for (const Case& c : {Case{1, 1, 1, 100}, Case{64, 1, 1, 100}, Case{64, 64, 1, 100},
                        Case{256, 1000, 1, 100}, Case{1000, 1000, 1, 100},
                        Case{1000, 5000, 10, 100}, Case{64, 64, 100, 100}, Case{64, 64, 63, 1024}})
    measure(c, options);
}

}  // namespace millrace::bench
