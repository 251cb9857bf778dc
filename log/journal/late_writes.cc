#include "log/journal/late_writes.h"

#include "log/file_slot.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace millrace::log {
namespace {

std::atomic<std::int64_t> room_of_all{0};

}  // namespace

LateWrites::~LateWrites() { resize(0); }

Result<bool> LateWrites::add(const std::shared_ptr<File>& file, std::uint64_t position,
                             std::span<const BytesView> slices) {
  std::size_t size = 0;
  for (const BytesView slice : slices) size += slice.size();
  const std::lock_guard lock(mutex_);
  const bool follows = file_ == file && position == position_ + used_;
  // Whoever is short of file descriptors closes this one right away: nothing would gather.
  const bool at_once = size > kLargest || FileSlot::runningLow();
  if (used_ > 0 && (!follows || used_ + size > kMost || at_once)) MILLRACE_CHECK_OK(writeLocked());
  if (!failed_) return std::unexpected(failed_.error());
  if (at_once) return false;
  if (used_ + size > capacity_) {
    const std::size_t wanted = std::min(kMost, std::max(2 * capacity_, 2 * size));
    if (room_of_all.load(std::memory_order_relaxed) + static_cast<std::int64_t>(wanted) >
        kMostOfAll) {
      MILLRACE_CHECK_OK(writeLocked());
      return false;
    }
    resize(wanted);
  }
  if (used_ == 0) {
    file_ = file;
    position_ = position;
  }
  for (const BytesView slice : slices) {
    std::memcpy(room_.get() + used_, slice.data(), slice.size());
    used_ += slice.size();
  }
  return true;
}

Status LateWrites::write() {
  const std::lock_guard lock(mutex_);
  return writeLocked();
}

Status LateWrites::writeLocked() {
  if (!failed_ || used_ == 0) return failed_;
  const BytesView bytes(room_.get(), used_);
  failed_ = file_->write(position_, std::span(&bytes, 1));
  used_ = 0;
  file_.reset();
  return failed_;
}

void LateWrites::giveBack() {
  const std::lock_guard lock(mutex_);
  used_ = 0;
  file_.reset();
  resize(0);
}

void LateWrites::resize(std::size_t capacity) {
  room_of_all.fetch_add(static_cast<std::int64_t>(capacity) - static_cast<std::int64_t>(capacity_),
                        std::memory_order_relaxed);
  auto larger = capacity > 0 ? std::make_unique_for_overwrite<char[]>(capacity) : nullptr;
  if (used_ > 0 && larger != nullptr) std::memcpy(larger.get(), room_.get(), used_);
  room_ = std::move(larger);
  capacity_ = capacity;
}

}  // namespace millrace::log
