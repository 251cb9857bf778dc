// KTable<K, V>: the latest value of each key; a null value deletes.
#pragma once

#include "dsl/join_nodes.h"
#include "dsl/kstream.h"

#include <memory>
#include <string>
#include <utility>

namespace millrace {

template <class K, class V>
class KGroupedTable;

/// A handle: copies mean the same table. Lambdas never see nulls: a deleted row stays deleted.
template <class K, class V>
class KTable {
 public:
  using PK = dsl::Plain<K>;
  using PV = dsl::Plain<V>;
  using View = dsl::ViewPtr<PK, PV>;
  KTable(dsl::StreamStatePtr state, View view, SerdePtr<PK> key_serde, SerdePtr<PV> value_serde)
      : state_(std::move(state)),
        view_(std::move(view)),
        key_serde_(std::move(key_serde)),
        value_serde_(std::move(value_serde)) {}

  template <dsl::Predicate<K, V> F>
  KTable filter(F predicate, StoreOptions<PK, PV> options = {}) {
    return addFilter(std::move(predicate), true, std::move(options));
  }
  template <dsl::Predicate<K, V> F>
  KTable filterNot(F predicate, StoreOptions<PK, PV> options = {}) {
    return addFilter(std::move(predicate), false, std::move(options));
  }
  template <dsl::KeyValueMapper<K, V> F>
  auto mapValues(F mapper, StoreOptions<PK, dsl::Plain<dsl::ResultOf<F, K, V>>> options = {}) {
    using VR = dsl::ResultOf<F, K, V>;
    return derive<VR>("KTABLE-MAPVALUES-", dsl::MapCompute<K, V, F>(std::move(mapper)),
                      std::move(options), nullptr);
  }
  KStream<K, V> toStream(NodeOptions options = {}) {
    auto node =
        std::make_unique<dsl::ProcessorPlan>(plan().nameOr(options.name, "KTABLE-TOSTREAM-"),
                                             std::make_shared<dsl::ToStreamNode<PK, PV>>());
    return KStream<K, V>(dsl::below(*state_, plan().add(state_->node, std::move(node)), false),
                         key_serde_, value_serde_);
  }
  /// With a new key for each record.
  template <dsl::KeyValueMapper<K, V> F>
  auto toStream(F mapper, NodeOptions options = {}) {
    return toStream(std::move(options)).selectKey(std::move(mapper));
  }
  /// The lambda returns a std::pair of the group's key and the value; a null key: in no group.
  template <dsl::KeyValueMapper<K, V> F>
  auto groupBy(F mapper, GroupOptions<dsl::Plain<dsl::FirstOf<dsl::ResultOf<F, K, V>>>,
                                      dsl::Plain<dsl::SecondOf<dsl::ResultOf<F, K, V>>>>
                             options = {}) {
    using Pair = dsl::ResultOf<F, K, V>;
    auto node =
        std::make_unique<dsl::ProcessorPlan>(plan().nameOr(options.name, "KTABLE-SELECT-"),
                                             std::make_shared<dsl::TableSelectNode<K, V, F>>(
                                                 dsl::TableSelectNode<K, V, F>(std::move(mapper))));
    view_->enableOld(true);
    auto state = dsl::below(*state_, plan().add(state_->node, std::move(node)), true);
    return KGroupedTable<dsl::FirstOf<Pair>, dsl::SecondOf<Pair>>(
        std::move(state), options.name, options.keySerde, options.valueSerde);
  }

  template <class VO, dsl::ValueJoiner<K, dsl::Side<V, false>, dsl::Side<VO, false>> F>
  auto join(
      const KTable<K, VO>& other, F joiner,
      StoreOptions<PK, dsl::Plain<dsl::JoinResult<F, K, dsl::Side<V, false>, dsl::Side<VO, false>>>>
          options = {}) {
    return joinWith<dsl::JoinKind::kInner>(other, std::move(joiner), std::move(options));
  }
  /// The other side may be missing: `const VO*` or `const std::optional<VO>&`.
  template <class VO, dsl::ValueJoiner<K, dsl::Side<V, false>, dsl::Side<VO, true>> F>
  auto leftJoin(
      const KTable<K, VO>& other, F joiner,
      StoreOptions<PK, dsl::Plain<dsl::JoinResult<F, K, dsl::Side<V, false>, dsl::Side<VO, true>>>>
          options = {}) {
    return joinWith<dsl::JoinKind::kLeft>(other, std::move(joiner), std::move(options));
  }
  /// Either side may be missing, not both.
  template <class VO, dsl::ValueJoiner<K, dsl::Side<V, true>, dsl::Side<VO, true>> F>
  auto outerJoin(
      const KTable<K, VO>& other, F joiner,
      StoreOptions<PK, dsl::Plain<dsl::JoinResult<F, K, dsl::Side<V, true>, dsl::Side<VO, true>>>>
          options = {}) {
    return joinWith<dsl::JoinKind::kOuter>(other, std::move(joiner), std::move(options));
  }

  [[nodiscard]] const dsl::StreamStatePtr& state() const { return state_; }
  [[nodiscard]] const View& view() const { return view_; }
  [[nodiscard]] const SerdePtr<PK>& keySerde() const { return key_serde_; }
  [[nodiscard]] const SerdePtr<PV>& valueSerde() const { return value_serde_; }

