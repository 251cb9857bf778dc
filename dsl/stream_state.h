// What every DSL object knows about its place in the plan; and the steps that several of them
// share.
#pragma once

#include "dsl/change_serde.h"
#include "dsl/options.h"
#include "dsl/plan.h"
#include "dsl/stream_nodes.h"

#include <memory>
#include <set>
#include <string>
#include <utility>

namespace millrace::dsl {

struct StreamState {
  std::shared_ptr<Plan> plan;
  PlanNode* node = nullptr;
  std::string name;
  std::set<std::string> sources;   ///< source nodes upstream, up to the last repartition
  bool needs_repartition = false;  ///< a key changed since
  RepartitionPlan* join_repartition = nullptr;  ///< made by an earlier join of the same stream
};
using StreamStatePtr = std::shared_ptr<StreamState>;

[[nodiscard]] inline StreamStatePtr below(const StreamState& parent, PlanNode* node,
                                          bool needs_repartition) {
  return std::make_shared<StreamState>(
      StreamState{parent.plan, node, node->name, parent.sources, needs_repartition, nullptr});
}

/// Both sides read partitions of the same number: the union of their sources.
[[nodiscard]] inline std::set<std::string> copartitioned(Plan& plan, const StreamState& a,
                                                         const StreamState& b) {
  std::set<std::string> sources = a.sources;
  sources.insert(b.sources.begin(), b.sources.end());
  plan.copartition(sources);
  return sources;
}

/// A repartition of plain (K, V), not yet below a parent.
template <class K, class V>
[[nodiscard]] std::unique_ptr<RepartitionPlan> makeRepartition(
    const RepartitionNames& names, SerdeOf<K> key_serde, SerdeOf<V> value_serde,
    PartitionFunction<K, V> partitioner = {}) {
  auto repartition = std::make_unique<RepartitionPlan>(names.source);
  repartition->filter_name = names.filter;
  repartition->sink_name = names.sink;
  repartition->topic = names.topic;
  SinkSpec<K, V> sink{.topic = names.topic,
                      .internal = true,
                      .key_serde = key_serde,
                      .value_serde = value_serde,
                      .partitioner = std::move(partitioner)};
  SourceSpec<K, V> source{.key_serde = std::move(key_serde), .value_serde = std::move(value_serde)};
  repartition->filter_prototype = std::make_shared<NullKeyFilterNode<K, V>>();
  repartition->unfiltered_prototype = std::make_shared<PassThroughNode<K, V>>();
  repartition->sink_prototype =
      std::make_shared<SinkNode<K, V>>(std::make_shared<const SinkSpec<K, V>>(std::move(sink)));
  repartition->source_prototype = std::make_shared<SourceNode<K, V>>(
      std::make_shared<const SourceSpec<K, V>>(std::move(source)));
  return repartition;
}

template <class T>
[[nodiscard]] SerdePtr<T> firstOf(const SerdePtr<T>& given, const SerdePtr<T>& inherited) {
  return given ? given : inherited;
}

}  // namespace millrace::dsl
