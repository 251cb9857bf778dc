// A hash map whose copies share their buckets: the metadata image changes a few entries of many,
// often.
#pragma once

#include "base/assert.h"

#include <array>
#include <bitset>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace millrace::broker {

/// Keys to shared immutable values. A copy costs kBuckets pointers; a change after a copy costs one
/// bucket (entries / kBuckets pointers). Reading is safe from any thread; changing is for the owner
/// of this copy. Iteration is in no particular order.
template <class Key, class Value, class Hash = std::hash<Key>>
class SharedMap {
 public:
  static constexpr std::size_t kBuckets = 256;
  using ValuePtr = std::shared_ptr<const Value>;

  SharedMap() = default;
  /// `other` is sealed.
  SharedMap(const SharedMap& other) : buckets_(other.buckets_), size_(other.size_) {
    MILLRACE_ASSERT(other.owned_.none(), "a map is copied before seal()");
  }
  SharedMap& operator=(const SharedMap& other) {
    *this = SharedMap(other);
    return *this;
  }
  SharedMap(SharedMap&&) noexcept = default;
  SharedMap& operator=(SharedMap&&) noexcept = default;
  ~SharedMap() = default;

  /// Ends the changes of this copy: from now on it may be copied and read by other threads.
  void seal() { owned_.reset(); }

  /// The value, or null. `key` may be any type that Hash takes and that compares with Key.
  template <class K>
  [[nodiscard]] ValuePtr find(const K& key) const {
    const auto& bucket = buckets_[indexOf(key)];
    if (bucket) {
      for (const auto& [k, v] : *bucket) {
        if (k == key) return v;
      }
    }
    return nullptr;
  }

  /// Adds or replaces.
  void put(Key key, ValuePtr value) {
    Bucket& bucket = mutableBucket(indexOf(key));
    for (auto& [k, v] : bucket) {
      if (k == key) {
        v = std::move(value);
        return;
      }
    }
    bucket.emplace_back(std::move(key), std::move(value));
    ++size_;
  }

  /// False where there was nothing.
  template <class K>
  bool erase(const K& key) {
    const std::size_t index = indexOf(key);
    if (!find(key)) return false;
    Bucket& bucket = mutableBucket(index);
    for (auto& entry : bucket) {
      if (entry.first == key) {
        std::swap(entry, bucket.back());
        bucket.pop_back();
        --size_;
        return true;
      }
    }
    return false;
  }

  template <class F>
  void forEach(F&& visit) const {
    for (const auto& bucket : buckets_) {
      if (!bucket) continue;
      for (const auto& [key, value] : *bucket) visit(key, value);
    }
  }

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  using Bucket = std::vector<std::pair<Key, ValuePtr>>;

  template <class K>
  static std::size_t indexOf(const K& key) {
    const std::size_t h = Hash{}(key);
    return (h ^ (h >> 8) ^ (h >> 16)) % kBuckets;
  }

  Bucket& mutableBucket(std::size_t index) {
    if (!owned_[index]) {
      const auto& shared = buckets_[index];
      buckets_[index] = shared ? std::make_shared<Bucket>(*shared) : std::make_shared<Bucket>();
      owned_.set(index);
    }
    return *buckets_[index];
  }

  std::array<std::shared_ptr<Bucket>, kBuckets> buckets_;
  /// Buckets that no other copy refers to: changed in place.
  std::bitset<kBuckets> owned_;
  std::size_t size_ = 0;
};

}  // namespace millrace::broker
