// Opening very much data without so large a disk: the sealed segments of one log are linked into
// the directories of many, each with an active segment of its own. The log manager sees as many
// files and as much data as it would otherwise; only the log files are links, indexes and snapshots
// are each log's own. It is told apart where the time goes: recovery points as after a crash that
// followed a flush of the sealed segments, and a clean stop; each with nothing in the page cache,
// and with all.
#include "bench/log/support.h"
#include "log/log_files.h"
#include "log/log_manager.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <string>

namespace millrace::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::int32_t kPartitions = 100;
constexpr std::uint64_t kTailBytes = 4 << 20;
constexpr std::size_t kSegments = 4;

std::unique_ptr<log::LogManager> openAll(const TempDir& dir) {
  return orDie(log::LogManager::open({.directories = {dir.path("d")}}));
}

/// One log with sealed segments of `segment_bytes` and a tail; returns where the tail begins.
Offset writeFirst(const TempDir& dir, std::int32_t segment_bytes) {
  const auto manager = openAll(dir);
  log::LogConfig config;
  config.segment_bytes = segment_bytes;
  log::PartitionLog* const log =
      orDie(manager->create({"topic", PartitionIndex{0}}, Uuid{1, 2}, config));
  const Bytes batch = batchOf(100, 1000);
  Offset sealed;
  while (log->segmentCount() <= kSegments) {
    sealed = log->endOffset();
    appendTo(*log, batch);
  }
  for (std::uint64_t tail = 0; tail < kTailBytes; tail += batch.size()) appendTo(*log, batch);
  return sealed;  // and the manager goes as a process that dies
}

/// The same for the other partitions: links to the sealed log files, copies of the rest.
void multiply(const fs::path& data, Offset tail) {
  const std::string active = log::LogFiles{systemFiles(), ""}.path(tail, log::FileKind::kLog);
  const std::string active_base = fs::path(active).stem().string();
  std::vector<std::string> points = {"topic 0 " + std::to_string(tail.value())};
  for (std::int32_t i = 1; i < kPartitions; ++i) {
    const fs::path to = data / ("topic-" + std::to_string(i));
    fs::create_directory(to);
    for (const auto& file : fs::directory_iterator(data / "topic-0")) {
      if (file.path().extension() == ".log" && file.path().stem() != active_base) {
        fs::create_hard_link(file.path(), to / file.path().filename());
      } else {
        fs::copy_file(file.path(), to / file.path().filename());
      }
    }
    points.push_back("topic " + std::to_string(i) + " " + std::to_string(tail.value()));
  }
  for (const char* name : {"recovery-point-offset-checkpoint", "replication-offset-checkpoint"})
    orDie(systemFiles().writeAtomically((data / name).string(), log::formatCheckpoint(points)));
}

/// Empties the machine's caches of files and names; where that is not allowed, those of the
/// content of the files below `directory`. Returns which.
const char* dropCaches(const fs::path& directory) {
  ::sync();  // what is not on the disk yet stays in memory
  const int all = ::open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
  const bool dropped = all >= 0 && ::write(all, "3", 1) == 1;
  if (all >= 0) ::close(all);
  if (dropped) return "cold (pages, inodes and names)";
  for (const auto& file : fs::recursive_directory_iterator(directory)) {
    if (!file.is_regular_file()) continue;
    const int fd = ::open(file.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0) std::abort();
    ::close(fd);
  }
  return "cold (pages only: inodes and names need root)";
}

void print(const std::string& what, double seconds, const log::LogManager& manager) {
  std::uint64_t bytes = 0;
  std::size_t segments = 0;
  for (const auto& [tp, log] : manager.all()) {
    bytes += log->sizeInBytes();
    segments += log->segmentCount();
  }
  const log::LoadReport& report = manager.report();
  std::printf("open %-56s %7.3f s for %6.1f GB in %d logs, %zu segments; %6.1f MB checked%s\n",
              what.c_str(), seconds, static_cast<double>(bytes) / 1e9, report.logs, segments,
              static_cast<double>(report.scanned_bytes) / 1e6, report.clean ? ", clean" : "");
  std::fflush(stdout);
  if (!report.notes.empty() || report.logs != kPartitions) std::abort();
}

}  // namespace

void benchLinkedRecovery(const LogBenchOptions& options) {
  const TempDir dir(options);
  const auto segment_bytes =
      static_cast<std::int32_t>(options.linked_bytes / kPartitions / kSegments);
  multiply(dir.path("d"), writeFirst(dir, segment_bytes));
  std::unique_ptr<log::LogManager> manager;
  const auto open = [&](const std::string& what) {
    const Stopwatch watch;
    manager = openAll(dir);
    print(what, watch.seconds(), *manager);
  };
  const auto stop = [&] {
    for (const auto& [tp, log] : manager->all()) log->setHighWatermark(log->endOffset());
    orDie(manager->close());
    manager.reset();
  };
  const std::string cold = dropCaches(dir.path());
  open("after a crash, " + cold);
  manager.reset();  // as a process that dies
  open("after a crash, warm");
  const Stopwatch stopping;
  stop();
  std::printf("a clean stop of it takes %.3f s\n", stopping.seconds());
  (void)dropCaches(dir.path());
  open("after a clean stop, " + cold);
  stop();
  open("after a clean stop, warm");
}

}  // namespace millrace::bench
