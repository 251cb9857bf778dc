// How joiners are called: a side that may be missing comes as a pointer or as an optional.
#pragma once

#include "dsl/function.h"

#include <concepts>
#include <functional>
#include <optional>
#include <type_traits>

namespace millrace::dsl {

/// One side of a join: D as declared; kMaybe: it may be missing.
template <class D, bool kMaybe>
struct Side {
  using Declared = D;
  static constexpr bool kMissing = kMaybe;
};

/// The argument of a side: `const D&`; where it may be missing `const T*` or `const
/// std::optional<T>&`.
template <class S, bool kPointer>
struct SideArgument {
  using Type = const typename S::Declared&;
};
template <class S>
  requires(S::kMissing)
struct SideArgument<S, true> {
  using Type = const Plain<typename S::Declared>*;
};
template <class S>
  requires(S::kMissing)
struct SideArgument<S, false> {
  using Type = const std::optional<Plain<typename S::Declared>>&;
};
template <class S, bool kPointer>
using SideArg = typename SideArgument<S, kPointer>::Type;

template <bool kPointer, class S>
[[nodiscard]] decltype(auto) sideArgument(const Plain<typename S::Declared>* value) {
  if constexpr (!S::kMissing)
    return shown<typename S::Declared>(value);
  else if constexpr (kPointer)
    return value;
  else
    return shown<std::optional<Plain<typename S::Declared>>>(value);
}

template <class F, class L, class R, bool kPointer>
concept JoinerForm = std::invocable<F&, SideArg<L, kPointer>, SideArg<R, kPointer>>;
template <class F, class K, class L, class R, bool kPointer>
concept KeyedJoinerForm = std::invocable<F&, const K&, SideArg<L, kPointer>, SideArg<R, kPointer>>;

/// `(const L&, const R&) -> VR`, or with the key first; a side that may be missing as `const T*` or
/// `const std::optional<T>&`.
template <class F, class K, class L, class R>
concept ValueJoiner = std::copy_constructible<F> &&
                      (JoinerForm<F, L, R, true> || JoinerForm<F, L, R, false> ||
                       KeyedJoinerForm<F, K, L, R, true> || KeyedJoinerForm<F, K, L, R, false>);

template <class K, class L, class R, class F>
decltype(auto) callJoiner(F& f, const Plain<K>* key, const Plain<typename L::Declared>* left,
                          const Plain<typename R::Declared>* right) {
  if constexpr (JoinerForm<F, L, R, true>) {
    return std::invoke(f, sideArgument<true, L>(left), sideArgument<true, R>(right));
  } else if constexpr (JoinerForm<F, L, R, false>) {
    return std::invoke(f, sideArgument<false, L>(left), sideArgument<false, R>(right));
  } else if constexpr (KeyedJoinerForm<F, K, L, R, true>) {
    return std::invoke(f, shown<K>(key), sideArgument<true, L>(left), sideArgument<true, R>(right));
  } else {
    return std::invoke(f, shown<K>(key), sideArgument<false, L>(left),
                       sideArgument<false, R>(right));
  }
}

/// What a joiner returns; optional where it may return null.
template <class F, class K, class L, class R>
using JoinResult = std::remove_cvref_t<decltype(callJoiner<K, L, R>(
    std::declval<F&>(), std::declval<const Plain<K>*>(),
    std::declval<const Plain<typename L::Declared>*>(),
    std::declval<const Plain<typename R::Declared>*>()))>;

}  // namespace millrace::dsl
