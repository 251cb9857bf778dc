// KStream<K, V>: a stream of records. K and V are optional where the program wants to see nulls.
#pragma once

#include "dsl/join_nodes.h"
#include "dsl/stream_state.h"
#include "dsl/topic_nodes.h"

#include <memory>
#include <string>
#include <utility>

namespace millrace {

template <class K, class V>
class KTable;
template <class K, class V>
class KGroupedStream;
template <class K, class V>
class BranchedKStream;

/// A handle: copies mean the same stream. Calls add to the builder's plan, nothing runs. The
/// lambdas of stateless operators take `(const K&, const V&)` or `(const V&)`; a record with a null
/// that a lambda does not take is dropped and counted, but mapValues passes a null value on, and
/// peek passes the record on.
template <class K, class V>
class KStream {
 public:
  using PK = dsl::Plain<K>;
  using PV = dsl::Plain<V>;
  KStream(dsl::StreamStatePtr state, SerdePtr<PK> key_serde, SerdePtr<PV> value_serde)
      : state_(std::move(state)),
        key_serde_(std::move(key_serde)),
        value_serde_(std::move(value_serde)) {}

  template <dsl::Predicate<K, V> F>
  KStream filter(F predicate, NodeOptions options = {}) {
    return addFilter(std::move(predicate), true, options);
  }
  template <dsl::Predicate<K, V> F>
  KStream filterNot(F predicate, NodeOptions options = {}) {
    return addFilter(std::move(predicate), false, options);
  }
  template <dsl::KeyValueMapper<K, V> F>
  auto mapValues(F mapper, NodeOptions options = {}) {
    auto node = step("KSTREAM-MAPVALUES-", options, dsl::MapValuesNode<K, V, F>(std::move(mapper)));
    node->value_changing = true;
    return withValues<dsl::ResultOf<F, K, V>>(attach(std::move(node)));
  }
  /// The lambda returns a range of values.
  template <dsl::KeyValueMapper<K, V> F>
  auto flatMapValues(F mapper, NodeOptions options = {}) {
    auto node =
        step("KSTREAM-FLATMAPVALUES-", options, dsl::FlatMapValuesNode<K, V, F>(std::move(mapper)));
    node->value_changing = true;
    return withValues<dsl::ElementOf<dsl::ResultOf<F, K, V>>>(attach(std::move(node)));
  }
  template <dsl::KeyValueMapper<K, V> F>
  auto selectKey(F mapper, NodeOptions options = {}) {
    using KR = dsl::ResultOf<F, K, V>;
    auto node =
        step("KSTREAM-KEY-SELECT-", options, dsl::SelectKeyNode<K, V, F>(std::move(mapper)));
    node->key_changing = true;
    return KStream<KR, V>(below(attach(std::move(node)), true), nullptr, value_serde_);
  }
  /// The lambda returns a std::pair of key and value.
  template <dsl::KeyValueMapper<K, V> F>
  auto map(F mapper, NodeOptions options = {}) {
    using Pair = dsl::ResultOf<F, K, V>;
    auto node = step("KSTREAM-MAP-", options, dsl::MapNode<K, V, F>(std::move(mapper)));
    node->key_changing = true;
    return KStream<dsl::FirstOf<Pair>, dsl::SecondOf<Pair>>(below(attach(std::move(node)), true),
                                                            nullptr, nullptr);
  }
  /// The lambda returns a range of std::pairs.
  template <dsl::KeyValueMapper<K, V> F>
  auto flatMap(F mapper, NodeOptions options = {}) {
    using Pair = dsl::ElementOf<dsl::ResultOf<F, K, V>>;
    auto node = step("KSTREAM-FLATMAP-", options, dsl::FlatMapNode<K, V, F>(std::move(mapper)));
    node->key_changing = true;
    return KStream<dsl::FirstOf<Pair>, dsl::SecondOf<Pair>>(below(attach(std::move(node)), true),
                                                            nullptr, nullptr);
  }
  template <dsl::KeyValueMapper<K, V> F>
  KStream peek(F action, NodeOptions options = {}) {
    auto node = step("KSTREAM-PEEK-", options, dsl::PeekNode<K, V, F>(std::move(action)));
    return same(attach(std::move(node)));
  }
  template <dsl::KeyValueMapper<K, V> F>
  void foreach (F action, NodeOptions options = {}) {
    attach(step("KSTREAM-FOREACH-", options, dsl::PeekNode<K, V, F>(std::move(action))));
  }
  KStream merge(const KStream& other, NodeOptions options = {}) {
    auto node = step("KSTREAM-MERGE-", options, dsl::PassThroughNode<PK, PV>());
    node->merging = true;
    dsl::PlanNode* const added = plan().add({state_->node, other.state_->node}, std::move(node));
    auto state =
        dsl::below(*state_, added, state_->needs_repartition || other.state_->needs_repartition);
    state->sources.insert(other.state_->sources.begin(), other.state_->sources.end());
    return KStream(std::move(state), key_serde_, value_serde_);
  }
  /// `stream.split().branch(p1).branch(p2).otherwise()`: see BranchedKStream.
  BranchedKStream<K, V> split(NodeOptions options = {}) {
    return BranchedKStream<K, V>(*this, options);
  }

