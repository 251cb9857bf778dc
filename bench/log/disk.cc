// What the disk gives, without a log: one write made durable, over and over in a file whose blocks
// are all there, by the ways that Linux has for it.
#include "bench/log/support.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>

namespace millrace::bench {
namespace {

constexpr std::size_t kPage = 4096;
constexpr off_t kFileBytes = 64 << 20;

struct Way {
  const char* name;
  int open_flags;
  int write_flags;
  bool then_sync;
};
constexpr Way kWays[] = {{"fdatasync", 0, 0, true},
                         {"RWF_DSYNC", 0, RWF_DSYNC, false},
                         {"O_DIRECT, fdatasync", O_DIRECT, 0, true},
                         {"O_DIRECT|O_DSYNC", O_DIRECT | O_DSYNC, 0, false},
                         {"O_DIRECT, no sync", O_DIRECT, 0, false}};

class SyncedFile {
 public:
  SyncedFile(const TempDir& dir, const Way& way, BytesView pages)
      : way_(way), pages_(pages), path_(dir.path(way.name)) {
    {
      const auto file = orDie(systemFiles().open(path_, OpenMode::kCreate));
      const Bytes zeros(kFileBytes, '\0');
      const BytesView view = zeros;
      orDie(file->write(0, std::span(&view, 1)));
      orDie(file->sync());
    }
    fd_ = ::open(path_.c_str(), O_RDWR | O_CLOEXEC | way.open_flags);
    if (fd_ < 0) std::abort();
  }
  ~SyncedFile() { ::close(fd_); }
  SyncedFile(const SyncedFile&) = delete;
  SyncedFile& operator=(const SyncedFile&) = delete;

  void write() {
    if (at_ + static_cast<off_t>(pages_.size()) > kFileBytes) at_ = 0;
    const iovec part{const_cast<char*>(pages_.data()), pages_.size()};
    const Stopwatch watch;
    if (::pwritev2(fd_, &part, 1, at_, way_.write_flags) != static_cast<ssize_t>(pages_.size()))
      std::abort();
    if (way_.then_sync && ::fdatasync(fd_) != 0) std::abort();
    seconds_.push_back(watch.seconds());
    at_ += static_cast<off_t>(pages_.size());
  }
  void print() {
    std::ranges::sort(seconds_);
    double sum = 0;
    for (const double one : seconds_) sum += one;
    const double median = seconds_[seconds_.size() / 2];
    std::printf(
        "disk %8zu B  %-20s median %8.0f us  9 of 10 below %8.0f us  mean %8.0f us  %7.1f MB/s\n",
        pages_.size(), way_.name, median * 1e6, seconds_[seconds_.size() * 9 / 10] * 1e6,
        sum / static_cast<double>(seconds_.size()) * 1e6,
        static_cast<double>(pages_.size()) / median / 1e6);
  }

 private:
  const Way& way_;
  const BytesView pages_;
  const std::string path_;
  int fd_ = -1;
  off_t at_ = 0;
  std::vector<double> seconds_;
};

}  // namespace

void benchDisk(const LogBenchOptions& options) {
  for (const std::size_t size :
       {std::size_t{4} << 10, std::size_t{64} << 10, std::size_t{1} << 20, std::size_t{4} << 20}) {
    const TempDir dir(options);
    char* const pages = static_cast<char*>(::operator new(size, std::align_val_t{kPage}));
    std::memset(pages, 'd', size);
    std::vector<std::unique_ptr<SyncedFile>> files;
    for (const Way& way : kWays)
      files.push_back(std::make_unique<SyncedFile>(dir, way, BytesView(pages, size)));
    const Stopwatch watch;
    do {
      for (const auto& file : files) file->write();
    } while (watch.seconds() < options.seconds * std::size(kWays));
    for (const auto& file : files) file->print();
    files.clear();
    ::operator delete(pages, std::align_val_t{kPage});
  }
}

}  // namespace millrace::bench
