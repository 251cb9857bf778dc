// Numbered entries at addresses that stay, in large blocks: a number is one step away from its
// entry.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace millrace::dsl {

template <class Entry>
class EntryPool {
 public:
  /// A free number; its entry is as it was made, or as giveBack() found it.
  [[nodiscard]] std::uint32_t take() {
    if (!free_.empty()) {
      const std::uint32_t number = free_.back();
      free_.pop_back();
      return number;
    }
    if (size_ % kBlock == 0) blocks_.push_back(std::make_unique<Entry[]>(kBlock));
    return size_++;
  }
  void giveBack(std::uint32_t number) { free_.push_back(number); }
  [[nodiscard]] Entry& operator[](std::uint32_t number) {
    return blocks_[number / kBlock][number % kBlock];
  }
  template <class Each>
  void forEach(Each each) {
    for (std::uint32_t number = 0; number < size_; ++number) each((*this)[number]);
  }

 private:
  static constexpr std::uint32_t kBlock = 1024;
  std::vector<std::unique_ptr<Entry[]>> blocks_;
  std::vector<std::uint32_t> free_;
  std::uint32_t size_ = 0;
};

}  // namespace millrace::dsl
