// Nodes of joins with tables.
#pragma once

#include "dsl/joiner.h"
#include "dsl/stream_nodes.h"
#include "dsl/table_nodes.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace millrace::dsl {

/// Kafka's KStreamKTableJoin: each stream record meets the table as it is now. K, V, VT as
/// declared; kLeft: a record without partner is joined with nothing.
template <class K, class V, class VT, class F, bool kLeft>
class StreamTableJoinNode final
    : public streams::ProcessorNode<Plain<K>, Plain<V>, Plain<K>,
                                    Plain<JoinResult<F, K, Side<V, false>, Side<VT, kLeft>>>> {
 public:
  using L = Side<V, false>;
  using R = Side<VT, kLeft>;
  using Out = JoinResult<F, K, L, R>;
  StreamTableJoinNode(std::shared_ptr<const TableView<Plain<K>, Plain<VT>>> table, F joiner)
      : table_(std::move(table)), joiner_(std::move(joiner)) {}
  StreamTableJoinNode(const StreamTableJoinNode& other)
      : StreamTableJoinNode(other.table_, other.joiner_) {}
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<StreamTableJoinNode>(*this);
  }
  void init(ProcessorContext& context) override {
    context_ = &context;
    getter_ = table_->makeGetter();
    getter_->init(context);
  }
  void process(const Plain<K>* key, const Plain<V>* value, RecordMeta meta) override {
    // A left join takes records without key (KIP-962), unless its joiner wants to see a key that
    // cannot be null.
    const bool needs_key = !kLeft || (!kNullable<K> && KeyedJoinerForm<F, K, L, R, true>);
    if (value == nullptr || (key == nullptr && needs_key)) return context_->drop();
    const Plain<VT>* const found = key == nullptr ? nullptr : getter_->get(*key).value;
    if (found == nullptr && !kLeft) return;
    const auto& joined = callJoiner<K, L, R>(joiner_, key, value, found);
    this->forward(key, pointerTo<Out>(joined), meta);
  }

 private:
  std::shared_ptr<const TableView<Plain<K>, Plain<VT>>> table_;
  F joiner_;
  ProcessorContext* context_ = nullptr;
  std::unique_ptr<Getter<Plain<K>, Plain<VT>>> getter_;
};

enum class JoinKind : std::uint8_t { kInner, kLeft, kOuter };

/// Joins two rows of tables: nothing where the kind wants both and one is missing.
template <class K, class V1, class V2, class F, JoinKind kKind>
class RowJoiner {
 public:
  using L = Side<V1, kKind == JoinKind::kOuter>;
  using R = Side<V2, kKind != JoinKind::kInner>;
  using Out = JoinResult<F, K, L, R>;
  explicit RowJoiner(F joiner) : joiner_(std::move(joiner)) {}
  RowJoiner(const RowJoiner& other) : joiner_(other.joiner_) {}
  /// Valid until the next call.
  const Plain<Out>* operator()(const Plain<K>& key, const Plain<V1>* left, const Plain<V2>* right) {
    if (left == nullptr && (kKind != JoinKind::kOuter || right == nullptr)) return nullptr;
    if (right == nullptr && kKind == JoinKind::kInner) return nullptr;
    result_.emplace(callJoiner<K, L, R>(joiner_, &key, left, right));
    return pointerTo<Out>(*result_);
  }

 private:
  F joiner_;
  std::optional<Out> result_;
};

/// The joined table: in its own store, or joined again at each look-up.
template <class K, class V1, class V2, class Rows, class VOut>
class JoinView final : public TableView<K, VOut> {
 public:
  JoinView(ViewPtr<K, V1> left, ViewPtr<K, V2> right, Rows rows, std::string store)
      : left_(std::move(left)),
        right_(std::move(right)),
        rows_(std::move(rows)),
        store_(std::move(store)) {}
  bool enableOld(bool) override {
    left_->enableOld(true);
    right_->enableOld(true);
    return this->send_old_ = true;
  }
  std::vector<std::string> prepareGetter() override {
    if (!store_.empty()) return {store_};
    std::vector<std::string> stores = left_->prepareGetter();
    for (auto& more : right_->prepareGetter()) {
      if (std::find(stores.begin(), stores.end(), more) == stores.end())
        stores.push_back(std::move(more));
    }
    return stores;
  }
  std::unique_ptr<Getter<K, VOut>> makeGetter() const override {
    if (!store_.empty()) return std::make_unique<StoreGetter<K, VOut>>(store_);
    return std::make_unique<JoiningGetter>(left_->makeGetter(), right_->makeGetter(), rows_);
  }
  [[nodiscard]] const std::string& store() const { return store_; }

