// Nodes of stateless stream operators. K and V are the declared types, optional where the user
// wants to see nulls; what passes between nodes are pointers to the plain types.
#pragma once

#include "dsl/function.h"
#include "streams/context.h"
#include "streams/processor.h"

#include <memory>
#include <utility>
#include <vector>

namespace millrace::dsl {

using streams::ProcessorContext;
using streams::RecordMeta;

/// A node that drops (and counts) records whose nulls its lambda does not take.
template <class K, class V, class KOut, class VOut>
class StreamNode : public streams::ProcessorNode<Plain<K>, Plain<V>, Plain<KOut>, Plain<VOut>> {
 public:
  void init(ProcessorContext& context) override { context_ = &context; }

 protected:
  void drop() { context_->drop(); }
  ProcessorContext* context_ = nullptr;
};

template <class K, class V, class F>
class FilterNode final : public StreamNode<K, V, K, V> {
 public:
  FilterNode(F predicate, bool keep_if) : predicate_(std::move(predicate)), keep_if_(keep_if) {}
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<FilterNode>(*this);
  }
  void process(const Plain<K>* key, const Plain<V>* value, RecordMeta meta) override {
    if (!callable<K, V, F>(key, value)) return this->drop();
    if (static_cast<bool>(call<K, V>(predicate_, key, value)) == keep_if_)
      this->forward(key, value, meta);
  }

 private:
  F predicate_;
  bool keep_if_;
};

/// A null value stays null where the lambda does not take nulls.
template <class K, class V, class F>
class MapValuesNode final : public StreamNode<K, V, K, ResultOf<F, K, V>> {
 public:
  explicit MapValuesNode(F mapper) : mapper_(std::move(mapper)) {}
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<MapValuesNode>(*this);
  }
  void process(const Plain<K>* key, const Plain<V>* value, RecordMeta meta) override {
    if (!showable<V>(value)) return this->forward(key, nullptr, meta);
    if (!callable<K, V, F>(key, value)) return this->drop();
    const auto& mapped = call<K, V>(mapper_, key, value);
    this->forward(key, pointerTo<ResultOf<F, K, V>>(mapped), meta);
  }

 private:
  F mapper_;
};

template <class K, class V, class F>
class SelectKeyNode final : public StreamNode<K, V, ResultOf<F, K, V>, V> {
 public:
  explicit SelectKeyNode(F mapper) : mapper_(std::move(mapper)) {}
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<SelectKeyNode>(*this);
  }
  void process(const Plain<K>* key, const Plain<V>* value, RecordMeta meta) override {
    if (!callable<K, V, F>(key, value)) return this->drop();
    const auto& selected = call<K, V>(mapper_, key, value);
    this->forward(pointerTo<ResultOf<F, K, V>>(selected), value, meta);
  }

 private:
  F mapper_;
};

template <class Pair>
using FirstOf = std::remove_cvref_t<decltype(std::declval<const Pair&>().first)>;
template <class Pair>
using SecondOf = std::remove_cvref_t<decltype(std::declval<const Pair&>().second)>;

template <class K, class V, class F, class Pair = ResultOf<F, K, V>>
class MapNode final : public StreamNode<K, V, FirstOf<Pair>, SecondOf<Pair>> {
 public:
  explicit MapNode(F mapper) : mapper_(std::move(mapper)) {}
  std::unique_ptr<streams::Node> clone() const override { return std::make_unique<MapNode>(*this); }
  void process(const Plain<K>* key, const Plain<V>* value, RecordMeta meta) override {
    if (!callable<K, V, F>(key, value)) return this->drop();
    const auto& mapped = call<K, V>(mapper_, key, value);
    this->forward(pointerTo<FirstOf<Pair>>(mapped.first), pointerTo<SecondOf<Pair>>(mapped.second),
                  meta);
  }

 private:
  F mapper_;
};

template <class Range>
using ElementOf = std::remove_cvref_t<decltype(*std::begin(std::declval<const Range&>()))>;

template <class K, class V, class F, class Pair = ElementOf<ResultOf<F, K, V>>>
class FlatMapNode final : public StreamNode<K, V, FirstOf<Pair>, SecondOf<Pair>> {
 public:
  explicit FlatMapNode(F mapper) : mapper_(std::move(mapper)) {}
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<FlatMapNode>(*this);
  }
  void process(const Plain<K>* key, const Plain<V>* value, RecordMeta meta) override {
    if (!callable<K, V, F>(key, value)) return this->drop();
    const auto& mapped = call<K, V>(mapper_, key, value);
    for (const auto& pair : mapped) {
      this->forward(pointerTo<FirstOf<Pair>>(pair.first), pointerTo<SecondOf<Pair>>(pair.second),
                    meta);
    }
  }

 private:
  F mapper_;
};

