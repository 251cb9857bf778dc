// How aggregators, reducers and initialisers are called: in place or returning, with nulls where
// optional.
#pragma once

#include "dsl/function.h"

#include <concepts>
#include <functional>
#include <optional>
#include <type_traits>

namespace millrace::dsl {

/// The type of aggregate that an initial value, or a function that makes one, stands for.
template <class Init>
struct InitialOf {
  using Type = std::remove_cvref_t<Init>;
};
template <std::invocable<> Init>
struct InitialOf<Init> {
  using Type = std::remove_cvref_t<std::invoke_result_t<Init&>>;
};
template <class Init>
using Initial = typename InitialOf<std::remove_cvref_t<Init>>::Type;

/// Sets the initial value; leaves nothing where that is null.
template <class A, class Init>
void initialize(Init& init, std::optional<Plain<A>>& aggregate) {
  if constexpr (std::invocable<Init&>)
    aggregate = std::invoke(init);
  else
    aggregate = init;
}

/// The aggregate as a lambda sees it: `A&`.
template <class A>
[[nodiscard]] decltype(auto) aggregateRef(std::optional<Plain<A>>& aggregate) {
  if constexpr (kNullable<A>)
    return (aggregate);
  else
    return (*aggregate);
}

/// `(const K&, const V&, A&) -> void | A`, or without the key.
template <class F, class K, class V, class A>
concept Aggregator = std::copy_constructible<F> && (std::invocable<F&, const K&, const V&, A&> ||
                                                    std::invocable<F&, const V&, A&>);

/// Whether an aggregator can be called with this value.
template <class K, class V, class A, class F>
[[nodiscard]] bool aggregatable(const Plain<V>* value) {
  return showable<V>(value);
}

/// Calls an aggregator on an aggregate that is there (or whose type shows its absence).
template <class K, class V, class A, class F>
void applyAggregator(F& f, const Plain<K>* key, const Plain<V>* value,
                     std::optional<Plain<A>>& aggregate) {
  const auto apply = [&](auto&&... args) {
    if constexpr (std::is_void_v<std::invoke_result_t<F&, decltype(args)..., A&>>) {
      std::invoke(f, args..., aggregateRef<A>(aggregate));
    } else {
      aggregate = std::invoke(f, args..., aggregateRef<A>(aggregate));
    }
  };
  if constexpr (std::invocable<F&, const K&, const V&, A&>) {
    apply(static_cast<const K&>(shown<K>(key)), static_cast<const V&>(shown<V>(value)));
  } else {
    apply(static_cast<const V&>(shown<V>(value)));
  }
}

/// `(V& or const V&, const V&) -> void | V`: the aggregate first, then the new value.
template <class F, class V>
concept Reducer = std::copy_constructible<F> && std::invocable<F&, V&, const V&>;

template <class V, class F>
void applyReducer(F& f, std::optional<Plain<V>>& aggregate, const Plain<V>* value) {
  if constexpr (std::is_void_v<std::invoke_result_t<F&, V&, const V&>>) {
    std::invoke(f, aggregateRef<V>(aggregate), shown<V>(value));
  } else {
    aggregate = std::invoke(f, aggregateRef<V>(aggregate), shown<V>(value));
  }
}

/// An aggregation as nodes see it: what to do with the first and with every value. A as declared.
template <class K, class V, class A, class Init, class Add>
struct AggregateWith {
  using KeyType = K;
  using ValueType = V;
  using Result = Plain<A>;
  Init init;
  Add add;
  /// Whether the function can take this value at all.
  [[nodiscard]] static bool takes(const Plain<V>* value) { return showable<V>(value); }
  void start(std::optional<Result>& aggregate) { initialize<A>(init, aggregate); }
  void apply(const Plain<K>* key, const Plain<V>* value, std::optional<Result>& aggregate) {
    if constexpr (!kNullable<A>) {
      if (!aggregate) return;
    }
    applyAggregator<K, V, A>(add, key, value, aggregate);
  }
};

/// The first value becomes the aggregate, also where it is null.
template <class K, class V, class Reduce>
struct ReduceWith {
  using KeyType = K;
  using ValueType = V;
  using Result = Plain<V>;
  Reduce reduce;
  [[nodiscard]] static bool takes(const Plain<V>* value) { return showable<V>(value); }
  void start(std::optional<Result>& aggregate) { aggregate.reset(); }
  void apply(const Plain<K>*, const Plain<V>* value, std::optional<Result>& aggregate) {
    if (aggregate) return applyReducer<V>(reduce, aggregate, value);
    if (value != nullptr) aggregate = *value;
  }
};

/// Counts records, whatever their value.
template <class K, class V>
struct CountWith {
  using KeyType = K;
  using ValueType = V;
  using Result = std::int64_t;
  [[nodiscard]] static bool takes(const Plain<V>*) { return true; }
  void start(std::optional<Result>& aggregate) { aggregate = 0; }
  void apply(const Plain<K>*, const Plain<V>*, std::optional<Result>& aggregate) { ++*aggregate; }
};

}  // namespace millrace::dsl
