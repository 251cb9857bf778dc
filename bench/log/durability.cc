// flush.on.ack beside no flush: producers that each wait for their acknowledgement before they send
// again, and what the disk can do at best: one pwrite and fdatasync for all that is under way.
#include "bench/log/group_commit_run.h"
#include "bench/log/raw_sync.h"

#include <algorithm>
#include <cstdio>

namespace millrace::bench {
namespace {

/// The same appends, acknowledged when they are in the page cache.
class WithoutFlush {
 public:
  WithoutFlush(const LogBenchOptions& options, const Traffic& traffic)
      : dir_(options), batch_(batchOf(traffic.records, traffic.value_size)) {
    for (std::size_t i = 0; i < traffic.partitions; ++i)
      logs_.push_back(
          orDie(log::PartitionLog::open({.directory = dir_.path("t-" + std::to_string(i))})));
    for (auto& log : logs_) appendTo(*log, batch_);
  }
  Pace turn(double seconds) {
    Pace pace;
    const Stopwatch watch;
    do {
      for (std::size_t i = 0; i < 64; ++i) appendTo(*next(), batch_);
      pace.units += 64;
    } while (watch.seconds() < seconds);
    pace.seconds = watch.seconds();
    return pace;
  }
  /// One round of group commit without a journal: every log that was written is synced.
  Pace turnSyncingEach(double seconds, std::size_t requests) {
    Pace pace;
    const Stopwatch watch;
    std::vector<log::PartitionLog*> touched;
    do {
      touched.clear();
      for (std::size_t i = 0; i < requests; ++i) {
        touched.push_back(next());
        appendTo(*touched.back(), batch_);
      }
      for (log::PartitionLog* const log : touched) orDie(log->flush());
      pace.units += static_cast<double>(requests);
    } while (watch.seconds() < seconds);
    pace.seconds = watch.seconds();
    return pace;
  }

 private:
  log::PartitionLog* next() {
    log::PartitionLog* const log = logs_[next_].get();
    next_ = next_ + 1 == logs_.size() ? 0 : next_ + 1;
    return log;
  }

  TempDir dir_;
  const Bytes batch_;
  std::vector<std::unique_ptr<log::PartitionLog>> logs_;
  std::size_t next_ = 0;
};

/// By itself: a broker has one set of logs, and the file descriptors are for the two that are
/// compared in turns.
Pace syncingEach(const Traffic& traffic, const LogBenchOptions& options) {
  return WithoutFlush(options, traffic).turnSyncingEach(options.seconds, traffic.requests());
}

/// Raw rounds side by side, beside raw rounds one after another.
constexpr std::size_t kRawInFlight = 4;

void measure(const Traffic& traffic, const LogBenchOptions& options) {
  const auto bytes = static_cast<double>(batchOf(traffic.records, traffic.value_size).size());
  const Pace each = syncingEach(traffic, options);
  WithoutFlush plain_logs(options, traffic);
  RawSync raw_file(options, static_cast<std::size_t>(bytes), traffic.requests());
  GroupCommitRun run(options, traffic);
  const log::Journal::Counters before = run.counters();
  Turns plain, raw, raw_in_flight, ours;
  while (ours.sum.seconds < options.seconds) {
    plain.add(plain_logs.turn(kTurnSeconds));
    raw.add(raw_file.turn(kTurnSeconds));
    raw_in_flight.add(raw_file.turn(kTurnSeconds, kRawInFlight));
    ours.add(run.turn(kTurnSeconds));
  }
  const log::Journal::Counters after = run.counters();
  const double median = ours.median(), no_flush = plain.median(), limit = raw.median();
  std::printf(
      "%4zu producers x %zu in flight, %4zu partitions, %3lld x %4lld B: %8.0f batches/s %6.1f MB/s"
      " (%4.0f batches/round) | no flush %8.0f: %3.0f %% | raw fdatasync %8.0f: %3.0f %% | of the "
      "lower %3.0f %%, by sums %3.0f %% | raw, %zu in flight %8.0f | fdatasync of each log %7.0f\n",
      traffic.producers, traffic.in_flight, traffic.partitions,
      static_cast<long long>(traffic.records), static_cast<long long>(traffic.value_size), median,
      median * bytes / 1e6,
      ours.sum.units /
          static_cast<double>(std::max<std::uint64_t>(after.rounds - before.rounds, 1)),
      no_flush, 100 * median / no_flush, limit, 100 * median / limit,
      100 * median / std::min(no_flush, limit),
      100 * ours.sum.rate() / std::min(plain.sum.rate(), raw.sum.rate()), kRawInFlight,
      raw_in_flight.median(), each.rate());
  std::fflush(stdout);
}

}  // namespace

void benchDurability(const LogBenchOptions& options) {
  for (const Traffic& traffic :
       {Traffic{1, 1, 1, 1, 100}, Traffic{64, 1, 1, 1, 100}, Traffic{64, 1, 64, 1, 100},
        Traffic{64, 5, 64, 1, 100}, Traffic{256, 5, 1000, 1, 100}, Traffic{1000, 1, 1000, 1, 100},
        Traffic{1000, 5, 5000, 1, 100}, Traffic{64, 5, 64, 10, 100}, Traffic{64, 1, 64, 100, 100},
        Traffic{64, 5, 64, 100, 100}, Traffic{64, 1, 64, 63, 1024}, Traffic{64, 5, 64, 63, 1024}})
    measure(traffic, options);
}

}  // namespace millrace::bench