template <class K, class V, class F, class VOut = ElementOf<ResultOf<F, K, V>>>
class FlatMapValuesNode final : public StreamNode<K, V, K, VOut> {
 public:
  explicit FlatMapValuesNode(F mapper) : mapper_(std::move(mapper)) {}
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<FlatMapValuesNode>(*this);
  }
  void process(const Plain<K>* key, const Plain<V>* value, RecordMeta meta) override {
    if (!callable<K, V, F>(key, value)) return this->drop();
    const auto& mapped = call<K, V>(mapper_, key, value);
    for (const auto& element : mapped) this->forward(key, pointerTo<VOut>(element), meta);
  }

 private:
  F mapper_;
};

/// peek and foreach: a record that the lambda cannot take goes on unseen.
template <class K, class V, class F>
class PeekNode final : public StreamNode<K, V, K, V> {
 public:
  explicit PeekNode(F action) : action_(std::move(action)) {}
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<PeekNode>(*this);
  }
  void process(const Plain<K>* key, const Plain<V>* value, RecordMeta meta) override {
    if (callable<K, V, F>(key, value)) call<K, V>(action_, key, value);
    this->forward(key, value, meta);
  }

 private:
  F action_;
};

/// merge, and the children of split. Plain types.
template <class K, class V>
class PassThroughNode final : public streams::ProcessorNode<K, V, K, V> {
 public:
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<PassThroughNode>(*this);
  }
  void process(const K* key, const V* value, RecordMeta meta) override {
    this->forward(key, value, meta);
  }
};

/// Before a repartition topic: a record without key has no partition (not counted as dropped, as in
/// Kafka).
template <class K, class V>
class NullKeyFilterNode final : public streams::ProcessorNode<K, V, K, V> {
 public:
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<NullKeyFilterNode>(*this);
  }
  void process(const K* key, const V* value, RecordMeta meta) override {
    if (key != nullptr) this->forward(key, value, meta);
  }
};

/// One predicate of a split; erased, because branches are added one by one.
template <class K, class V>
class BranchPredicate {
 public:
  virtual ~BranchPredicate() = default;
  [[nodiscard]] virtual std::unique_ptr<BranchPredicate> clone() const = 0;
  [[nodiscard]] virtual bool matches(const K* key, const V* value) = 0;
};

template <class K, class V, class F>
class BranchPredicateOf final : public BranchPredicate<Plain<K>, Plain<V>> {
 public:
  explicit BranchPredicateOf(F predicate) : predicate_(std::move(predicate)) {}
  std::unique_ptr<BranchPredicate<Plain<K>, Plain<V>>> clone() const override {
    return std::make_unique<BranchPredicateOf>(*this);
  }
  bool matches(const Plain<K>* key, const Plain<V>* value) override {
    return callable<K, V, F>(key, value) && static_cast<bool>(call<K, V>(predicate_, key, value));
  }

 private:
  F predicate_;
};

/// The branches of a split while the DSL call chain adds to them.
template <class K, class V>
struct BranchList {
  std::vector<std::unique_ptr<BranchPredicate<K, V>>> predicates;
  bool has_default = false;
};

/// Sends a record to the child of the first predicate that holds, else to the default child, else
/// nowhere (not counted as dropped, as in Kafka).
template <class K, class V>
class SplitNode final : public streams::ProcessorNode<K, V, K, V> {
 public:
  explicit SplitNode(std::shared_ptr<const BranchList<K, V>> branches)
      : branches_(std::move(branches)) {}
  SplitNode(const SplitNode& other)
      : streams::ProcessorNode<K, V, K, V>(other), branches_(other.branches_) {}
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<SplitNode>(*this);
  }
  void init(ProcessorContext&) override {
    for (const auto& predicate : branches_->predicates) predicates_.push_back(predicate->clone());
  }
  void process(const K* key, const V* value, RecordMeta meta) override {
    for (std::size_t i = 0; i < predicates_.size(); ++i) {
      if (predicates_[i]->matches(key, value)) return this->outputs_.forwardTo(i, key, value, meta);
    }
    if (branches_->has_default) this->outputs_.forwardTo(predicates_.size(), key, value, meta);
  }

 private:
  std::shared_ptr<const BranchList<K, V>> branches_;
  std::vector<std::unique_ptr<BranchPredicate<K, V>>> predicates_;
};

}  // namespace millrace::dsl
