// The options of DSL calls: aggregates for designated initialisers. Everything has a default.
#pragma once

#include "dsl/serde.h"
#include "dsl/topic_nodes.h"
#include "streams/store.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace millrace {

/// `{.name = "big-orders"}`: the node's name in the topology. Kafka's Named.
struct NodeOptions {
  std::string name = {};
};

enum class StoreType : std::uint8_t { kRocksDb, kInMemory };
/// What happens to a record whose bytes cannot be read.
enum class OnBadRecord : std::uint8_t { kFail, kSkip };
/// Where a source without committed offset begins. kDefault: as auto.offset.reset says (earliest).
using StartFrom = streams::ResetPolicy;

/// A table's state. Kafka's Materialized. Nothing set: the table has a store only where it needs
/// one.
template <class K, class V>
struct StoreOptions {
  std::string name = {};                              ///< of the node
  std::string store = {};                             ///< of the store: may be queried then
  std::optional<StoreType> storeType = {};            ///< RocksDB
  std::optional<bool> caching = {};                   ///< yes
  std::optional<bool> logging = {};                   ///< to a changelog topic: yes
  std::optional<Duration> retention = {};             ///< windows only; size + grace, and not less
  std::map<std::string, std::string> logConfig = {};  ///< configs of the changelog topic
  SerdePtr<K> keySerde = {};
  SerdePtr<V> valueSerde = {};

  /// Says anything about the store.
  [[nodiscard]] bool aboutStore() const {
    return !store.empty() || storeType || caching || logging || retention || !logConfig.empty() ||
           valueSerde;
  }
};

/// Event time for `{.timestamp = ...}`: a lambda of the value, `[](const Order& o) { return o.time;
/// }`, that returns milliseconds or a system_clock time point; or one that also takes the record's
/// own time, and the largest time seen on the partition: `(const V* value, Millis record, Millis
/// partition) -> Millis`. Negative: the record is skipped.
template <class V>
class TimestampExtractor {
 public:
  TimestampExtractor() = default;
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, TimestampExtractor> &&
             (std::invocable<F&, const V&> || std::invocable<F&, const V*, Millis, Millis>))
  TimestampExtractor(F f) {  // NOLINT(google-explicit-constructor)
    if constexpr (std::invocable<F&, const V&>) {
      function_ = [f = std::move(f)](const V* value, Millis record_time, Millis) mutable -> Millis {
        if (value == nullptr) return record_time;
        if constexpr (std::convertible_to<std::invoke_result_t<F&, const V&>, Millis>)
          return f(*value);
        else
          return at(f(*value));
      };
    } else {
      function_ = std::move(f);
    }
  }
  [[nodiscard]] const dsl::TimestampFunction<V>& function() const { return function_; }

 private:
  dsl::TimestampFunction<V> function_;
};

/// Kafka's Consumed.
template <class K, class V>
struct SourceOptions {
  std::string name = {};
  SerdePtr<K> keySerde = {};
  SerdePtr<V> valueSerde = {};
  TimestampExtractor<V> timestamp = {};
  StartFrom startFrom = StartFrom::kDefault;
  OnBadRecord onBadRecord = OnBadRecord::kFail;
};

/// A source and the table made of it.
template <class K, class V>
struct TableOptions {
  std::string name = {};
  std::string store = {};
  std::optional<StoreType> storeType = {};
  std::optional<bool> caching = {};
  std::optional<bool> logging = {};
  std::map<std::string, std::string> logConfig = {};
  SerdePtr<K> keySerde = {};
  SerdePtr<V> valueSerde = {};
  TimestampExtractor<V> timestamp = {};
  StartFrom startFrom = StartFrom::kDefault;
  OnBadRecord onBadRecord = OnBadRecord::kFail;
};

/// Kafka's Produced.
template <class K, class V>
struct SinkOptions {
  std::string name = {};
  SerdePtr<K> keySerde = {};
  SerdePtr<V> valueSerde = {};
  dsl::PartitionFunction<K, V> partitioner = {};
  /// How describe() prints a function that chooses the topic.
  std::string chooser = "lambda";
};

/// Kafka's Grouped: `name` becomes part of the repartition topic's.
template <class K, class V>
struct GroupOptions {
  std::string name = {};
  SerdePtr<K> keySerde = {};
  SerdePtr<V> valueSerde = {};
};

/// Kafka's Repartitioned.
template <class K, class V>
struct RepartitionOptions {
  std::string name = {};
  std::optional<std::int32_t> partitions = {};
  SerdePtr<K> keySerde = {};
  SerdePtr<V> valueSerde = {};
  dsl::PartitionFunction<K, V> partitioner = {};
};

/// Kafka's Joined: `name` is that of the node and of a repartition topic.
template <class K, class V>
struct JoinOptions {
  std::string name = {};
  SerdePtr<K> keySerde = {};
  SerdePtr<V> valueSerde = {};
};

namespace dsl {

/// The store that options ask for; `generated`: its name where they give none.
template <class K, class V>
[[nodiscard]] streams::StoreSpec storeSpec(const StoreOptions<K, V>& options,
                                           const std::string& generated, streams::StoreKind kind) {
  return {.name = options.store.empty() ? generated : options.store,
          .kind = kind,
          .persistent = options.storeType.value_or(StoreType::kRocksDb) == StoreType::kRocksDb,
          .caching = options.caching.value_or(true),
          .logging = options.logging.value_or(true),
          .log_config = options.logConfig};
}

/// Kafka's persistent window stores: retention rounded to segments of at least a minute.
[[nodiscard]] constexpr Millis segmentInterval(Millis retention_ms) {
  constexpr Millis kMinSegmentMs = 60'000;
  return retention_ms / 2 > kMinSegmentMs ? retention_ms / 2 : kMinSegmentMs;
}

}  // namespace dsl
}  // namespace millrace
