// Compaction: the map of keys with one thread and with two, whole runs, and what reading and
// writing of the same bytes alone would take.
#include "bench/log/support.h"
#include "log/compaction_map.h"

#include <algorithm>
#include <cstdio>

namespace millrace::bench {
namespace {

constexpr std::uint64_t kBytes = 256ULL << 20;
constexpr std::int64_t kKeys = 200'000;
constexpr int kRecords = 100, kTurns = 5;

/// `kBytes` of records with a value of 100 B (before compression), keys at random.
std::unique_ptr<log::PartitionLog> fill(const TempDir& dir, record::Codec codec) {
  log::LogConfig config;
  config.cleanup_compact = true;
  config.cleanup_delete = false;
  config.segment_bytes = 64 << 20;
  auto made = orDie(log::PartitionLog::open({.directory = dir.path("t-0"), .config = config}));
  std::uint64_t seed = 42;
  Bytes value(100, 'v');
  for (std::uint64_t bytes = 0; bytes < kBytes; bytes += kRecords * 120) {
    record::BatchBuilder builder({.codec = codec}, 16 << 10);
    for (int i = 0; i < kRecords; ++i) {
      seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
      const std::string key = std::to_string((seed >> 33) % kKeys);
      std::ranges::copy(std::to_string(seed), value.begin());
      builder.append(kTimestamp, BytesView(key), BytesView(value));
    }
    appendTo(*made, orDie(builder.build()));
  }
  made->setHighWatermark(made->endOffset());
  orDie(made->roll());
  orDie(made->flush());
  return made;
}

double mapSeconds(const log::CompactionPlan& plan, int threads) {
  const log::CompactionLimits limits{.threads = threads};
  log::KeyOffsetMap map(std::size_t{kKeys} * 48, 1);
  log::CompactionMeter meter(limits);
  const Stopwatch watch;
  (void)orDie(log::buildCompactionMap(plan, limits, map, meter));
  return watch.seconds();
}

/// Reads the sources twice and writes and syncs as many bytes as were kept.
double rawSeconds(const log::CompactionPlan& plan, const TempDir& dir, std::uint64_t kept) {
  Bytes buffer(512 << 10, 'r');
  const Stopwatch watch;
  for (int pass = 0; pass < 2; ++pass)
    for (const auto& source : plan.sources)
      for (std::uint64_t at = 0; at < source.size; at += buffer.size())
        (void)orDie(source.file->read(at, buffer.data(), buffer.size()));
  const auto file = orDie(systemFiles().open(dir.path("raw"), OpenMode::kCreate));
  for (std::uint64_t at = 0; at < kept; at += buffer.size()) {
    const BytesView part = BytesView(buffer).substr(0, std::min(buffer.size(), kept - at));
    orDie(file->write(at, std::span(&part, 1)));
  }
  orDie(file->sync());
  const double seconds = watch.seconds();
  orDie(systemFiles().remove(dir.path("raw")));
  return seconds;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void measure(const char* name, record::Codec codec, const LogBenchOptions& options) {
  const TempDir dir(options);
  const auto filled = fill(dir, codec);
  const auto plan = orDie(filled->prepareCompaction(kTimestamp + 86'400'000));
  std::uint64_t bytes = 0;
  for (const auto& source : plan.sources) bytes += source.size;
  std::vector<double> map[2], whole[2], raw;
  // The sides take turns: none has the quieter machine.
  for (int turn = 0; turn < kTurns; ++turn) {
    std::uint64_t kept = 0;
    for (const int threads : {1, 2}) {
      const auto side = static_cast<std::size_t>(threads - 1);
      map[side].push_back(mapSeconds(plan, threads));
      const Stopwatch watch;
      kept = orDie(log::runCompaction(plan, {.threads = threads})).bytes_written;
      whole[side].push_back(watch.seconds());
      for (const auto& entry : std::filesystem::directory_iterator(dir.path("t-0")))
        if (entry.path().extension() == ".cleaned") std::filesystem::remove(entry.path());
    }
    raw.push_back(rawSeconds(plan, dir, kept));
  }
  const double mb = static_cast<double>(bytes) / 1e6;
  std::printf(
      "compaction %-5s %5.0f MB: map %5.0f MB/s, two threads %5.0f; whole run %5.0f MB/s, two "
      "threads %5.0f; reading twice and writing what is kept %5.0f MB/s\n",
      name, mb, mb / median(map[0]), mb / median(map[1]), mb / median(whole[0]),
      mb / median(whole[1]), mb / median(raw));
}

}  // namespace

void benchCompaction(const LogBenchOptions& options) {
  measure("none", record::Codec::kNone, options);
  measure("lz4", record::Codec::kLz4, options);
}

}  // namespace millrace::bench
