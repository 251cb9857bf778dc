#include "log/entry_pages.h"

#include <atomic>

namespace millrace::log {
namespace {

std::atomic<std::int64_t> bytes_held{0};

}  // namespace

char* EntryPages::add(std::size_t page, std::size_t size) {
  if (here_ >= kFloor && bytesHeld() >= kBudget) clear();
  if (page >= pages_.size()) pages_.resize(page + 1);
  pages_[page] = {std::make_unique_for_overwrite<char[]>(size), size};
  ++here_;
  bytes_held.fetch_add(static_cast<std::int64_t>(size), std::memory_order_relaxed);
  return pages_[page].bytes.get();
}

void EntryPages::dropFrom(std::size_t page) {
  while (pages_.size() > page) {
    if (pages_.back().bytes != nullptr) {
      --here_;
      bytes_held.fetch_sub(static_cast<std::int64_t>(pages_.back().size),
                           std::memory_order_relaxed);
    }
    pages_.pop_back();
  }
}

std::int64_t EntryPages::bytesHeld() { return bytes_held.load(std::memory_order_relaxed); }

}  // namespace millrace::log
