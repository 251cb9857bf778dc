// How a table's value for a key is found: in its store, or computed from the tables below it.
#pragma once

#include "dsl/function.h"
#include "dsl/plan.h"
#include "dsl/table_store.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace millrace::dsl {

/// Looks up one table in one task.
template <class Key, class V>
class Getter {
 public:
  virtual ~Getter() = default;
  virtual void init(ProcessorContext& context) = 0;
  /// Valid until the next get() of this table or one below it.
  [[nodiscard]] virtual Row<V> get(const Key& key) = 0;
};

/// A table as other tables and joins see it: shared by the plan (which switches things on while the
/// DSL calls come) and by the nodes (which only read it). Plain types.
template <class Key, class V>
class TableView {
 public:
  virtual ~TableView() = default;
  /// Asks for old values in every change from here on; may materialise a source. False where that
  /// needs a store that is not there and `force` is off.
  virtual bool enableOld(bool force) = 0;
  [[nodiscard]] bool sendsOld() const { return send_old_; }
  /// Makes the table readable and names the stores that a reader must be connected to.
  [[nodiscard]] virtual std::vector<std::string> prepareGetter() = 0;
  [[nodiscard]] virtual std::unique_ptr<Getter<Key, V>> makeGetter() const = 0;

 protected:
  bool send_old_ = false;
};

template <class Key, class V>
using ViewPtr = std::shared_ptr<TableView<Key, V>>;

template <class Key, class V>
class StoreGetter final : public Getter<Key, V> {
 public:
  explicit StoreGetter(std::string store) : name_(std::move(store)) {}
  void init(ProcessorContext& context) override {
    store_ = &context.store<TableStore<Key, V>>(name_);
  }
  Row<V> get(const Key& key) override { return store_->get(key); }

 private:
  std::string name_;
  TableStore<Key, V>* store_ = nullptr;
};

/// table() and toTable(): materialised when somebody needs it.
template <class Key, class V>
class SourceView final : public TableView<Key, V> {
 public:
  explicit SourceView(std::shared_ptr<TableState> state) : state_(std::move(state)) {}
  bool enableOld(bool force) override {
    if (!force && !state_->materialized) return false;
    state_->materialized = true;
    this->send_old_ = true;
    return true;
  }
  std::vector<std::string> prepareGetter() override {
    state_->materialized = true;
    return {state_->store};
  }
  std::unique_ptr<Getter<Key, V>> makeGetter() const override {
    return std::make_unique<StoreGetter<Key, V>>(state_->store);
  }
  [[nodiscard]] const TableState& state() const { return *state_; }

 private:
  std::shared_ptr<TableState> state_;
};

/// The result of an aggregation: always in its store.
template <class Key, class V>
class StoreView final : public TableView<Key, V> {
 public:
  explicit StoreView(std::string store) : store_(std::move(store)) {}
  bool enableOld(bool) override { return this->send_old_ = true; }
  std::vector<std::string> prepareGetter() override { return {store_}; }
  std::unique_ptr<Getter<Key, V>> makeGetter() const override {
    return std::make_unique<StoreGetter<Key, V>>(store_);
  }
  [[nodiscard]] const std::string& store() const { return store_; }

 private:
  std::string store_;
};

/// A table computed from one parent, row by row: `Compute` is a copyable object with
/// `const VOut* operator()(const Key&, const V*)`, its result valid until its next call.
template <class Key, class V, class VOut, class Compute>
class DerivedView final : public TableView<Key, VOut> {
 public:
  DerivedView(ViewPtr<Key, V> parent, Compute compute, std::string store)
      : parent_(std::move(parent)), compute_(std::move(compute)), store_(std::move(store)) {
    // A filter on a table that has its old values anyway tells needless tombstones from needed ones
    // (KAFKA-10077).
    if (Compute::kSwallowsNothing) this->send_old_ = parent_->enableOld(false);
  }
  bool enableOld(bool force) override {
    if (!store_.empty()) return this->send_old_ = true;
    if (parent_->enableOld(force)) this->send_old_ = true;
    return this->send_old_;
  }
  std::vector<std::string> prepareGetter() override {
    return store_.empty() ? parent_->prepareGetter() : std::vector<std::string>{store_};
  }
  std::unique_ptr<Getter<Key, VOut>> makeGetter() const override {
    if (!store_.empty()) return std::make_unique<StoreGetter<Key, VOut>>(store_);
    return std::make_unique<ComputingGetter>(parent_->makeGetter(), compute_);
  }
  [[nodiscard]] const std::string& store() const { return store_; }
  [[nodiscard]] const Compute& compute() const { return compute_; }

 private:
  class ComputingGetter final : public Getter<Key, VOut> {
   public:
    ComputingGetter(std::unique_ptr<Getter<Key, V>> parent, Compute compute)
        : parent_(std::move(parent)), compute_(std::move(compute)) {}
    void init(ProcessorContext& context) override { parent_->init(context); }
    Row<VOut> get(const Key& key) override {
      const Row<V> row = parent_->get(key);
      const VOut* const value = compute_(key, row.value);
      return value == nullptr ? Row<VOut>{} : Row<VOut>{value, row.timestamp};
    }

   private:
    std::unique_ptr<Getter<Key, V>> parent_;
    Compute compute_;
  };

  ViewPtr<Key, V> parent_;
  Compute compute_;
  std::string store_;
};

}  // namespace millrace::dsl
