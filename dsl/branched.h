// split(): a stream parts into branches; each record goes to the first whose predicate holds.
#pragma once

#include "dsl/kstream.h"

#include <map>
#include <memory>
#include <string>
#include <utility>

namespace millrace {

/// Name of a branch: its node is "<split><name>", and so is its key in the map of branches. Without
/// a name the branch has its position, from 1; the default branch has 0.
struct BranchOptions {
  std::string name = {};
};

/// ```
/// auto branches = orders.split({.name = "by-size-"})
///                     .branch([](const Order& o) { return o.total > 100; }, {.name = "big"})
///                     .defaultBranch({.name = "small"});
/// branches.at("by-size-big").to("big-orders");
/// ```
template <class K, class V>
class BranchedKStream {
 public:
  using Branches = std::map<std::string, KStream<K, V>>;
  using PK = dsl::Plain<K>;
  using PV = dsl::Plain<V>;

  BranchedKStream(const KStream<K, V>& stream, const NodeOptions& options)
      : stream_(stream), list_(std::make_shared<dsl::BranchList<PK, PV>>()) {
    auto node = stream_.step("KSTREAM-BRANCH-", options, dsl::SplitNode<PK, PV>(list_));
    splitter_ = stream_.attach(std::move(node));
  }
  template <dsl::Predicate<K, V> F>
  BranchedKStream& branch(F predicate, BranchOptions options = {}) {
    list_->predicates.push_back(
        std::make_unique<dsl::BranchPredicateOf<K, V, F>>(std::move(predicate)));
    addBranch(options.name.empty() ? std::to_string(list_->predicates.size()) : options.name);
    return *this;
  }
  /// Ends the split: what no predicate takes goes here.
  Branches defaultBranch(BranchOptions options = {}) {
    list_->has_default = true;
    addBranch(options.name.empty() ? "0" : options.name);
    return branches_;
  }
  /// Ends the split: what no predicate takes is dropped.
  Branches noDefaultBranch() { return branches_; }

 private:
  void addBranch(const std::string& suffix) {
    const std::string name = splitter_->name + suffix;
    dsl::Plan& plan = *stream_.state()->plan;
    (void)plan.newName("");  // a branch uses up a number
    auto* node = plan.add(splitter_, std::make_unique<dsl::ProcessorPlan>(
                                         name, std::make_shared<dsl::PassThroughNode<PK, PV>>()));
    branches_.emplace(name, stream_.same(node));
  }

  KStream<K, V> stream_;
  std::shared_ptr<dsl::BranchList<PK, PV>> list_;
  dsl::PlanNode* splitter_ = nullptr;
  Branches branches_;
};

}  // namespace millrace
