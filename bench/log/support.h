// What the parts of bench/log share: places, batches, clocks, and how a line of the report looks.
#pragma once

#include "base/file.h"
#include "log/partition_log.h"
#include "record/builder.h"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace millrace::bench {

inline constexpr std::int64_t kTimestamp = 1'700'000'000'000;

struct LogBenchOptions {
  /// How long one figure is measured, each side of a comparison.
  double seconds = 0.3;
  /// Data for the recovery figures.
  std::uint64_t recovery_bytes = 1ULL << 30;
  /// The same where most of it is the same files again; takes a hundredth of it on the disk.
  std::uint64_t linked_bytes = 100ULL << 30;
  /// Where the files go.
  std::string directory = std::filesystem::temp_directory_path().string();
};

/// A directory that is gone afterwards.
class TempDir {
 public:
  explicit TempDir(const LogBenchOptions& options) {
    std::string name = options.directory + "/millrace-bench-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// A benchmark has nothing to do after a failure.
template <class T>
T orDie(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "bench: %s\n", result.error().toString().c_str());
    std::exit(1);
  }
  return std::move(*result);
}
inline void orDie(const Status& status) {
  if (status) return;
  std::fprintf(stderr, "bench: %s\n", status.error().toString().c_str());
  std::exit(1);
}

inline Bytes batchOf(std::int64_t records, std::int64_t value_size) {
  record::BatchBuilder builder({}, 2 << 20);
  const Bytes value(static_cast<std::size_t>(value_size), 'v');
  for (std::int64_t i = 0; i < records; ++i) builder.append(kTimestamp + i, std::nullopt, value);
  return orDie(builder.build());
}

inline void appendTo(log::PartitionLog& log, const Bytes& batch) {
  const auto view = orDie(record::BatchView::parse(batch));
  if (!log.append(view, {.now_ms = kTimestamp})) std::abort();
}

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Units of work done and the time they took.
struct Pace {
  double units = 0;
  double seconds = 0;
  [[nodiscard]] double rate() const { return seconds > 0 ? units / seconds : 0; }
};

/// Raises the limit of open files as far as allowed.
void raiseFileLimit();

// The parts: each prints its lines.
void benchDisk(const LogBenchOptions& options);
void benchAppend(const LogBenchOptions& options);
void benchDurability(const LogBenchOptions& options);
void benchRead(const LogBenchOptions& options);
void benchRecovery(const LogBenchOptions& options);
void benchLinkedRecovery(const LogBenchOptions& options);
void benchCompaction(const LogBenchOptions& options);
void benchManyLogs(const LogBenchOptions& options);

}  // namespace millrace::bench
