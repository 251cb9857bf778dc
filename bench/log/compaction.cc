// How fast logs are compacted, beside reading the same bytes twice (compaction makes two passes)
// and writing and syncing what remains, in the same run; what two threads for one log do, and two
// logs at once, which is what log.cleaner.threads is for.
#include "log/compaction.h"

#include "bench/log/support.h"

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <thread>

namespace millrace::bench {
namespace {

using log::CompactionPlan;

constexpr std::uint64_t kBytes = 256ULL << 20;
constexpr std::size_t kPiece = 512 << 10;

struct Workload {
  const char* name;
  std::size_t value_bytes;
  /// How many records share a key, on average.
  int records_per_key;
  record::Codec codec = record::Codec::kNone;
};

std::unique_ptr<log::PartitionLog> makeLog(const std::string& directory, const Workload& load) {
  log::LogConfig config;
  config.cleanup_compact = true;
  config.segment_bytes = 64 << 20;
  auto made = orDie(log::PartitionLog::open({.directory = directory, .config = config}));
  std::mt19937_64 random(1);
  const std::uint64_t keys = std::max<std::uint64_t>(
      kBytes / (load.value_bytes + 20) / static_cast<unsigned>(load.records_per_key), 1);
  Bytes value(load.value_bytes, '\0');
  while (made->sizeInBytes() < kBytes) {
    record::BatchBuilder builder({.codec = load.codec}, 1 << 20);
    while (builder.sizeInBytes() < 64'000) {
      for (char& byte : value) byte = static_cast<char>('a' + (random() >> 32) % 8);
      builder.append(kTimestamp, "key-" + std::to_string(random() % keys), value);
    }
    appendTo(*made, orDie(builder.build()));
  }
  orDie(made->roll());
  made->setHighWatermark(made->endOffset());
  orDie(made->flush());
  return made;
}

struct Cost {
  double wall = 0;
  double cpu = 0;
};

double cpuSeconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

Cost costOf(const auto& work) {
  const Stopwatch watch;
  const double cpu = cpuSeconds();
  work();
  return {watch.seconds(), cpuSeconds() - cpu};
}

/// Reads the plan's files twice and writes as many bytes as compaction does, synced.
void rawCopy(const CompactionPlan& plan, std::uint64_t write, const std::string& path) {
  Bytes buffer(kPiece, '\0');
  for (int pass = 0; pass < 2; ++pass)
    for (const auto& source : plan.sources)
      for (std::uint64_t at = 0; at < source.size; at += kPiece)
        (void)orDie(source.file->read(at, buffer.data(), kPiece));
  const auto file = orDie(systemFiles().open(path, OpenMode::kCreate));
  for (std::uint64_t at = 0; at < write; at += kPiece) {
    const BytesView piece(buffer.data(), std::min<std::uint64_t>(kPiece, write - at));
    orDie(file->write(at, std::span(&piece, 1)));
  }
  orDie(file->sync());
}

/// A run whose result is thrown away.
log::CompactionOutcome compact(const CompactionPlan& plan, int threads) {
  auto outcome = orDie(log::runCompaction(plan, {.threads = threads}));
  for (const auto& entry : std::filesystem::directory_iterator(plan.directory))
    if (entry.path().extension() == ".cleaned") std::filesystem::remove(entry.path());
  return outcome;
}

void measure(const Workload& load, const LogBenchOptions& options) {
  const TempDir dir(options);
  const auto log_a = makeLog(dir.path("a-0"), load);
  const auto log_b = makeLog(dir.path("b-0"), load);
  const CompactionPlan a = orDie(log_a->prepareCompaction(kTimestamp));
  const CompactionPlan b = orDie(log_b->prepareCompaction(kTimestamp));
  log::CompactionOutcome outcome;
  const Cost one = costOf([&] { outcome = compact(a, 1); });
  const Cost raw = costOf([&] { rawCopy(a, outcome.bytes_written, dir.path("raw")); });
  const Cost two_threads = costOf([&] { (void)compact(a, 2); });
  const Cost both = costOf([&] {
    std::thread other([&] { (void)compact(b, 1); });
    (void)compact(a, 1);
    other.join();
  });
  const double read = static_cast<double>(outcome.bytes_read) / 1e6;
  const auto records = static_cast<double>(outcome.records_kept + outcome.records_dropped);
  std::printf(
      "%-26s %5.0f MB/s (%.2f of raw %.0f)   %5.2f CPU s/GB (raw %.2f)   %9.0f records/CPU s   "
      "kept %2.0f %%   two threads %.2fx   two at once %.2fx\n",
      load.name, read / one.wall, raw.wall / one.wall, read / raw.wall, one.cpu * 1000 / read,
      raw.cpu * 1000 / read, records / one.cpu,
      100 * static_cast<double>(outcome.records_kept) / records, one.wall / two_threads.wall,
      2 * one.wall / both.wall);
  std::fflush(stdout);
}

}  // namespace

void benchCompaction(const LogBenchOptions& options) {
  for (const Workload& load :
       {Workload{"100 B, 10 records a key", 100, 10}, Workload{"1 KiB, 10 records a key", 1024, 10},
        Workload{"1 KiB, 2 records a key", 1024, 2},
        Workload{"100 B, 10 a key, lz4", 100, 10, record::Codec::kLz4},
        Workload{"1 KiB, 10 a key, zstd", 1024, 10, record::Codec::kZstd}})
    measure(load, options);
}

}  // namespace millrace::bench
