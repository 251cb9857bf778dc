// Nodes of aggregations: of streams, of time windows, of grouped tables.
#pragma once

#include "dsl/aggregator.h"
#include "dsl/table_nodes.h"
#include "dsl/windows.h"

#include <algorithm>
#include <memory>
#include <optional>

namespace millrace::dsl {

/// Kafka's KStreamAggregate and KStreamReduce. `How`: AggregateWith, ReduceWith or CountWith.
template <class How>
class StreamAggregateNode final
    : public TableEmitter<Plain<typename How::KeyType>, typename How::Result>,
      public streams::Receiver<Plain<typename How::KeyType>, Plain<typename How::ValueType>> {
 public:
  using K = Plain<typename How::KeyType>;
  using V = Plain<typename How::ValueType>;
  using A = typename How::Result;
  StreamAggregateNode(std::shared_ptr<const StoreView<K, A>> view, How how)
      : view_(std::move(view)), how_(std::move(how)) {}
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<StreamAggregateNode>(*this);
  }
  void init(ProcessorContext& context) override {
    this->openStore(context, view_->store(), view_->sendsOld());
  }

  void process(const K* key, const V* value, RecordMeta meta) override {
    if (key == nullptr || value == nullptr) return this->context_->drop();
    auto& entry = this->store_->open(*key);
    const bool forward_now = !this->store_->cached();
    const Millis timestamp =
        entry.value ? std::max(entry.timestamp, meta.timestamp) : meta.timestamp;
    if (!entry.value) how_.start(entry.value);
    std::optional<A> old_value;
    if (forward_now && this->send_old_) old_value = entry.value;
    how_.apply(key, value, entry.value);
    entry.timestamp = timestamp;
    this->store_->commit(entry, meta);
    if (!forward_now) return;
    const Change<A> change{entry.value ? &*entry.value : nullptr,
                           old_value ? &*old_value : nullptr};
    this->forward(key, &change, {timestamp, meta.headers});
  }

 private:
  std::shared_ptr<const StoreView<K, A>> view_;
  How how_;
};

/// Kafka's KStreamWindowAggregate: every window that contains the record and is not closed yet.
template <class How>
class WindowAggregateNode final
    : public TableEmitter<Windowed<Plain<typename How::KeyType>>, typename How::Result>,
      public streams::Receiver<Plain<typename How::KeyType>, Plain<typename How::ValueType>> {
 public:
  using K = Plain<typename How::KeyType>;
  using V = Plain<typename How::ValueType>;
  using A = typename How::Result;
  WindowAggregateNode(std::shared_ptr<const StoreView<Windowed<K>, A>> view, TimeWindows windows,
                      How how)
      : view_(std::move(view)), windows_(windows), how_(std::move(how)) {}
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<WindowAggregateNode>(*this);
  }
  void init(ProcessorContext& context) override {
    this->openStore(context, view_->store(), view_->sendsOld());
  }

  void process(const K* key, const V* value, RecordMeta meta) override {
    if (key == nullptr || !How::takes(value)) return this->context_->drop();
    stream_time_ = std::max(stream_time_, meta.timestamp);
    const Millis close_time = stream_time_ - windows_.graceMs();
    windowed_.key = *key;
    windows_.forEach(meta.timestamp, [&](Window window) {
      if (window.end <= close_time) return this->context_->drop();
      windowed_.window = window;
      update(*key, value, meta);
    });
  }

 private:
  void update(const K& key, const V* value, RecordMeta meta) {
    auto& entry = this->store_->open(windowed_);
    const bool forward_now = !this->store_->cached();
    const Millis timestamp =
        entry.value ? std::max(entry.timestamp, meta.timestamp) : meta.timestamp;
    if (!entry.value) how_.start(entry.value);
    std::optional<A> old_value;
    if (forward_now && this->send_old_) old_value = entry.value;
    how_.apply(&key, value, entry.value);
    entry.timestamp = timestamp;
    this->store_->commit(entry, meta);
    if (!forward_now) return;
    const Change<A> change{entry.value ? &*entry.value : nullptr,
                           old_value ? &*old_value : nullptr};
    this->forward(&windowed_, &change, {timestamp, meta.headers});
  }

  std::shared_ptr<const StoreView<Windowed<K>, A>> view_;
  TimeWindows windows_;
  How how_;
  Millis stream_time_ = -1;
  Windowed<K> windowed_{};
};

/// Kafka's KTableAggregate and KTableReduce: takes the old value out, then puts the new one in.
/// `Add` and `Remove` as above.
template <class Add, class Remove>
class TableAggregateNode final
    : public TableEmitter<Plain<typename Add::KeyType>, typename Add::Result>,
      public streams::Receiver<Plain<typename Add::KeyType>,
                               Change<Plain<typename Add::ValueType>>> {
 public:
  using K = Plain<typename Add::KeyType>;
  using V = Plain<typename Add::ValueType>;
  using A = typename Add::Result;
  TableAggregateNode(std::shared_ptr<const StoreView<K, A>> view, Add add, Remove remove)
      : view_(std::move(view)), add_(std::move(add)), remove_(std::move(remove)) {}
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<TableAggregateNode>(*this);
  }
  void init(ProcessorContext& context) override {
    this->openStore(context, view_->store(), view_->sendsOld());
  }

  void process(const K* key, const Change<V>* change, RecordMeta meta) override {
    auto& entry = this->store_->open(*key);
    const bool existed = entry.value.has_value();
    const bool forward_now = !this->store_->cached();
    std::optional<A> old_value;
    if (forward_now && this->send_old_) old_value = entry.value;
    const Millis later = existed ? std::max(entry.timestamp, meta.timestamp) : meta.timestamp;
    Millis timestamp = meta.timestamp;
    if (change->old_value != nullptr && existed) {
      remove_.apply(key, change->old_value, entry.value);
      timestamp = later;
    }
    if (change->new_value != nullptr) {
      if (!entry.value) add_.start(entry.value);
      add_.apply(key, change->new_value, entry.value);
      timestamp = later;
    }
    entry.timestamp = timestamp;
    this->store_->commit(entry, meta);
    if (!forward_now) return;
    const Change<A> out{entry.value ? &*entry.value : nullptr, old_value ? &*old_value : nullptr};
    this->forward(key, &out, {timestamp, meta.headers});
  }

 private:
  std::shared_ptr<const StoreView<K, A>> view_;
  Add add_;
  Remove remove_;
};

/// Takes a record out of a count.
template <class K, class V>
struct UncountWith {
  void apply(const Plain<K>*, const Plain<V>*, std::optional<std::int64_t>& aggregate) {
    --*aggregate;
  }
};
/// Takes a value out of a reduction.
template <class K, class V, class F>
struct UnreduceWith {
  F subtract;
  void apply(const Plain<K>*, const Plain<V>* value, std::optional<Plain<V>>& aggregate) {
    applyReducer<V>(subtract, aggregate, value);
  }
};
/// Takes a value out of an aggregate.
template <class K, class V, class A, class F>
struct DisaggregateWith {
  F subtract;
  void apply(const Plain<K>* key, const Plain<V>* value, std::optional<Plain<A>>& aggregate) {
    applyAggregator<K, V, A>(subtract, key, value, aggregate);
  }
};

}  // namespace millrace::dsl
