// bench_compaction [MEGABYTES [DIRECTORY]]: how fast logs are compacted, beside reading the same
// bytes twice (compaction makes two passes) and writing and syncing what remains, in the same run;
// and two logs at once beside one after the other, which is what log.cleaner.threads is for.
#include "log/compaction.h"
#include "log/partition_log.h"
#include "record/builder.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace millrace {
namespace {

using log::CompactionOutcome;
using log::CompactionPlan;
using log::PartitionLog;

constexpr Millis kNow = 1'700'000'000'000;
constexpr std::size_t kPiece = 512 << 10;

template <class T>
T orDie(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "bench_compaction: %s\n", result.error().toString().c_str());
  std::exit(1);
}
void orDie(const Status& status) {
  if (status) return;
  std::fprintf(stderr, "bench_compaction: %s\n", status.error().toString().c_str());
  std::exit(1);
}

struct Workload {
  const char* name;
  std::size_t value_bytes;
  /// How many records share a key, on average.
  int records_per_key;
  record::Codec codec = record::Codec::kNone;
};

std::unique_ptr<PartitionLog> makeLog(const std::string& directory, const Workload& load,
                                      std::uint64_t bytes) {
  log::OpenOptions options;
  options.directory = directory;
  options.config.cleanup_compact = true;
  options.config.segment_bytes = 64 << 20;
  auto log = orDie(PartitionLog::open(std::move(options)));
  std::mt19937_64 random(1);
  const std::uint64_t keys = std::max<std::uint64_t>(
      bytes / (load.value_bytes + 20) / static_cast<unsigned>(load.records_per_key), 1);
  Bytes value(load.value_bytes, '\0');
  while (log->sizeInBytes() < bytes) {
    record::BatchBuilder builder({.codec = load.codec}, 1 << 20);
    while (builder.sizeInBytes() < 64'000) {
      for (std::size_t i = 0; i < value.size(); ++i)
        value[i] = static_cast<char>('a' + (random() >> 32) % 8);
      builder.append(kNow, fmt::format("key-{}", random() % keys), value);
    }
    const Bytes batch = orDie(builder.build());
    if (!log->append(orDie(record::BatchView::parse(batch)), {.now_ms = kNow})) std::abort();
  }
  orDie(log->roll());
  log->setHighWatermark(log->endOffset());
  orDie(log->flush());
  return log;
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
  const auto start = std::chrono::steady_clock::now();
  const double cpu = cpuSeconds();
  work();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
          cpuSeconds() - cpu};
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

void removeWritten(const CompactionPlan& plan) {
  for (const auto& entry : std::filesystem::directory_iterator(plan.directory))
    if (entry.path().extension() == ".cleaned") std::filesystem::remove(entry.path());
}

void measure(const std::string& root, const Workload& load, std::uint64_t bytes) {
  std::vector<std::unique_ptr<PartitionLog>> logs;
  std::vector<CompactionPlan> plans;
  for (const char* name : {"/a-0", "/b-0"}) {
    logs.push_back(makeLog(root + name, load, bytes));
    plans.push_back(orDie(logs.back()->prepareCompaction(kNow)));
  }
  CompactionOutcome outcome;
  const Cost one = costOf([&] { outcome = orDie(log::runCompaction(plans[0], {})); });
  const Cost raw = costOf([&] { rawCopy(plans[0], outcome.bytes_written, root + "/raw"); });
  removeWritten(plans[0]);
  const Cost both = costOf([&] {
    std::thread other([&] { (void)orDie(log::runCompaction(plans[1], {})); });
    (void)orDie(log::runCompaction(plans[0], {}));
    other.join();
  });
  const double read = static_cast<double>(outcome.bytes_read) / 1e6;
  const auto records = static_cast<double>(outcome.records_kept + outcome.records_dropped);
  fmt::print(
      "{:<26} {:>5.0f} MB/s ({:.2f} of raw {:.0f})   {:>5.2f} CPU s/GB (raw {:.2f})   {:>9.0f} "
      "records/CPU s   kept {:>2.0f} %   two at once {:.2f}x\n",
      load.name, read / one.wall, raw.wall / one.wall, read / raw.wall, one.cpu * 1000 / read,
      raw.cpu * 1000 / read, records / one.cpu,
      100 * static_cast<double>(outcome.records_kept) / records, 2 * one.wall / both.wall);
  std::fflush(stdout);
  logs.clear();
  for (const char* name : {"/a-0", "/b-0", "/raw"}) std::filesystem::remove_all(root + name);
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  using namespace millrace;
  std::uint64_t megabytes = 256;
  if (argc > 1) {
    const std::string_view text = argv[1];
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), megabytes);
    if (parsed.ec != std::errc{}) return 2;
  }
  std::string root =
      (argc > 2 ? std::string(argv[2]) : std::filesystem::temp_directory_path().string()) +
      "/millrace-bench-XXXXXX";
  if (::mkdtemp(root.data()) == nullptr) return 1;
  for (const Workload& load :
       {Workload{"100 B, 10 records a key", 100, 10}, Workload{"1 KiB, 10 records a key", 1024, 10},
        Workload{"1 KiB, 2 records a key", 1024, 2},
        Workload{"100 B, 10 a key, lz4", 100, 10, record::Codec::kLz4},
        Workload{"1 KiB, 10 a key, zstd", 1024, 10, record::Codec::kZstd}})
    measure(root, load, megabytes << 20);
  std::filesystem::remove_all(root);
  return 0;
}
