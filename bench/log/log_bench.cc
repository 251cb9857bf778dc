// What the log costs beside the raw limit of the same bytes: append by batch size and number of
// partitions, read, opening.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "log/log_manager.h"
#include "record/builder.h"

namespace millrace::log {
namespace {

constexpr std::int64_t kTimestamp = 1'700'000'000'000;
/// Written bytes after which a benchmark starts over: all of it stays in the page cache.
constexpr std::uint64_t kMostBytes = 2ULL << 30;

class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "millrace-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

Bytes batchOf(std::int64_t records, std::int64_t value_size) {
  record::BatchBuilder builder({}, 1 << 20);
  const Bytes value(static_cast<std::size_t>(value_size), 'v');
  for (std::int64_t i = 0; i < records; ++i) builder.append(kTimestamp + i, std::nullopt, value);
  return *builder.build();
}

std::unique_ptr<PartitionLog> openLog(const std::string& directory) {
  return std::move(*PartitionLog::open({.directory = directory}));
}

void count(benchmark::State& state, std::int64_t records, std::size_t bytes) {
  state.SetItemsProcessed(state.iterations() * records);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

/// Arguments: records a batch, bytes a value, partitions.
void append(benchmark::State& state) {
  const Bytes batch = batchOf(state.range(0), state.range(1));
  const record::BatchView view = *record::BatchView::parse(batch);
  const auto partitions = static_cast<std::size_t>(state.range(2));
  std::unique_ptr<TempDir> dir;
  std::vector<std::unique_ptr<PartitionLog>> logs;
  std::uint64_t written = kMostBytes;
  std::size_t next = 0;
  for (auto _ : state) {
    if (written >= kMostBytes) {
      state.PauseTiming();
      logs.clear();
      dir = std::make_unique<TempDir>();
      for (std::size_t i = 0; i < partitions; ++i)
        logs.push_back(openLog(dir->path("t-" + std::to_string(i))));
      written = 0;
      state.ResumeTiming();
    }
    const auto info = logs[next]->append(view, {.now_ms = kTimestamp});
    if (!info) state.SkipWithError(info.error().error.detail.c_str());
    next = next + 1 == partitions ? 0 : next + 1;
    written += batch.size();
  }
  count(state, state.range(0), batch.size());
}
BENCHMARK(append)
    ->ArgsProduct({{1, 10, 600}, {100}, {1, 100, 2000}})
    ->Args({1, 1024, 1})
    ->Args({10, 1024, 1})
    ->Args({60, 1024, 1})
    ->Args({600, 1024, 1})
    ->ArgNames({"records", "value", "partitions"});

/// The same bytes by pwrite alone, into as many files.
void rawWrite(benchmark::State& state) {
  const Bytes batch = batchOf(state.range(0), state.range(1));
  const auto partitions = static_cast<std::size_t>(state.range(2));
  std::unique_ptr<TempDir> dir;
  std::vector<std::shared_ptr<File>> files;
  std::vector<std::uint64_t> ends;
  std::uint64_t written = kMostBytes;
  std::size_t next = 0;
  for (auto _ : state) {
    if (written >= kMostBytes) {
      state.PauseTiming();
      files.clear();
      dir = std::make_unique<TempDir>();
      std::filesystem::create_directories(dir->path("t"));
      for (std::size_t i = 0; i < partitions; ++i)
        files.push_back(
            *systemFiles().open(dir->path("t/" + std::to_string(i)), OpenMode::kCreate));
      ends.assign(partitions, 0);
      written = 0;
      state.ResumeTiming();
    }
    const BytesView view = batch;
    benchmark::DoNotOptimize(files[next]->write(ends[next], std::span(&view, 1)));
    ends[next] += batch.size();
    next = next + 1 == partitions ? 0 : next + 1;
    written += batch.size();
  }
  count(state, state.range(0), batch.size());
}
BENCHMARK(rawWrite)
    ->ArgsProduct({{1, 10, 600}, {100}, {1, 100, 2000}})
    ->Args({60, 1024, 1})
    ->Args({600, 1024, 1})
    ->ArgNames({"records", "value", "partitions"});

/// A log of 256 MiB in batches of 64 KiB for the readers.
struct Filled {
  TempDir dir;
  std::unique_ptr<PartitionLog> log = openLog(dir.path("t-0"));
  Filled() {
    const Bytes batch = batchOf(60, 1024);
    const record::BatchView view = *record::BatchView::parse(batch);
    for (int i = 0; i < 4096; ++i) (void)log->append(view, {.now_ms = kTimestamp});
  }
};

std::uint64_t sendAll(const ReadResult& result, int to) {
  std::uint64_t sent = 0;
  for (const FileSlice& slice : result.slices) {
    auto position = static_cast<off_t>(slice.position);
    while (sent < slice.size) {
      const ssize_t n = ::sendfile(to, slice.file->fd(), &position, slice.size - sent);
      if (n <= 0) return sent;
      sent += static_cast<std::uint64_t>(n);
    }
  }
  return sent;
}

/// Finding and sending 1 MiB, one read after the other; and the finding alone.
void readSequential(benchmark::State& state) {
  const Filled filled;
  const int sink = state.range(0) != 0 ? ::open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
  Offset from{0};
  std::uint64_t bytes = 0;
  for (auto _ : state) {
    const auto result = filled.log->read(from, 1 << 20, Isolation::kLogEnd);
    if (!result) {
      state.SkipWithError(result.error().detail.c_str());
      break;
    }
    if (sink >= 0) benchmark::DoNotOptimize(sendAll(*result, sink));
    bytes += result->size;
    from = result->next_offset == filled.log->endOffset() ? Offset{0} : result->next_offset;
  }
  if (sink >= 0) ::close(sink);
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(readSequential)->Arg(0)->Arg(1)->ArgName("send");

void readRandom(benchmark::State& state) {
  const Filled filled;
  std::uint64_t seed = 42;
  std::int64_t reads = 0;
  for (auto _ : state) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    const Offset from{static_cast<std::int64_t>((seed >> 33) % (4096 * 60))};
    benchmark::DoNotOptimize(filled.log->read(from, 1 << 16, Isolation::kLogEnd));
    ++reads;
  }
  state.SetItemsProcessed(reads);
}
BENCHMARK(readRandom);

void readAtTheEnd(benchmark::State& state) {
  const Filled filled;
  const Offset from = filled.log->endOffset() - 60;
  for (auto _ : state)
    benchmark::DoNotOptimize(filled.log->read(from, 1 << 20, Isolation::kLogEnd));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(readAtTheEnd);

std::int64_t residentKib() {
  std::ifstream status("/proc/self/statm");
  std::int64_t total = 0;
  std::int64_t resident = 0;
  status >> total >> resident;
  return resident * ::sysconf(_SC_PAGESIZE) / 1024;
}

/// Making, closing and opening n logs; bytes of memory for each.
void manyPartitions(benchmark::State& state) {
  const auto n = static_cast<std::int32_t>(state.range(0));
  const Bytes batch = batchOf(1, 100);
  for (auto _ : state) {
    const TempDir dir;
    auto seconds = [start = std::chrono::steady_clock::now()]() mutable {
      const auto now = std::chrono::steady_clock::now();
      const std::chrono::duration<double> passed = now - std::exchange(start, now);
      return passed.count();
    };
    auto manager = std::move(*LogManager::open({.directories = {dir.path("d")}}));
    seconds();
    for (std::int32_t i = 0; i < n; ++i)
      (void)manager->create({"topic", PartitionIndex{i}}, Uuid{1, 2}, {});
    state.counters["create_s"] = seconds();
    for (const auto& [tp, log] : manager->all())
      (void)log->append(*record::BatchView::parse(batch), {.now_ms = kTimestamp});
    state.counters["first_append_s"] = seconds();
    manager.reset();
    const std::int64_t before = residentKib();
    seconds();
    manager = std::move(*LogManager::open({.directories = {dir.path("d")}}));
    state.counters["recover_s"] = seconds();
    state.counters["KiB_each"] = static_cast<double>(residentKib() - before) / n;
  }
}
BENCHMARK(manyPartitions)
    ->Arg(1)
    ->Arg(1000)
    ->Arg(20000)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace millrace::log

BENCHMARK_MAIN();