 private:
  [[nodiscard]] dsl::Plan& plan() const { return *state_->plan; }
  template <class F>
  KTable addFilter(F predicate, bool keep_if, StoreOptions<PK, PV> options) {
    return derive<V>("KTABLE-FILTER-", dsl::FilterCompute<K, V, F>(std::move(predicate), keep_if),
                     std::move(options), value_serde_);
  }
  /// A derived table has a store only where the user names one; options about an unnamed one use up
  /// a number.
  template <class VR, class Compute>
  KTable<K, VR> derive(const char* prefix, Compute compute,
                       StoreOptions<PK, dsl::Plain<VR>> options,
                       SerdePtr<dsl::Plain<VR>> inherited) {
    using PR = dsl::Plain<VR>;
    using Node = dsl::DerivedTableNode<PK, PV, PR, Compute>;
    if (options.aboutStore() && options.store.empty()) (void)plan().newStoreName(prefix);
    auto view = std::make_shared<dsl::DerivedView<PK, PV, PR, Compute>>(view_, std::move(compute),
                                                                        options.store);
    auto node = std::make_unique<dsl::ProcessorPlan>(plan().nameOr(options.name, prefix),
                                                     std::make_shared<Node>(view));
    auto key_serde = dsl::firstOf(options.keySerde, key_serde_);
    auto value_serde = dsl::firstOf(options.valueSerde, inherited);
    if (!options.store.empty()) {
      auto spec = dsl::storeSpec(options, {}, tableStoreKind());
      node->owned_stores.push_back(makeStore<PR>(std::move(spec), key_serde, value_serde));
    }
    return KTable<K, VR>(dsl::below(*state_, plan().add(state_->node, std::move(node)), false),
                         std::move(view), std::move(key_serde), std::move(value_serde));
  }
  [[nodiscard]] static constexpr streams::StoreKind tableStoreKind() {
    return streams::StoreKind::kTimestampedKeyValue;
  }
  template <class PR>
  [[nodiscard]] static std::shared_ptr<const streams::StoreBuilder> makeStore(
      streams::StoreSpec spec, const SerdePtr<PK>& key_serde, const SerdePtr<PR>& value_serde) {
    return std::make_shared<dsl::TableStoreBuilder<PK, PR>>(std::move(spec), key_serde,
                                                            value_serde);
  }
  template <dsl::JoinKind kKind, class VO, class F, class Options>
  auto joinWith(const KTable<K, VO>& other, F joiner, Options options);

  dsl::StreamStatePtr state_;
  View view_;
  SerdePtr<PK> key_serde_;
  SerdePtr<PV> value_serde_;
};

template <class K, class V>
template <dsl::JoinKind kKind, class VO, class F, class Options>
auto KTable<K, V>::joinWith(const KTable<K, VO>& other, F joiner, Options options) {
  using Rows = dsl::RowJoiner<K, V, VO, F, kKind>;
  using VR = typename Rows::Out;
  using PR = dsl::Plain<VR>;
  using PO = dsl::Plain<VO>;
  constexpr bool kOuter = kKind == dsl::JoinKind::kOuter;
  constexpr bool kInner = kKind == dsl::JoinKind::kInner;
  if (options.aboutStore() && options.store.empty())
    options.store = plan().newStoreName("KTABLE-MERGE-");
  auto node = std::make_unique<dsl::TableJoinPlan>(plan().nameOr(options.name, "KTABLE-MERGE-"));
  const auto sources = dsl::copartitioned(plan(), *state_, *other.state());
  if constexpr (!kInner) view_->enableOld(true);
  if constexpr (kOuter) other.view()->enableOld(true);
  node->this_name = plan().nameOr(options.name, "-join-this", "KTABLE-JOINTHIS-");
  node->other_name = plan().nameOr(options.name, "-join-other", "KTABLE-JOINOTHER-");
  node->this_side = state_->name;
  node->other_side = other.state()->name;
  node->this_stores = view_->prepareGetter();
  node->other_stores = other.view()->prepareGetter();

  Rows rows(std::move(joiner));
  auto view = std::make_shared<dsl::JoinView<PK, PV, PO, Rows, PR>>(view_, other.view(), rows,
                                                                    options.store);
  using Swapped = dsl::SwappedRows<Rows>;
  using ThisNode = dsl::TableJoinNode<PK, PV, PO, PR, Rows, kInner, !kInner>;
  using OtherNode = dsl::TableJoinNode<PK, PO, PV, PR, Swapped, !kOuter, kOuter>;
  node->this_prototype = std::make_shared<ThisNode>(other.view(), view, rows);
  node->other_prototype = std::make_shared<OtherNode>(view_, view, Swapped(rows));
  node->merge_prototype = std::make_shared<dsl::TableMergeNode<PK, PR>>(view, options.store);
  auto key_serde = dsl::firstOf(options.keySerde, key_serde_);
  if (!options.store.empty()) {
    node->store =
        makeStore<PR>(dsl::storeSpec(options, {}, tableStoreKind()), key_serde, options.valueSerde);
  }
  auto* const added = plan().add({state_->node, other.state()->node}, std::move(node));
  auto state = dsl::below(*state_, added, false);
  state->sources = sources;
  return KTable<K, VR>(std::move(state), std::move(view), std::move(key_serde), options.valueSerde);
}

}  // namespace millrace
