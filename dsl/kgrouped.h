// Grouped streams and tables, and their aggregations.
#pragma once

#include "dsl/aggregate_nodes.h"
#include "dsl/ktable.h"
#include "dsl/stream_aggregations.h"
#include "dsl/windows.h"

#include <memory>
#include <string>
#include <utility>

namespace millrace {

template <class K, class V>
class TimeWindowedKStream;

/// A stream grouped by key. Records with a null key or value are dropped and counted.
template <class K, class V>
class KGroupedStream : public dsl::StreamAggregations<KGroupedStream<K, V>, K, V> {
  using Base = dsl::StreamAggregations<KGroupedStream<K, V>, K, V>;
  using Base::group_;
  friend Base;

 public:
  using typename Base::PK;
  using typename Base::PV;
  KGroupedStream(dsl::StreamStatePtr state, std::string name, SerdePtr<PK> key_serde,
                 SerdePtr<PV> value_serde)
      : Base(std::make_shared<dsl::GroupState<K, V>>(
            dsl::GroupState<K, V>{std::move(state), std::move(name), std::move(key_serde),
                                  std::move(value_serde), nullptr})) {}

  /// `.windowedBy(tumbling(1h, {.grace = 10min}))`
  TimeWindowedKStream<K, V> windowedBy(TimeWindows windows) { return {group_, windows}; }

 private:
  template <class A, class How>
  KTable<K, A> aggregated(const char* prefix, How how, StoreOptions<PK, dsl::Plain<A>> options,
                          const SerdePtr<dsl::Plain<A>>& inherited) {
    using PA = dsl::Plain<A>;
    dsl::Plan& plan = *group_->stream->plan;
    const std::string store = options.store.empty() ? plan.newStoreName(prefix) : options.store;
    auto spec = dsl::storeSpec(options, store, streams::StoreKind::kTimestampedKeyValue);
    auto view = std::make_shared<dsl::StoreView<PK, PA>>(store);
    auto node = std::make_unique<dsl::ProcessorPlan>(
        plan.nameOr(options.name, prefix),
        std::make_shared<dsl::StreamAggregateNode<How>>(view, std::move(how)));
    auto key_serde = dsl::firstOf(options.keySerde, group_->key_serde);
    auto value_serde = dsl::firstOf(options.valueSerde, inherited);
    node->owned_stores.push_back(
        std::make_shared<dsl::TableStoreBuilder<PK, PA>>(std::move(spec), key_serde, value_serde));
    auto state = dsl::addAggregation(*group_, std::move(node), store);
    return KTable<K, A>(std::move(state), std::move(view), std::move(key_serde),
                        std::move(value_serde));
  }
};

/// A grouped stream in windows. Only a null key drops a record; a record later than end + grace is
/// dropped from its window; both are counted.
template <class K, class V>
class TimeWindowedKStream : public dsl::StreamAggregations<TimeWindowedKStream<K, V>, K, V> {
  using Base = dsl::StreamAggregations<TimeWindowedKStream<K, V>, K, V>;
  using Base::group_;
  friend Base;

 public:
  using typename Base::PK;
  TimeWindowedKStream(std::shared_ptr<dsl::GroupState<K, V>> group, TimeWindows windows)
      : Base(std::move(group)), windows_(windows) {}

 private:
  template <class A, class How>
  KTable<Windowed<PK>, A> aggregated(const char* prefix, How how,
                                     StoreOptions<PK, dsl::Plain<A>> options,
                                     const SerdePtr<dsl::Plain<A>>& inherited) {
    using PA = dsl::Plain<A>;
    using WK = Windowed<PK>;
    dsl::Plan& plan = *group_->stream->plan;
    if (const auto problem = windows_.problem(); !problem.empty())
      plan.fail({Errc::kConfig, problem});
    const std::string store = options.store.empty() ? plan.newStoreName(prefix) : options.store;
    auto view = std::make_shared<dsl::StoreView<WK, PA>>(store);
    auto node = std::make_unique<dsl::ProcessorPlan>(
        plan.nameOr(options.name, prefix),
        std::make_shared<dsl::WindowAggregateNode<How>>(view, windows_, std::move(how)));
    auto key_serde = dsl::firstOf(options.keySerde, group_->key_serde);
    auto value_serde = dsl::firstOf(options.valueSerde, inherited);
    node->owned_stores.push_back(std::make_shared<dsl::TableStoreBuilder<WK, PA>>(
        windowSpec(options, store), key_serde, value_serde));
    auto state = dsl::addAggregation(*group_, std::move(node), store);
    auto windowed_serde =
        std::make_shared<TimeWindowedSerde<PK>>(Duration(windows_.sizeMs()), key_serde);
    return KTable<WK, A>(std::move(state), std::move(view), std::move(windowed_serde),
                         std::move(value_serde));
  }
  template <class PA>
  [[nodiscard]] streams::StoreSpec windowSpec(const StoreOptions<PK, PA>& options,
                                              const std::string& store) const {
    auto spec = dsl::storeSpec(options, store, streams::StoreKind::kTimestampedWindow);
    const Millis least = windows_.sizeMs() + windows_.graceMs();
    spec.retention_ms = options.retention ? options.retention->count() : least;
    spec.window_size_ms = windows_.sizeMs();
    spec.segment_interval_ms = dsl::segmentInterval(spec.retention_ms);
    if (spec.retention_ms < least) {
      group_->stream->plan->fail({Errc::kConfig, "the retention of window store " + store +
                                                     " is shorter than " +
                                                     "window size and grace together"});
    }
    return spec;
  }

