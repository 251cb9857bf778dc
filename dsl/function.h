// How lambdas are called: with a key or without, with nulls only where their types say optional.
#pragma once

#include "dsl/types.h"

#include <concepts>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace millrace::dsl {

/// A value as its declared type D shows it: `const D&`, or an optional copy where D is one.
template <class D>
[[nodiscard]] decltype(auto) shown(const Plain<D>* value) {
  if constexpr (kNullable<D>)
    return value != nullptr ? D(*value) : D();
  else
    return (*value);
}
/// Whether a lambda that takes D can be called at all.
template <class D>
[[nodiscard]] bool showable(const Plain<D>* value) {
  return kNullable<D> || value != nullptr;
}
/// The pointer that nodes pass on for a value that a lambda returned.
template <class D>
[[nodiscard]] const Plain<D>* pointerTo(const D& value) {
  if constexpr (kNullable<D>)
    return value ? &*value : nullptr;
  else
    return &value;
}

template <class F, class K, class V>
concept TakesKeyAndValue = std::invocable<F&, const K&, const V&>;
template <class F, class V>
concept TakesValue = std::invocable<F&, const V&>;

/// `(const K&, const V&) -> R`, or `(const V&) -> R` where the key does not matter.
template <class F, class K, class V>
concept KeyValueMapper =
    std::copy_constructible<F> && (TakesKeyAndValue<F, K, V> || TakesValue<F, V>);

template <class F, class K, class V>
struct MapperResult {
  using Type = std::remove_cvref_t<std::invoke_result_t<F&, const V&>>;
};
template <class F, class K, class V>
  requires TakesKeyAndValue<F, K, V>
struct MapperResult<F, K, V> {
  using Type = std::remove_cvref_t<std::invoke_result_t<F&, const K&, const V&>>;
};
template <class F, class K, class V>
using ResultOf = typename MapperResult<F, K, V>::Type;

/// `(const K&, const V&) -> bool`, or without the key.
template <class F, class K, class V>
concept Predicate = KeyValueMapper<F, K, V> && std::convertible_to<ResultOf<F, K, V>, bool>;

/// Whether the lambda can be called with these: a null only where its parameter is optional.
template <class K, class V, class F>
[[nodiscard]] bool callable(const Plain<K>* key, const Plain<V>* value) {
  if constexpr (TakesKeyAndValue<F, K, V>)
    return showable<K>(key) && showable<V>(value);
  else
    return showable<V>(value);
}
template <class K, class V, class F>
decltype(auto) call(F& f, const Plain<K>* key, const Plain<V>* value) {
  if constexpr (TakesKeyAndValue<F, K, V>)
    return std::invoke(f, shown<K>(key), shown<V>(value));
  else
    return std::invoke(f, shown<V>(value));
}

}  // namespace millrace::dsl
