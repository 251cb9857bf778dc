// StreamsBuilder: where a topology begins.
#pragma once

#include "dsl/branched.h"
#include "dsl/kgrouped.h"
#include "dsl/kstream_table.h"
#include "streams/topology.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace millrace {

using streams::Topology;

/// topology.optimization: Kafka's none and all.
enum class Optimization : std::uint8_t { kNone, kAll };

struct BuildOptions {
  Optimization optimization = Optimization::kNone;
};

/// A topology that cannot be built: what() names the call to change. Thrown by
/// StreamsBuilder::build only.
class TopologyError : public std::runtime_error {
 public:
  explicit TopologyError(Error error)
      : std::runtime_error(error.detail), error_(std::move(error)) {}
  [[nodiscard]] const Error& error() const { return error_; }

 private:
  Error error_;
};

/// Collects the calls of the DSL; build() makes a topology of them. Not thread-safe.
class StreamsBuilder {
 public:
  StreamsBuilder();

  /// Every record of a topic.
  template <class K, class V>
  KStream<K, V> stream(std::string topic,
                       SourceOptions<dsl::Plain<K>, dsl::Plain<V>> options = {}) {
    return stream<K, V>(std::vector<std::string>{std::move(topic)}, std::move(options));
  }
  template <class K, class V>
  KStream<K, V> stream(std::vector<std::string> topics,
                       SourceOptions<dsl::Plain<K>, dsl::Plain<V>> options = {});
  /// The latest record of each key of a topic.
  template <class K, class V>
  KTable<K, V> table(std::string topic, TableOptions<dsl::Plain<K>, dsl::Plain<V>> options = {});

  /// Once. Throws TopologyError.
  [[nodiscard]] Topology build(BuildOptions options = {});
  /// The same; errors as values.
  [[nodiscard]] Result<Topology> tryBuild(BuildOptions options = {});

 private:
  template <class K, class V, class Options>
  [[nodiscard]] static std::shared_ptr<const streams::Node> sourceNode(const Options& options) {
    dsl::SourceSpec<K, V> spec{.key_serde = options.keySerde,
                               .value_serde = options.valueSerde,
                               .timestamp = options.timestamp.function(),
                               .skip_bad_records = options.onBadRecord == OnBadRecord::kSkip};
    return std::make_shared<const dsl::SourceNode<K, V>>(
        std::make_shared<const dsl::SourceSpec<K, V>>(std::move(spec)));
  }

  std::shared_ptr<dsl::Plan> plan_;
};

template <class K, class V>
KStream<K, V> StreamsBuilder::stream(std::vector<std::string> topics,
                                     SourceOptions<dsl::Plain<K>, dsl::Plain<V>> options) {
  using PK = dsl::Plain<K>;
  using PV = dsl::Plain<V>;
  auto node = std::make_unique<dsl::SourcePlan>(plan_->nameOr(options.name, "KSTREAM-SOURCE-"));
  node->topics = std::move(topics);
  node->prototype = sourceNode<PK, PV>(options);
  node->reset = options.startFrom;
  auto* const added = plan_->add(plan_->root(), std::move(node));
  auto state = std::make_shared<dsl::StreamState>(
      dsl::StreamState{plan_, added, added->name, {added->name}, false, nullptr});
  return KStream<K, V>(std::move(state), options.keySerde, options.valueSerde);
}

template <class K, class V>
KTable<K, V> StreamsBuilder::table(std::string topic,
                                   TableOptions<dsl::Plain<K>, dsl::Plain<V>> options) {
  using PK = dsl::Plain<K>;
  using PV = dsl::Plain<V>;
  auto table = std::make_shared<dsl::TableState>();
  table->materialized = !options.store.empty();
  table->store = table->materialized ? options.store : plan_->newStoreName(topic + "-");
  const std::string source = plan_->nameOr(options.name, "-source", "KSTREAM-SOURCE-");
  auto node = std::make_unique<dsl::TableSourcePlan>(plan_->nameOr(options.name, "KTABLE-SOURCE-"));
  auto view = std::make_shared<dsl::SourceView<PK, PV>>(table);
  node->source_name = source;
  node->topic = std::move(topic);
  node->source_prototype = sourceNode<PK, PV>(options);
  node->table_prototype = std::make_shared<dsl::TableSourceNode<PK, PV>>(view);
  node->state = table;
  node->reset = options.startFrom;
  const StoreOptions<PK, PV> about{.storeType = options.storeType,
                                   .caching = options.caching,
                                   .logging = options.logging,
                                   .logConfig = options.logConfig};
  node->store = std::make_shared<dsl::TableStoreBuilder<PK, PV>>(
      dsl::storeSpec(about, table->store, streams::StoreKind::kTimestampedKeyValue),
      options.keySerde, options.valueSerde);
  auto* const added = plan_->add(plan_->root(), std::move(node));
  auto state = std::make_shared<dsl::StreamState>(
      dsl::StreamState{plan_, added, added->name, {source}, false, nullptr});
  return KTable<K, V>(std::move(state), std::move(view), options.keySerde, options.valueSerde);
}

}  // namespace millrace
