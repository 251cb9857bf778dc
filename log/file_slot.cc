#include "log/file_slot.h"

#include <sys/resource.h>

#include <atomic>
#include <limits>

namespace millrace::log {
namespace {

std::atomic<std::int64_t> open_slots{0};

std::int64_t countMostSlots() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(limit.rlim_cur / 2);
}

std::int64_t mostSlots() {
  static const std::int64_t most = countMostSlots();
  return most;
}

}  // namespace

void FileSlot::set(std::shared_ptr<File> file) {
  reset();
  file_ = std::move(file);
  if (file_ != nullptr) open_slots.fetch_add(1, std::memory_order_relaxed);
}

void FileSlot::reset() {
  if (file_ == nullptr) return;
  file_.reset();
  open_slots.fetch_sub(1, std::memory_order_relaxed);
}

bool FileSlot::runningLow() { return open_slots.load(std::memory_order_relaxed) > mostSlots(); }

bool FileSlot::gettingLow() { return open_slots.load(std::memory_order_relaxed) > mostSlots() / 2; }

}  // namespace millrace::log
