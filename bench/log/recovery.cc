// Opening a data directory: after a clean stop, after a crash with nothing flushed, after a crash
// with all but the tails flushed; beside reading the same bytes.
#include "bench/log/support.h"
#include "log/log_manager.h"

#include <cstdio>

namespace millrace::bench {
namespace {

constexpr std::int32_t kPartitions = 20;

std::unique_ptr<log::LogManager> openAll(const TempDir& dir) {
  return orDie(log::LogManager::open({.directories = {dir.path("d")}}));
}

std::uint64_t fill(log::LogManager& manager, std::uint64_t bytes) {
  log::LogConfig config;
  config.segment_bytes = 64 << 20;
  const Bytes batch = batchOf(100, 100);
  std::vector<log::PartitionLog*> logs;
  for (std::int32_t i = 0; i < kPartitions; ++i)
    logs.push_back(orDie(manager.create({"topic", PartitionIndex{i}}, Uuid{1, 2}, config)));
  std::uint64_t written = 0;
  while (written < bytes) {
    for (log::PartitionLog* const log : logs) appendTo(*log, batch);
    written += batch.size() * logs.size();
  }
  return written;
}

double readAll(const TempDir& dir) {
  const Stopwatch watch;
  Bytes buffer(1 << 20, '\0');
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.path("d"))) {
    if (entry.path().extension() != ".log") continue;
    const auto file = orDie(systemFiles().open(entry.path().string(), OpenMode::kRead));
    std::uint64_t at = 0;
    while (const std::size_t n = orDie(file->read(at, buffer.data(), buffer.size()))) at += n;
  }
  return watch.seconds();
}

void print(const char* what, double seconds, std::uint64_t bytes, double raw) {
  const double per_10_gb = 10e9 / static_cast<double>(bytes);
  std::printf(
      "open %-28s %8.3f s for %5.2f GB  %7.2f s per 10 GB   reading them %7.2f s per 10 GB\n", what,
      seconds, static_cast<double>(bytes) / 1e9, seconds * per_10_gb, raw * per_10_gb);
}

}  // namespace

void benchRecovery(const LogBenchOptions& options) {
  const TempDir dir(options);
  auto manager = openAll(dir);
  const std::uint64_t bytes = fill(*manager, options.recovery_bytes);
  manager.reset();  // a crash, with all in the page cache
  const double raw = readAll(dir);
  const Stopwatch dirty;
  manager = openAll(dir);
  print("after a crash, none flushed", dirty.seconds(), bytes, raw);

  for (const auto& [name, log] : manager->all()) {
    // As a broker without followers does by and by.
    log->setHighWatermark(log->endOffset());
    const log::FlushJob job = log->prepareFlush(log::FlushScope::kCheckpoint);
    const Status synced = job.run();
    log->flushed(job, synced);
    orDie(synced);
  }
  orDie(manager->writeCheckpoints());
  manager.reset();
  const Stopwatch flushed;
  manager = openAll(dir);
  print("after a crash, checkpointed", flushed.seconds(), bytes, raw);

  orDie(manager->close());
  const Stopwatch clean;
  manager = openAll(dir);
  print("after a clean stop", clean.seconds(), bytes, raw);
}

}  // namespace millrace::bench
