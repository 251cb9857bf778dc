// TopologyTestDriver: runs a topology without a cluster, record by record, with a clock that the
// test moves.
#pragma once

#include "dsl/driver_core.h"
#include "dsl/key_hash.h"
#include "dsl/streams_builder.h"

#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace millrace {

/// A record as a test reads it. Equal to `keyValue(key, value)` when both parts are; time and
/// headers are compared where the expectation gives them.
template <class K, class V>
struct TestRecord {
  K key;
  V value;
  Millis timestamp = 0;
  streams::Headers headers = {};
};

/// What a test expects: see keyValue().
template <class K, class V>
struct ExpectedRecord {
  K key;
  V value;
  std::optional<Millis> timestamp = {};
};

/// `keyValue("eu", Revenue{...})`, `keyValue("eu", Revenue{...}, at(5min))`.
template <class K, class V>
[[nodiscard]] ExpectedRecord<K, V> keyValue(K key, V value, std::optional<Millis> timestamp = {}) {
  return {std::move(key), std::move(value), timestamp};
}

namespace dsl {

template <class A, class B>
[[nodiscard]] bool equalParts(const A& a, const B& b) {
  if constexpr (requires {
                  { a == b } -> std::convertible_to<bool>;
                })
    return a == b;
  else
    return sameKey<A>(a, b);
}

}  // namespace dsl

template <class K, class V, class EK, class EV>
bool operator==(const TestRecord<K, V>& actual, const ExpectedRecord<EK, EV>& expected) {
  return dsl::equalParts(actual.key, expected.key) &&
         dsl::equalParts(actual.value, expected.value) &&
         (!expected.timestamp || *expected.timestamp == actual.timestamp);
}

/// A topic that the test writes. Throws DriverError where the topology fails.
template <class K, class V>
class TestInput {
 public:
  using PK = dsl::Plain<K>;
  using PV = dsl::Plain<V>;
  TestInput(dsl::DriverCore& core, std::string topic, dsl::SerdeOf<PK> key_serde,
            dsl::SerdeOf<PV> value_serde)
      : core_(&core),
        topic_(std::move(topic)),
        key_serde_(std::move(key_serde)),
        value_serde_(std::move(value_serde)) {}

  void pipe(const K& key, const V& value, Millis timestamp = 0, streams::Headers headers = {}) {
    streams::OwnedRecord record{.timestamp = timestamp, .headers = std::move(headers)};
    if (const PK* plain = dsl::pointerTo<K>(key))
      key_serde_.serialize(*plain, record.key.emplace());
    if (const PV* plain = dsl::pointerTo<V>(value))
      value_serde_.serialize(*plain, record.value.emplace());
    core_->pipe(topic_, std::move(record));
  }

 private:
  dsl::DriverCore* core_;
  std::string topic_;
  dsl::SerdeOf<PK> key_serde_;
  dsl::SerdeOf<PV> value_serde_;
};

/// A topic that the test reads.
template <class K, class V>
class TestOutput {
 public:
  using PK = dsl::Plain<K>;
  using PV = dsl::Plain<V>;
  TestOutput(dsl::DriverCore& core, std::string topic, dsl::SerdeOf<PK> key_serde,
             dsl::SerdeOf<PV> value_serde)
      : core_(&core),
        topic_(std::move(topic)),
        key_serde_(std::move(key_serde)),
        value_serde_(std::move(value_serde)) {}

  [[nodiscard]] bool empty() const { return core_->outputs(topic_).empty(); }
  [[nodiscard]] std::size_t size() const { return core_->outputs(topic_).size(); }
  /// All records since the last read. Throws DriverError where one is null and its type is not
  /// optional.
  [[nodiscard]] std::vector<TestRecord<K, V>> read() {
    std::vector<TestRecord<K, V>> records;
    for (RawOutput& raw : core_->outputs(topic_)) {
      records.push_back({part<K>(raw.key, key_serde_), part<V>(raw.value, value_serde_),
                         raw.timestamp, std::move(raw.headers)});
    }
    core_->outputs(topic_).clear();
    return records;
  }

