// The few types that lambdas see besides the user's own.
#pragma once

#include "base/clock.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <type_traits>

namespace millrace {

/// A span of event time in ms since 1970 UTC. Time windows contain start but not end; session
/// windows both.
struct Window {
  Millis start = 0;
  Millis end = 0;
  friend bool operator==(const Window&, const Window&) = default;
};

/// The key of a windowed table.
template <class K>
struct Windowed {
  K key;
  Window window;
  friend bool operator==(const Windowed&, const Windowed&) = default;
};

/// `at(5min)` for test inputs, and wherever a point in event time is meant.
template <class Rep, class Period>
[[nodiscard]] constexpr Millis at(std::chrono::duration<Rep, Period> since_1970) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(since_1970).count();
}
[[nodiscard]] inline Millis at(std::chrono::system_clock::time_point time) {
  return at(time.time_since_epoch());
}

using Duration = std::chrono::milliseconds;

template <class T>
struct Serde;  // dsl/serde.h

namespace dsl {

template <class T>
struct PlainOf {
  using Type = T;
  static constexpr bool kNullable = false;
};
template <class T>
struct PlainOf<std::optional<T>> {
  using Type = T;
  static constexpr bool kNullable = true;
};
/// The type without the optional: what nodes pass to each other by pointer, null where there is
/// nothing.
template <class T>
using Plain = typename PlainOf<T>::Type;
template <class T>
inline constexpr bool kNullable = PlainOf<T>::kNullable;

template <class T>
inline constexpr bool kIsWindowed = false;
template <class K>
inline constexpr bool kIsWindowed<Windowed<K>> = true;

}  // namespace dsl
}  // namespace millrace