  KGroupedStream<K, V> groupByKey(GroupOptions<PK, PV> options = {}) {
    return {state_, options.name, dsl::firstOf(options.keySerde, key_serde_),
            dsl::firstOf(options.valueSerde, value_serde_)};
  }
  template <dsl::KeyValueMapper<K, V> F>
  auto groupBy(F mapper, GroupOptions<dsl::Plain<dsl::ResultOf<F, K, V>>, PV> options = {}) {
    using KR = dsl::ResultOf<F, K, V>;
    auto node = step("KSTREAM-KEY-SELECT-", {.name = options.name},
                     dsl::SelectKeyNode<K, V, F>(std::move(mapper)));
    node->key_changing = true;
    return KGroupedStream<KR, V>(below(attach(std::move(node)), true), options.name,
                                 options.keySerde, dsl::firstOf(options.valueSerde, value_serde_));
  }
  /// Through a topic of its own, whether the key changed or not.
  KStream repartition(RepartitionOptions<PK, PV> options = {}) {
    const std::string name =
        options.name.empty() ? plan().newName("KSTREAM-REPARTITION-") : options.name;
    auto node = dsl::makeRepartition<PK, PV>(
        dsl::repartitionNames(plan(), name), dsl::firstOf(options.keySerde, key_serde_),
        dsl::firstOf(options.valueSerde, value_serde_), std::move(options.partitioner));
    node->optimizable = false;
    node->partitions = options.partitions;
    auto state = below(plan().add(state_->node, std::move(node)), false);
    state->sources = {state->name};
    return KStream(std::move(state), dsl::firstOf(options.keySerde, key_serde_),
                   dsl::firstOf(options.valueSerde, value_serde_));
  }
  KTable<PK, PV> toTable(StoreOptions<PK, PV> options = {});

  void to(std::string topic, SinkOptions<PK, PV> options = {}) {
    auto spec = sinkSpec(options);
    spec.topic = topic;
    addSink(std::move(spec), std::move(topic), options);
  }
  /// `(const K&, const V&) -> std::string` chooses the topic for each record; the topics must
  /// exist.
  template <dsl::KeyValueMapper<K, V> F>
    requires(!std::convertible_to<F, std::string>)
  void to(F chooser, SinkOptions<PK, PV> options = {}) {
    auto spec = sinkSpec(options);
    spec.chooser = [chooser = std::move(chooser)](const PK* key, const PV* value) mutable {
      return std::string(dsl::call<K, V>(chooser, key, value));
    };
    addSink(std::move(spec), {}, options);
  }