 private:
  class JoiningGetter final : public Getter<K, VOut> {
   public:
    JoiningGetter(std::unique_ptr<Getter<K, V1>> left, std::unique_ptr<Getter<K, V2>> right,
                  Rows rows)
        : left_(std::move(left)), right_(std::move(right)), rows_(std::move(rows)) {}
    void init(ProcessorContext& context) override {
      left_->init(context);
      right_->init(context);
    }
    Row<VOut> get(const K& key) override {
      const Row<V1> left = left_->get(key);
      const Row<V2> right = right_->get(key);
      const VOut* const value = rows_(key, left.value, right.value);
      if (value == nullptr) return {};
      return {value, std::max(left.timestamp, right.timestamp)};
    }

   private:
    std::unique_ptr<Getter<K, V1>> left_;
    std::unique_ptr<Getter<K, V2>> right_;
    Rows rows_;
  };

  ViewPtr<K, V1> left_;
  ViewPtr<K, V2> right_;
  Rows rows_;
  std::string store_;
};

/// Calls the row joiner with the sides swapped: for updates that come from the right.
template <class Rows>
class SwappedRows {
 public:
  explicit SwappedRows(Rows rows) : rows_(std::move(rows)) {}
  template <class K, class A, class B>
  auto operator()(const K& key, const A* changed, const B* other) {
    return rows_(key, other, changed);
  }

 private:
  Rows rows_;
};

/// One side of a table-table join: an update of V meets the row of VO. Kafka's KTableKTable*Join.
/// kNeedsOther: no result without the other row. kKnowsOld: this side sends old values, so that a
/// change from nothing to nothing is known and swallowed where the other row is missing too.
template <class K, class V, class VO, class VOut, class Rows, bool kNeedsOther, bool kKnowsOld>
class TableJoinNode final : public streams::ProcessorNode<K, Change<V>, K, Change<VOut>> {
 public:
  TableJoinNode(std::shared_ptr<const TableView<K, VO>> other,
                std::shared_ptr<const TableView<K, VOut>> result, Rows rows)
      : other_(std::move(other)),
        result_(std::move(result)),
        rows_new_(rows),
        rows_old_(std::move(rows)) {}
  TableJoinNode(const TableJoinNode& from)
      : TableJoinNode(from.other_, from.result_, from.rows_new_) {}
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<TableJoinNode>(*this);
  }
  void init(ProcessorContext& context) override {
    getter_ = other_->makeGetter();
    getter_->init(context);
    send_old_ = result_->sendsOld();
  }
  void process(const K* key, const Change<V>* change, RecordMeta meta) override {
    const Row<VO> other = getter_->get(*key);
    if (other.value == nullptr && kNeedsOther) return;
    if (kKnowsOld && other.value == nullptr && change->new_value == nullptr &&
        change->old_value == nullptr)
      return;
    if (other.value != nullptr) meta.timestamp = std::max(meta.timestamp, other.timestamp);
    Change<VOut> joined{.is_latest = change->is_latest};
    joined.new_value = rows_new_(*key, change->new_value, other.value);
    if (send_old_) joined.old_value = rows_old_(*key, change->old_value, other.value);
    this->forward(key, &joined, meta);
  }

 private:
  std::shared_ptr<const TableView<K, VO>> other_;
  std::shared_ptr<const TableView<K, VOut>> result_;
  Rows rows_new_;
  Rows rows_old_;
  bool send_old_ = false;
  std::unique_ptr<Getter<K, VO>> getter_;
};

/// Where both sides of a table-table join meet; owns the result's store where there is one.
template <class K, class VOut>
class TableMergeNode final : public TableEmitter<K, VOut>,
                             public streams::Receiver<K, Change<VOut>> {
 public:
  TableMergeNode(std::shared_ptr<const TableView<K, VOut>> view, std::string store)
      : view_(std::move(view)), store_name_(std::move(store)) {}
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<TableMergeNode>(*this);
  }
  void init(ProcessorContext& context) override {
    this->openStore(context, store_name_, view_->sendsOld());
  }
  void process(const K* key, const Change<VOut>* change, RecordMeta meta) override {
    if (this->store_ != nullptr)
      return this->putAndForward(*key, change->new_value, change->old_value, meta);
    Change<VOut> out = *change;
    if (!this->send_old_) out.old_value = nullptr;
    this->forward(key, &out, meta);
  }

 private:
  std::shared_ptr<const TableView<K, VOut>> view_;
  std::string store_name_;
};

}  // namespace millrace::dsl
