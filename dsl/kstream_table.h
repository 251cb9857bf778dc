// What streams do with tables: joins and toTable.
#pragma once

#include "dsl/ktable.h"

#include <memory>
#include <string>
#include <utility>

namespace millrace {

/// A join of a stream whose key changed reads it back from a repartition topic. Two joins of the
/// same stream without names share one.
template <class K, class V>
KStream<K, V> KStream<K, V>::repartitionedForJoin(const JoinOptions<PK, PV>& options) {
  const std::string& prefix = options.name.empty() ? state_->name : options.name;
  const auto names = dsl::repartitionNames(plan(), prefix);
  auto key_serde = dsl::firstOf(options.keySerde, key_serde_);
  auto value_serde = dsl::firstOf(options.valueSerde, value_serde_);
  if (state_->join_repartition == nullptr || prefix != state_->name) {
    state_->join_repartition =
        plan().add(state_->node, dsl::makeRepartition<PK, PV>(names, key_serde, value_serde));
  }
  auto state = below(state_->join_repartition, false);
  state->name = names.source;
  state->sources = {names.source};
  return KStream(std::move(state), std::move(key_serde), std::move(value_serde));
}

template <class K, class V>
template <bool kLeft, class VT, class F>
auto KStream<K, V>::joinTable(const KTable<K, VT>& table, F joiner,
                              const JoinOptions<PK, PV>& options) {
  using Node = dsl::StreamTableJoinNode<K, V, VT, F, kLeft>;
  using VR = typename Node::Out;
  const KStream left = state_->needs_repartition ? repartitionedForJoin(options) : *this;
  const auto sources = dsl::copartitioned(plan(), *left.state_, *table.state());
  auto node = std::make_unique<dsl::ProcessorPlan>(
      plan().nameOr(options.name, kLeft ? "KSTREAM-LEFTJOIN-" : "KSTREAM-JOIN-"), nullptr);
  node->connected_stores = table.view()->prepareGetter();
  node->prototype = std::make_shared<Node>(table.view(), std::move(joiner));
  node->null_key_relaxed_join = kLeft;
  auto* const added = plan().add(left.state_->node, std::move(node));
  auto state = dsl::below(*left.state_, added, false);
  state->sources = sources;
  return KStream<K, VR>(std::move(state), dsl::firstOf(options.keySerde, key_serde_), nullptr);
}

template <class K, class V>
KTable<dsl::Plain<K>, dsl::Plain<V>> KStream<K, V>::toTable(StoreOptions<PK, PV> options) {
  constexpr const char* kPrefix = "KSTREAM-TOTABLE-";
  const std::string name = plan().nameOr(options.name, kPrefix);
  auto table = std::make_shared<dsl::TableState>();
  table->materialized = !options.store.empty();
  table->store = table->materialized ? options.store : plan().newStoreName(kPrefix);
  auto key_serde = dsl::firstOf(options.keySerde, key_serde_);
  auto value_serde = dsl::firstOf(options.valueSerde, value_serde_);
  dsl::PlanNode* parent = state_->node;
  auto sources = state_->sources;
  if (state_->needs_repartition) {
    const auto names = dsl::repartitionNames(plan(), name);
    parent = plan().add(parent, dsl::makeRepartition<PK, PV>(names, key_serde, value_serde));
    sources = {names.source};
  }
  auto view = std::make_shared<dsl::SourceView<PK, PV>>(table);
  auto node = std::make_unique<dsl::StreamToTablePlan>(name);
  node->state = table;
  node->prototype = std::make_shared<dsl::TableSourceNode<PK, PV>>(view);
  node->store = std::make_shared<dsl::TableStoreBuilder<PK, PV>>(
      dsl::storeSpec(options, table->store, streams::StoreKind::kTimestampedKeyValue), key_serde,
      value_serde);
  auto state = dsl::below(*state_, plan().add(parent, std::move(node)), false);
  state->sources = std::move(sources);
  return KTable<PK, PV>(std::move(state), std::move(view), std::move(key_serde),
                        std::move(value_serde));
}

}  // namespace millrace