  /// Each record meets the table's row of its key at that moment; none: no result.
  template <class VT, dsl::ValueJoiner<K, dsl::Side<V, false>, dsl::Side<VT, false>> F>
  auto join(const KTable<K, VT>& table, F joiner, JoinOptions<PK, PV> options = {}) {
    return joinTable<false>(table, std::move(joiner), options);
  }
  /// The same; where there is no row, the joiner gets nullptr or nullopt.
  template <class VT, dsl::ValueJoiner<K, dsl::Side<V, false>, dsl::Side<VT, true>> F>
  auto leftJoin(const KTable<K, VT>& table, F joiner, JoinOptions<PK, PV> options = {}) {
    return joinTable<true>(table, std::move(joiner), options);
  }

  [[nodiscard]] const dsl::StreamStatePtr& state() const { return state_; }
  [[nodiscard]] const SerdePtr<PK>& keySerde() const { return key_serde_; }
  [[nodiscard]] const SerdePtr<PV>& valueSerde() const { return value_serde_; }

 private:
  template <class, class>
  friend class BranchedKStream;

  [[nodiscard]] dsl::Plan& plan() const { return *state_->plan; }
  template <class N>
  [[nodiscard]] std::unique_ptr<dsl::ProcessorPlan> step(const char* prefix,
                                                         const NodeOptions& options, N node) const {
    return std::make_unique<dsl::ProcessorPlan>(plan().nameOr(options.name, prefix),
                                                std::make_shared<const N>(std::move(node)));
  }
  dsl::PlanNode* attach(std::unique_ptr<dsl::ProcessorPlan> node) {
    return plan().add(state_->node, std::move(node));
  }
  [[nodiscard]] dsl::StreamStatePtr below(dsl::PlanNode* node, bool needs_repartition) const {
    return dsl::below(*state_, node, needs_repartition);
  }
  [[nodiscard]] KStream same(dsl::PlanNode* node) const {
    return KStream(below(node, state_->needs_repartition), key_serde_, value_serde_);
  }
  template <class VR>
  [[nodiscard]] KStream<K, VR> withValues(dsl::PlanNode* node) const {
    SerdePtr<dsl::Plain<VR>> serde;
    if constexpr (std::same_as<dsl::Plain<VR>, PV>) serde = value_serde_;
    return KStream<K, VR>(below(node, state_->needs_repartition), key_serde_, std::move(serde));
  }
  template <class F>
  KStream addFilter(F predicate, bool keep_if, const NodeOptions& options) {
    return same(attach(
        step("KSTREAM-FILTER-", options, dsl::FilterNode<K, V, F>(std::move(predicate), keep_if))));
  }
  [[nodiscard]] dsl::SinkSpec<PK, PV> sinkSpec(const SinkOptions<PK, PV>& options) const {
    return {.key_serde = dsl::firstOf(options.keySerde, key_serde_),
            .value_serde = dsl::firstOf(options.valueSerde, value_serde_),
            .partitioner = options.partitioner};
  }
  void addSink(dsl::SinkSpec<PK, PV> spec, std::string topic, const SinkOptions<PK, PV>& options) {
    auto node = std::make_unique<dsl::SinkPlan>(plan().nameOr(options.name, "KSTREAM-SINK-"));
    node->topic = std::move(topic);
    node->extractor = options.chooser;
    node->prototype = std::make_shared<const dsl::SinkNode<PK, PV>>(
        std::make_shared<const dsl::SinkSpec<PK, PV>>(std::move(spec)));
    plan().add(state_->node, std::move(node));
  }
  template <bool kLeft, class VT, class F>
  auto joinTable(const KTable<K, VT>& table, F joiner, const JoinOptions<PK, PV>& options);
  [[nodiscard]] KStream repartitionedForJoin(const JoinOptions<PK, PV>& options);

  dsl::StreamStatePtr state_;
  SerdePtr<PK> key_serde_;
  SerdePtr<PV> value_serde_;
};

}  // namespace millrace