  TimeWindows windows_;
};

/// A table regrouped: aggregations take old values out again.
template <class K, class V>
class KGroupedTable {
 public:
  using PK = dsl::Plain<K>;
  using PV = dsl::Plain<V>;
  KGroupedTable(dsl::StreamStatePtr state, std::string name, SerdePtr<PK> key_serde,
                SerdePtr<PV> value_serde)
      : group_(std::make_shared<dsl::GroupState<K, V>>(
            dsl::GroupState<K, V>{std::move(state), std::move(name), std::move(key_serde),
                                  std::move(value_serde), nullptr})) {}

  KTable<K, std::int64_t> count(StoreOptions<PK, std::int64_t> options = {}) {
    return aggregated<std::int64_t>("KTABLE-AGGREGATE-", dsl::CountWith<K, V>{},
                                    dsl::UncountWith<K, V>{}, std::move(options), nullptr);
  }
  template <dsl::Reducer<V> F, dsl::Reducer<V> S>
  KTable<K, V> reduce(F adder, S subtractor, StoreOptions<PK, PV> options = {}) {
    return aggregated<V>("KTABLE-REDUCE-", dsl::ReduceWith<K, V, F>{std::move(adder)},
                         dsl::UnreduceWith<K, V, S>{std::move(subtractor)}, std::move(options),
                         group_->value_serde);
  }
  template <class Init, dsl::Aggregator<K, V, dsl::Initial<Init>> F,
            dsl::Aggregator<K, V, dsl::Initial<Init>> S>
  auto aggregate(Init initial, F adder, S subtractor,
                 StoreOptions<PK, dsl::Plain<dsl::Initial<Init>>> options = {}) {
    using A = dsl::Initial<Init>;
    using How = dsl::AggregateWith<K, V, A, Init, F>;
    return aggregated<A>("KTABLE-AGGREGATE-", How{std::move(initial), std::move(adder)},
                         dsl::DisaggregateWith<K, V, A, S>{std::move(subtractor)},
                         std::move(options), nullptr);
  }

 private:
  [[nodiscard]] std::unique_ptr<dsl::RepartitionPlan> makeRepartition(std::string sink,
                                                                      std::string source,
                                                                      std::string topic) const {
    using Change = streams::Change<PV>;
    using Owned = dsl::OwnedChange<PV>;
    auto node = std::make_unique<dsl::RepartitionPlan>(std::move(source));
    node->sink_name = std::move(sink);
    node->topic = topic;
    node->optimizable = false;
    dsl::SinkSpec<PK, Change> sink_spec{
        .topic = std::move(topic), .internal = true, .key_serde = group_->key_serde};
    sink_spec.value_serde =
        SerdePtr<Change>(std::make_shared<dsl::ChangeWriter<PV>>(group_->value_serde));
    dsl::SourceSpec<PK, Owned> source_spec{.key_serde = group_->key_serde};
    source_spec.value_serde =
        SerdePtr<Owned>(std::make_shared<dsl::ChangeReader<PV>>(group_->value_serde));
    node->sink_prototype = std::make_shared<dsl::SinkNode<PK, Change>>(
        std::make_shared<const dsl::SinkSpec<PK, Change>>(std::move(sink_spec)));
    node->source_prototype = std::make_shared<dsl::SourceNode<PK, Owned>>(
        std::make_shared<const dsl::SourceSpec<PK, Owned>>(std::move(source_spec)));
    return node;
  }
  template <class A, class Add, class Remove>
  KTable<K, A> aggregated(const char* prefix, Add add, Remove remove,
                          StoreOptions<PK, dsl::Plain<A>> options,
                          const SerdePtr<dsl::Plain<A>>& inherited) {
    using PA = dsl::Plain<A>;
    dsl::Plan& plan = *group_->stream->plan;
    const std::string store =
        options.store.empty() ? plan.newStoreName("KTABLE-AGGREGATE-") : options.store;
    const std::string sink = plan.nameOr(options.name, "-sink", "KSTREAM-SINK-");
    const std::string source = plan.nameOr(options.name, "-source", "KSTREAM-SOURCE-");
    const std::string name = plan.nameOr(options.name, prefix);
    if (group_->repartition == nullptr || group_->name.empty()) {
      const std::string topic = (group_->name.empty() ? store : group_->name) + "-repartition";
      group_->repartition = plan.own(makeRepartition(sink, source, topic));
    }
    plan.attach(group_->stream->node, group_->repartition);
    auto view = std::make_shared<dsl::StoreView<PK, PA>>(store);
    auto node = std::make_unique<dsl::ProcessorPlan>(
        name, std::make_shared<dsl::TableAggregateNode<Add, Remove>>(view, std::move(add),
                                                                     std::move(remove)));
    auto key_serde = dsl::firstOf(options.keySerde, group_->key_serde);
    auto value_serde = dsl::firstOf(options.valueSerde, inherited);
    node->owned_stores.push_back(std::make_shared<dsl::TableStoreBuilder<PK, PA>>(
        dsl::storeSpec(options, store, streams::StoreKind::kTimestampedKeyValue), key_serde,
        value_serde));
    auto state = dsl::below(*group_->stream, plan.add(group_->repartition, std::move(node)), false);
    state->sources = {source};
    return KTable<K, A>(std::move(state), std::move(view), std::move(key_serde),
                        std::move(value_serde));
  }

  std::shared_ptr<dsl::GroupState<K, V>> group_;
};

}  // namespace millrace
