// Nodes of tables: source, filter, mapValues, to stream, and the two halves of groupBy.
#pragma once

#include "dsl/table_view.h"
#include "streams/processor.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace millrace::dsl {

/// A node that emits changes of a table and may own its store.
template <class Key, class V>
class TableEmitter : public streams::Emitter<Key, Change<V>>, public FlushListener<Key, V> {
 public:
  void flushed(const Key& key, const Change<V>& change, RecordMeta meta) override {
    this->forward(&key, &change, meta);
  }

 protected:
  void openStore(ProcessorContext& context, const std::string& name, bool send_old) {
    context_ = &context;
    send_old_ = send_old;
    if (name.empty()) return;
    store_ = &context.store<TableStore<Key, V>>(name);
    store_->setListener(this, send_old);
  }
  /// Puts and, unless the cache will do it at its flush, forwards. `old_value` only counts
  /// uncached.
  void putAndForward(const Key& key, const V* value, const V* old_value, RecordMeta meta) {
    auto& entry = store_->openBlind(key);
    if (value != nullptr) {
      entry.value = *value;
      entry.timestamp = meta.timestamp;
    } else {
      entry.value.reset();
    }
    store_->commit(entry, meta);
    if (store_->cached()) return;
    const Change<V> change{value, send_old_ ? old_value : nullptr};
    this->forward(&key, &change, meta);
  }
  ProcessorContext* context_ = nullptr;
  TableStore<Key, V>* store_ = nullptr;
  bool send_old_ = false;
};

/// Kafka's KTableSource: from records to changes.
template <class K, class V>
class TableSourceNode final : public TableEmitter<K, V>, public streams::Receiver<K, V> {
 public:
  explicit TableSourceNode(std::shared_ptr<const SourceView<K, V>> view) : view_(std::move(view)) {}
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<TableSourceNode>(*this);
  }
  void init(ProcessorContext& context) override {
    const TableState& state = view_->state();
    this->openStore(context, state.materialized ? state.store : std::string(), view_->sendsOld());
  }
  void process(const K* key, const V* value, RecordMeta meta) override {
    if (key == nullptr) return this->context_->drop();
    if (this->store_ == nullptr) {
      const Change<V> change{value};
      return this->forward(key, &change, meta);
    }
    std::optional<V> old_value;
    if (this->send_old_ && !this->store_->cached()) {
      if (const Row<V> row = this->store_->get(*key); row.value != nullptr) old_value = *row.value;
    }
    this->putAndForward(*key, value, old_value ? &*old_value : nullptr, meta);
  }

 private:
  std::shared_ptr<const SourceView<K, V>> view_;
};

/// Computes a filter's row: the value itself or nothing. K and V as declared.
template <class K, class V, class F>
class FilterCompute {
 public:
  FilterCompute(F predicate, bool keep_if) : predicate_(std::move(predicate)), keep_if_(keep_if) {}
  const Plain<V>* operator()(const Plain<K>& key, const Plain<V>* value) {
    if (value == nullptr) return nullptr;
    return static_cast<bool>(call<K, V>(predicate_, &key, value)) == keep_if_ ? value : nullptr;
  }
  /// A filter swallows a change from nothing to nothing, where it knows the old value.
  static constexpr bool kSwallowsNothing = true;

 private:
  F predicate_;
  bool keep_if_;
};

/// Computes a mapped row; nulls stay nulls and are never shown to the mapper.
template <class K, class V, class F>
class MapCompute {
 public:
  using Out = ResultOf<F, K, V>;
  explicit MapCompute(F mapper) : mapper_(std::move(mapper)) {}
  MapCompute(const MapCompute& other) : mapper_(other.mapper_) {}
  const Plain<Out>* operator()(const Plain<K>& key, const Plain<V>* value) {
    if (value == nullptr) return nullptr;
    result_.emplace(call<K, V>(mapper_, &key, value));
    return pointerTo<Out>(*result_);
  }
  static constexpr bool kSwallowsNothing = false;

 private:
  F mapper_;
  std::optional<Out> result_;
};

