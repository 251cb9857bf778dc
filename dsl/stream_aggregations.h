// What grouped streams have in common: the group and its aggregations.
#pragma once

#include "dsl/aggregate_nodes.h"
#include "dsl/ktable.h"

#include <memory>
#include <string>
#include <utility>

namespace millrace::dsl {

/// What a grouped stream knows; shared by its copies and by its windowed forms, because two
/// aggregations of a group that has a name use one repartition topic.
template <class K, class V>
struct GroupState {
  StreamStatePtr stream;
  std::string name;
  SerdePtr<Plain<K>> key_serde;
  SerdePtr<Plain<V>> value_serde;
  RepartitionPlan* repartition = nullptr;
};

/// Puts an aggregation below the group, with a repartition in between where the key changed.
template <class K, class V>
StreamStatePtr addAggregation(GroupState<K, V>& group, std::unique_ptr<ProcessorPlan> node,
                              const std::string& store) {
  const StreamState& stream = *group.stream;
  Plan& plan = *stream.plan;
  PlanNode* parent = stream.node;
  auto sources = stream.sources;
  if (stream.needs_repartition) {
    const auto names = repartitionNames(plan, group.name.empty() ? store : group.name);
    if (group.repartition == nullptr || group.name.empty()) {
      group.repartition =
          plan.own(makeRepartition<Plain<K>, Plain<V>>(names, group.key_serde, group.value_serde));
    }
    plan.attach(parent, group.repartition);
    parent = group.repartition;
    sources = {names.source};
  }
  auto* const added = plan.add(parent, std::move(node));
  auto state = below(stream, added, false);
  state->sources = std::move(sources);
  return state;
}

/// A count with options about a store without name uses up one number more than other aggregations,
/// since Kafka's first versions.
template <class Options>
void burnCountNumber(Plan& plan, const Options& options) {
  if (options.aboutStore() && options.store.empty()) (void)plan.newStoreName("");
}

/// count, reduce and aggregate of a grouped stream, windowed or not. `Grouped` knows what becomes
/// of them: its aggregated<A>(prefix, how, options, inherited value serde) makes the table.
template <class Grouped, class K, class V>
class StreamAggregations {
 public:
  using PK = Plain<K>;
  using PV = Plain<V>;

  auto count(StoreOptions<PK, std::int64_t> options = {}) {
    burnCountNumber(*group_->stream->plan, options);
    return self().template aggregated<std::int64_t>(kAggregate, CountWith<K, V>{},
                                                    std::move(options), nullptr);
  }
  /// `(const V& aggregate, const V&) -> V`, or in place `(V& aggregate, const V&)`.
  template <Reducer<V> F>
  auto reduce(F reducer, StoreOptions<PK, PV> options = {}) {
    return self().template aggregated<V>("KSTREAM-REDUCE-", ReduceWith<K, V, F>{std::move(reducer)},
                                         std::move(options), group_->value_serde);
  }
  /// `initial`: a value, or a function that makes one. Aggregator: `(const K&, const V&, A&)`, in
  /// place or returning a new A; std::optional<A> deletes the row where it is null.
  template <class Init, Aggregator<K, V, Initial<Init>> F>
  auto aggregate(Init initial, F aggregator, StoreOptions<PK, Plain<Initial<Init>>> options = {}) {
    using A = Initial<Init>;
    using How = AggregateWith<K, V, A, Init, F>;
    return self().template aggregated<A>(kAggregate, How{std::move(initial), std::move(aggregator)},
                                         std::move(options), nullptr);
  }

 protected:
  explicit StreamAggregations(std::shared_ptr<GroupState<K, V>> group) : group_(std::move(group)) {}

  std::shared_ptr<GroupState<K, V>> group_;

 private:
  static constexpr const char* kAggregate = "KSTREAM-AGGREGATE-";
  [[nodiscard]] Grouped& self() { return static_cast<Grouped&>(*this); }
};

}  // namespace millrace::dsl