 private:
  template <class D>
  [[nodiscard]] D part(const std::optional<Bytes>& bytes,
                       const dsl::SerdeOf<dsl::Plain<D>>& serde) const {
    dsl::Plain<D> plain{};
    if (!bytes) {
      if constexpr (dsl::kNullable<D>)
        return D();
      else
        throw DriverError(
            {Errc::kState, "a null in topic " + topic_ + ": read it as std::optional"});
    }
    if (auto status = serde.deserialize(*bytes, plain); !status)
      throw DriverError(std::move(status).error());
    return D(std::move(plain));
  }

  dsl::DriverCore* core_;
  std::string topic_;
  dsl::SerdeOf<PK> key_serde_;
  dsl::SerdeOf<PV> value_serde_;
};

/// One row of a store.
template <class K, class V>
struct StoreRow {
  K key;
  V value;
  Millis timestamp = 0;
};

/// A table's store, read through its cache. K is Windowed<...> for windowed tables.
template <class K, class V>
class TestStore {
 public:
  explicit TestStore(dsl::TableStore<K, V>& store) : store_(&store) {}
  [[nodiscard]] std::optional<V> get(const K& key) const {
    const auto row = store_->get(key);
    return row.value == nullptr ? std::nullopt : std::optional<V>(*row.value);
  }
  [[nodiscard]] std::vector<StoreRow<K, V>> all() const {
    std::vector<StoreRow<K, V>> rows;
    auto status = store_->forEach([&](const K& key, const V& value, Millis timestamp) {
      rows.push_back({key, value, timestamp});
    });
    if (!status) throw DriverError(std::move(status).error());
    return rows;
  }

 private:
  dsl::TableStore<K, V>* store_;
};

/// ```
/// TopologyTestDriver driver(builder.build());
/// auto orders = driver.input<std::string, Order>("orders");
/// auto out    = driver.output<std::string, Revenue>("revenue-hourly");
/// orders.pipe("o1", {.id = "o1", .total = 10}, at(0min));
/// ```
/// One partition per topic; a commit after every record. Inputs, outputs and stores must not
/// outlive the driver.
class TopologyTestDriver {
 public:
  explicit TopologyTestDriver(Topology topology, DriverOptions options = {})
      : core_(std::make_unique<dsl::DriverCore>(std::move(topology), options)) {}

  template <class K, class V>
  [[nodiscard]] TestInput<K, V> input(std::string topic, SerdePtr<dsl::Plain<K>> key_serde = {},
                                      SerdePtr<dsl::Plain<V>> value_serde = {}) {
    return {*core_, std::move(topic), std::move(key_serde), std::move(value_serde)};
  }
  template <class K, class V>
  [[nodiscard]] TestOutput<K, V> output(std::string topic, SerdePtr<dsl::Plain<K>> key_serde = {},
                                        SerdePtr<dsl::Plain<V>> value_serde = {}) {
    return {*core_, std::move(topic), std::move(key_serde), std::move(value_serde)};
  }
  /// nullopt where there is no such table, or one of other types.
  template <class K, class V>
  [[nodiscard]] std::optional<TestStore<K, V>> store(const std::string& name) {
    auto* found = dynamic_cast<dsl::TableStore<K, V>*>(core_->task().store(name));
    return found == nullptr ? std::nullopt : std::optional(TestStore<K, V>(*found));
  }
  /// Pipes a record as bytes. Throws DriverError.
  void pipe(const std::string& topic, streams::OwnedRecord record) {
    core_->pipe(topic, std::move(record));
  }
  /// Moves the mock clock, runs what is due, and commits.
  void advanceWallClock(Duration by) { core_->advanceWallClock(by.count()); }
  /// dropped-records-total of the task.
  [[nodiscard]] std::uint64_t droppedRecords() const { return core_->task().dropped(); }
  /// Everything sent since the last call, over all topics that are not internal, in the order of
  /// sending.
  [[nodiscard]] std::vector<RawOutput> takeSent() { return core_->takeSent(); }

 private:
  std::unique_ptr<dsl::DriverCore> core_;
};

}  // namespace millrace
