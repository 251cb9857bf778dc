#include "log/file_slot.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <limits>

namespace millrace::log {
namespace {

std::atomic<std::int64_t> open_files{0};

std::int64_t countMostFiles() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(limit.rlim_cur / 2);
}

std::int64_t mostFiles() {
  static const std::int64_t most = countMostFiles();
  return most;
}

}  // namespace

std::shared_ptr<File> FileSlot::counted(std::shared_ptr<File> file) {
  File* const opened = file.get();
  open_files.fetch_add(1, std::memory_order_relaxed);
  // Whoever holds the file last, a read under way for instance, closes it.
  return {opened, [held = std::move(file)](File*) mutable {
            held.reset();
            open_files.fetch_sub(1, std::memory_order_relaxed);
          }};
}

void FileSlot::set(std::shared_ptr<File> file) {
  file_.reset();
  if (file != nullptr) file_ = counted(std::move(file));
}

std::size_t FileSlot::threadsAtOnce(std::size_t wanted) {
  constexpr std::int64_t kFilesOfALog = 16;  // a few are not in slots
  const auto most = std::max<std::int64_t>(mostFiles() / kFilesOfALog, 1);
  return std::min(wanted, static_cast<std::size_t>(most));
}

std::int64_t FileSlot::openFiles() { return open_files.load(std::memory_order_relaxed); }

bool FileSlot::runningLow() { return openFiles() > mostFiles(); }

bool FileSlot::gettingLow() { return openFiles() > mostFiles() / 2; }

}  // namespace millrace::log
