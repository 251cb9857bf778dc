// Strong types for what Kafka writes as integers: no arithmetic across kinds.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace millrace {

/// An integer of one kind. Offsets add and subtract plain counts; two kinds never mix.
template <class Tag, class Rep>
class StrongInt {
 public:
  using rep = Rep;
  constexpr StrongInt() = default;
  constexpr explicit StrongInt(Rep v) : value_(v) {}
  [[nodiscard]] constexpr Rep value() const { return value_; }

  friend constexpr auto operator<=>(StrongInt, StrongInt) = default;
  friend constexpr StrongInt operator+(StrongInt a, Rep n) {
    return StrongInt(static_cast<Rep>(a.value_ + n));
  }
  friend constexpr StrongInt operator-(StrongInt a, Rep n) {
    return StrongInt(static_cast<Rep>(a.value_ - n));
  }
  friend constexpr Rep operator-(StrongInt a, StrongInt b) {
    return static_cast<Rep>(a.value_ - b.value_);
  }
  constexpr StrongInt& operator++() {
    ++value_;
    return *this;
  }

 private:
  Rep value_ = 0;
};

using Offset = StrongInt<struct OffsetTag, std::int64_t>;
using LeaderEpoch = StrongInt<struct LeaderEpochTag, std::int32_t>;
using ProducerId = StrongInt<struct ProducerIdTag, std::int64_t>;
using PartitionIndex = StrongInt<struct PartitionIndexTag, std::int32_t>;
using BrokerId = StrongInt<struct BrokerIdTag, std::int32_t>;

}  // namespace millrace

template <class Tag, class Rep>
struct std::hash<millrace::StrongInt<Tag, Rep>> {
  std::size_t operator()(millrace::StrongInt<Tag, Rep> id) const noexcept {
    return std::hash<Rep>{}(id.value());
  }
};
