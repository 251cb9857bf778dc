// Appends by batch size and number of partitions, beside pwrite of the same bytes into as many
// files.
#include "bench/log/support.h"

#include <algorithm>
#include <cstdio>

namespace millrace::bench {
namespace {

/// Both sides take turns of this many bytes, so that neither has the quieter machine or disk.
constexpr std::uint64_t kTurnBytes = 32ULL << 20;
/// Files are begun anew after so many bytes: all of it stays in the page cache.
constexpr std::uint64_t kMostBytes = 1ULL << 30;

struct Case {
  std::int64_t records;
  std::int64_t value_size;
  std::size_t partitions;
};

class Logs {
 public:
  Logs(const TempDir& dir, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      logs_.push_back(orDie(log::PartitionLog::open({.directory = dir.path(nameOf(i))})));
  }
  void append(const Bytes& batch) {
    appendTo(*logs_[next_], batch);
    next_ = next_ + 1 == logs_.size() ? 0 : next_ + 1;
  }

 private:
  static std::string nameOf(std::size_t i) { return "t-" + std::to_string(i); }
  std::vector<std::unique_ptr<log::PartitionLog>> logs_;
  std::size_t next_ = 0;
};

class Files {
 public:
  Files(const TempDir& dir, std::size_t count) : ends_(count) {
    orDie(systemFiles().createDirectories(dir.path("raw")));
    for (std::size_t i = 0; i < count; ++i)
      files_.push_back(
          orDie(systemFiles().open(dir.path("raw/" + std::to_string(i)), OpenMode::kCreate)));
  }
  void append(const Bytes& batch) {
    const BytesView view = batch;
    orDie(files_[next_]->write(ends_[next_], std::span(&view, 1)));
    ends_[next_] += batch.size();
    next_ = next_ + 1 == files_.size() ? 0 : next_ + 1;
  }

 private:
  std::vector<std::shared_ptr<File>> files_;
  std::vector<std::uint64_t> ends_;
  std::size_t next_ = 0;
};

/// Logs and plain files for the cases of as many partitions: to make 5 000 of each takes longer
/// than to measure.
struct Sides {
  Sides(const LogBenchOptions& options, std::size_t partitions)
      : dir(options), logs(dir, partitions), files(dir, partitions) {
    // The first append to each makes it.
    const Bytes first = batchOf(1, 100);
    for (std::size_t i = 0; i < partitions; ++i) {
      logs.append(first);
      files.append(first);
    }
  }
  TempDir dir;
  Logs logs;
  Files files;
  std::uint64_t written = 0;
};

template <class Target>
void turn(Target& target, const Bytes& batch, std::uint64_t batches, Pace& pace) {
  const Stopwatch watch;
  for (std::uint64_t i = 0; i < batches; ++i) target.append(batch);
  pace.seconds += watch.seconds();
  pace.units += static_cast<double>(batches);
}

void measure(const Case& c, const LogBenchOptions& options, std::unique_ptr<Sides>& sides) {
  const Bytes batch = batchOf(c.records, c.value_size);
  const std::uint64_t in_turn = std::clamp<std::uint64_t>(kTurnBytes / batch.size(), 1, 20'000);
  Pace ours;
  Pace raw;
  while (ours.seconds < options.seconds) {
    if (sides == nullptr || sides->written > kMostBytes) {
      sides.reset();
      sides = std::make_unique<Sides>(options, c.partitions);
    }
    turn(sides->logs, batch, in_turn, ours);
    turn(sides->files, batch, in_turn, raw);
    sides->written += in_turn * batch.size();
  }
  const auto bytes = static_cast<double>(batch.size());
  std::printf(
      "append     %5lld x %4lld B  %7zu B/batch %5zu partitions %8.0f MB/s %9.0f krec/s %6.2f "
      "us/batch   pwrite %8.0f MB/s   ratio %3.0f %%\n",
      static_cast<long long>(c.records), static_cast<long long>(c.value_size), batch.size(),
      c.partitions, ours.rate() * bytes / 1e6, ours.rate() * static_cast<double>(c.records) / 1e3,
      1e6 / ours.rate(), raw.rate() * bytes / 1e6, 100 * ours.rate() / raw.rate());
}

}  // namespace

void benchAppend(const LogBenchOptions& options) {
  for (const std::size_t partitions : {1U, 100U, 5000U}) {
    std::unique_ptr<Sides> sides;
    for (const std::int64_t records : {1, 10, 1000})
      for (const std::int64_t value_size : {100, 1024})
        measure({records, value_size, partitions}, options, sides);
    // The size that the aim is about: 64 KiB.
    if (partitions < 5000) measure({63, 1024, partitions}, options, sides);
  }
}

}  // namespace millrace::bench
