// Hashes and sizes in memory of keys and values, for the caches in front of stores.
#pragma once

#include "dsl/json_serde.h"
#include "dsl/types.h"

#include <boost/describe/members.hpp>
#include <boost/mp11/algorithm.hpp>

#include <bit>
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace millrace::dsl {

/// Spreads a hash over all bits: std::hash of an integer is the integer.
[[nodiscard]] inline std::uint64_t mixHash(std::uint64_t h) {
  h ^= h >> 32;
  h *= 0x9E37'79B9'7F4A'7C15ULL;
  return h ^ (h >> 29);
}

template <class T>
concept StdHashable = requires(const T& value) {
  { std::hash<T>{}(value) } -> std::convertible_to<std::size_t>;
};

template <class T>
[[nodiscard]] std::uint64_t hashKey(const T& key) {
  if constexpr (StdHashable<T>) {
    return mixHash(std::hash<T>{}(key));
  } else if constexpr (json::Described<T>) {
    std::uint64_t hash = 0;
    boost::mp11::mp_for_each<json::MembersOf<T>>(
        [&](auto member) { hash = mixHash(hash + hashKey(key.*member.pointer)); });
    return hash;
  } else {
    Bytes bytes;
    Serde<T>::serialize(key, bytes);
    return mixHash(std::hash<Bytes>{}(bytes));
  }
}

template <class T>
[[nodiscard]] bool sameKey(const T& a, const T& b) {
  if constexpr (std::equality_comparable<T>) {
    return a == b;
  } else if constexpr (json::Described<T>) {
    bool same = true;
    boost::mp11::mp_for_each<json::MembersOf<T>>(
        [&](auto member) { same = same && sameKey(a.*member.pointer, b.*member.pointer); });
    return same;
  } else {
    Bytes left;
    Bytes right;
    Serde<T>::serialize(a, left);
    Serde<T>::serialize(b, right);
    return left == right;
  }
}

/// Bytes that a value owns outside itself, roughly.
template <class T>
[[nodiscard]] std::size_t heapBytes(const T& value) {
  if constexpr (std::same_as<T, std::string>) {
    return value.capacity() > 15 ? value.capacity() : 0;
  } else if constexpr (std::is_trivially_copyable_v<T>) {
    return 0;
  } else if constexpr (json::Described<T>) {
    std::size_t sum = 0;
    boost::mp11::mp_for_each<json::MembersOf<T>>(
        [&](auto member) { sum += heapBytes(value.*member.pointer); });
    return sum;
  } else if constexpr (requires { value.begin(), value.end(), value.size(); }) {
    std::size_t sum = 0;
    for (const auto& element : value) sum += sizeof(element) + heapBytes(element);
    return sum;
  } else if constexpr (requires { value.has_value(), *value; }) {
    return value ? heapBytes(*value) : 0;
  } else if constexpr (requires { value.first, value.second; }) {
    return heapBytes(value.first) + heapBytes(value.second);
  } else {
    return 0;
  }
}

}  // namespace millrace::dsl
