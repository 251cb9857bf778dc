// Many logs: making them, a first append to each, opening them after a crash and after a clean
// stop, the stop itself, memory for each.
#include "bench/log/support.h"
#include "log/log_manager.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace millrace::bench {
namespace {

std::int64_t residentBytes() {
  std::ifstream status("/proc/self/statm");
  std::int64_t total = 0;
  std::int64_t resident = 0;
  status >> total >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

void measure(std::int32_t n, const LogBenchOptions& options) {
  const TempDir dir(options);
  const Bytes batch = batchOf(1, 100);
  auto manager = orDie(log::LogManager::open({.directories = {dir.path("d")}}));
  const Stopwatch making;
  for (std::int32_t i = 0; i < n; ++i)
    (void)orDie(manager->create({"topic", PartitionIndex{i}}, Uuid{1, 2}, {}));
  const double made = making.seconds();
  const Stopwatch appending;
  for (const auto& [name, log] : manager->all()) appendTo(*log, batch);
  const double appended = appending.seconds();
  manager.reset();
  const std::int64_t before = residentBytes();
  const Stopwatch opening;
  manager = orDie(log::LogManager::open({.directories = {dir.path("d")}}));
  std::printf(
      "logs %6d: made in %6.3f s, first appends %6.3f s, opened after a crash in %6.3f s, %5.1f "
      "KiB each\n",
      n, made, appended, opening.seconds(),
      static_cast<double>(residentBytes() - before) / 1024 / n);
  std::fflush(stdout);
  const Stopwatch stopping;
  orDie(manager->close());
  const double stopped = stopping.seconds();
  manager.reset();
  const Stopwatch reopening;
  manager = orDie(log::LogManager::open({.directories = {dir.path("d")}}));
  if (!manager->report().clean) std::abort();
  std::printf("logs %6d: stopped in %6.3f s, opened after that in %6.3f s\n", n, stopped,
              reopening.seconds());
  std::fflush(stdout);
}

}  // namespace

void benchManyLogs(const LogBenchOptions& options) {
  for (const std::int32_t n : {1000, 20'000}) measure(n, options);
}

}  // namespace millrace::bench