/// Kafka's KTableFilter and KTableMapValues.
template <class Key, class V, class VOut, class Compute>
class DerivedTableNode final : public TableEmitter<Key, VOut>,
                               public streams::Receiver<Key, Change<V>> {
 public:
  using View = DerivedView<Key, V, VOut, Compute>;
  explicit DerivedTableNode(std::shared_ptr<const View> view)
      : view_(std::move(view)), compute_new_(view_->compute()), compute_old_(view_->compute()) {}
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<DerivedTableNode>(view_);
  }
  void init(ProcessorContext& context) override {
    this->openStore(context, view_->store(), view_->sendsOld());
  }
  void process(const Key* key, const Change<V>* change, RecordMeta meta) override {
    const VOut* const new_value = compute_new_(*key, change->new_value);
    if (this->store_ != nullptr) return processStored(*key, new_value, meta);
    const VOut* old_value = this->send_old_ ? compute_old_(*key, change->old_value) : nullptr;
    if (Compute::kSwallowsNothing && this->send_old_ && new_value == nullptr &&
        old_value == nullptr)
      return;
    const Change<VOut> out{new_value, old_value, change->is_latest};
    this->forward(key, &out, meta);
  }

 private:
  void processStored(const Key& key, const VOut* new_value, RecordMeta meta) {
    std::optional<VOut> old_value;
    if (this->send_old_) {
      if (const Row<VOut> row = this->store_->get(key); row.value != nullptr)
        old_value = *row.value;
      if (Compute::kSwallowsNothing && new_value == nullptr && !old_value) return;
    }
    this->putAndForward(key, new_value, old_value ? &*old_value : nullptr, meta);
  }

  std::shared_ptr<const View> view_;
  Compute compute_new_;
  Compute compute_old_;
};

/// toStream(): the new value, null for a deletion.
template <class Key, class V>
class ToStreamNode final : public streams::ProcessorNode<Key, Change<V>, Key, V> {
 public:
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<ToStreamNode>(*this);
  }
  void process(const Key* key, const Change<V>* change, RecordMeta meta) override {
    this->forward(key, change->new_value, meta);
  }
};

/// groupBy on a table: the old row leaves its group before the new one enters its own (Kafka's
/// KTableRepartitionMap); both in one change where the group stays the same (KIP-904).
template <class K, class V, class F>
class TableSelectNode final
    : public streams::ProcessorNode<Plain<K>, Change<Plain<V>>, Plain<FirstOf<ResultOf<F, K, V>>>,
                                    Change<Plain<SecondOf<ResultOf<F, K, V>>>>> {
 public:
  using Pair = ResultOf<F, K, V>;
  using KOut = Plain<FirstOf<Pair>>;
  using VOut = Plain<SecondOf<Pair>>;
  explicit TableSelectNode(F mapper) : mapper_(std::move(mapper)) {}
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<TableSelectNode>(*this);
  }
  void process(const Plain<K>* key, const Change<Plain<V>>* change, RecordMeta meta) override {
    if (!change->is_latest) return;
    std::optional<Pair> new_pair;
    std::optional<Pair> old_pair;
    if (change->new_value != nullptr) new_pair.emplace(call<K, V>(mapper_, key, change->new_value));
    if (change->old_value != nullptr) old_pair.emplace(call<K, V>(mapper_, key, change->old_value));
    const KOut* const new_key = new_pair ? pointerTo<FirstOf<Pair>>(new_pair->first) : nullptr;
    const KOut* const old_key = old_pair ? pointerTo<FirstOf<Pair>>(old_pair->first) : nullptr;
    const VOut* const new_value = new_pair ? pointerTo<SecondOf<Pair>>(new_pair->second) : nullptr;
    const VOut* const old_value = old_pair ? pointerTo<SecondOf<Pair>>(old_pair->second) : nullptr;
    const bool has_new = new_key != nullptr && new_value != nullptr;
    const bool has_old = old_key != nullptr && old_value != nullptr;
    if (has_new && has_old && sameKey(*new_key, *old_key))
      return emit(*new_key, {new_value, old_value}, meta);
    if (has_old) emit(*old_key, {nullptr, old_value}, meta);
    if (has_new) emit(*new_key, {new_value, nullptr}, meta);
  }

 private:
  void emit(const KOut& key, Change<VOut> change, RecordMeta meta) {
    this->forward(&key, &change, meta);
  }
  F mapper_;
};

}  // namespace millrace::dsl
