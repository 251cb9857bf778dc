// Reads in a row and at random, found through the log and sent by sendfile, beside sendfile of the
// same ranges alone.
#include "bench/log/support.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <cstdio>

namespace millrace::bench {
namespace {

constexpr int kBatches = 4096, kRecords = 63;

/// A log of 256 MiB in batches of 64 KiB.
struct Filled {
  explicit Filled(const LogBenchOptions& options) : dir(options) {
    const Bytes batch = batchOf(kRecords, 1024);
    for (int i = 0; i < kBatches; ++i) appendTo(*log, batch);
  }
  /// As after a clean stop and a start: batches are checked when they are first read.
  void reopen() {
    orDie(log->close());
    log.reset();
    log = openLog(true);
  }
  std::unique_ptr<log::PartitionLog> openLog(bool clean) {
    return orDie(log::PartitionLog::open({.directory = dir.path("t-0"), .clean_shutdown = clean}));
  }
  TempDir dir;
  std::unique_ptr<log::PartitionLog> log = openLog(false);
};

class Sink {
 public:
  Sink() : fd_(::open("/dev/null", O_WRONLY | O_CLOEXEC)) {}
  ~Sink() { ::close(fd_); }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  void take(int from, std::uint64_t position, std::uint64_t size) const {
    auto at = static_cast<off_t>(position);
    std::uint64_t sent = 0;
    while (sent < size) {
      const ssize_t n = ::sendfile(fd_, from, &at, size - sent);
      if (n <= 0) std::abort();
      sent += static_cast<std::uint64_t>(n);
    }
  }

 private:
  int fd_;
};

struct Compared {
  Pace found;
  Pace raw;
  std::uint64_t bytes = 0;
};

/// The same range elsewhere in the file: one that was just sent is in the processor's caches.
FileSlice shifted(const FileSlice& slice, std::uint64_t file_bytes) {
  FileSlice other = slice;
  other.position = (slice.position + file_bytes / 2) % file_bytes;
  if (other.position + other.size > file_bytes) other.position = 0;
  return other;
}

/// Reads from offsets that `next` gives, `size` bytes each, then sends as many ranges alone.
template <class Next>
Compared compare(const Filled& filled, const LogBenchOptions& options, std::uint64_t size,
                 Next next) {
  const Sink sink;
  Compared out;
  std::vector<FileSlice> ranges;
  while (out.found.seconds < options.seconds) {
    ranges.clear();
    const Stopwatch watch;
    for (int i = 0; i < 64; ++i) {
      const auto result = orDie(filled.log->read(next(), size, log::Isolation::kLogEnd));
      next.readTo(result.next_offset);
      for (const FileSlice& slice : result.slices) {
        sink.take(slice.file->fd(), slice.position, slice.size);
        out.bytes += slice.size;
        ranges.push_back(shifted(slice, filled.log->sizeInBytes()));
      }
      out.found.units += 1;
    }
    out.found.seconds += watch.seconds();
    const Stopwatch again;
    for (const FileSlice& slice : ranges) sink.take(slice.file->fd(), slice.position, slice.size);
    out.raw.seconds += again.seconds();
    out.raw.units += 64;
  }
  return out;
}

struct InARow {
  Offset at{0};
  Offset end;
  Offset operator()() const { return at; }
  void readTo(Offset next) { at = next == end ? Offset{0} : next; }
};

struct AtRandom {
  std::uint64_t seed = 42;
  Offset operator()() {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return Offset{static_cast<std::int64_t>((seed >> 33) % (kBatches * kRecords))};
  }
  void readTo(Offset) {}
};

void print(const char* what, const Compared& c) {
  std::printf(
      "read %-22s %8.0f MB/s %8.0f reads/s %6.2f us each   sendfile alone %8.0f reads/s   ratio "
      "%3.0f %%\n",
      what, static_cast<double>(c.bytes) / c.found.seconds / 1e6, c.found.rate(),
      1e6 / c.found.rate(), c.raw.rate(), 100 * c.found.rate() / c.raw.rate());
}

}  // namespace

void benchRead(const LogBenchOptions& options) {
  Filled filled(options);
  print("in a row, 1 MiB",
        compare(filled, options, 1 << 20, InARow{.end = filled.log->endOffset()}));
  print("at random, 64 KiB", compare(filled, options, 64 << 10, AtRandom{}));
  print("at random, 1 MiB", compare(filled, options, 1 << 20, AtRandom{}));
  filled.reopen();
  LogBenchOptions once = options;
  once.seconds = 1e-9;  // 64 reads: each batch for the first time
  print("after a restart, 1 MiB",
        compare(filled, once, 1 << 20, InARow{.end = filled.log->endOffset()}));
}

}  // namespace millrace::bench
