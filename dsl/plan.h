// The logical plan: what DSL calls record, in their order, until build() writes a topology from it.
// Kafka's GraphNode and InternalStreamsBuilder: names and numbers follow them step by step.
#pragma once

#include "streams/topology.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace millrace::dsl {

using streams::StoreBuilder;
using streams::TopologyBuilder;
using NodePtr = std::shared_ptr<const streams::Node>;

/// A step of the plan. It writes its nodes when all of its parents have written theirs.
class PlanNode {
 public:
  explicit PlanNode(std::string node_name) : name(std::move(node_name)) {}
  virtual ~PlanNode() = default;
  [[nodiscard]] virtual Status write(TopologyBuilder& builder) const = 0;

  void addChild(PlanNode* child);
  void removeChild(PlanNode* child);
  [[nodiscard]] std::vector<std::string> parentNames() const;

  std::string name;
  std::vector<PlanNode*> parents;
  std::vector<PlanNode*> children;
  std::int32_t priority = 0;
  bool key_changing = false;
  bool value_changing = false;
  bool merging = false;
  bool null_key_relaxed_join =
      false;  ///< a left or outer join: takes records without key (KIP-962)
  bool written = false;
};

/// A processor with the stores it owns and the ones it reads.
class ProcessorPlan : public PlanNode {
 public:
  ProcessorPlan(std::string node_name, NodePtr node)
      : PlanNode(std::move(node_name)), prototype(std::move(node)) {}
  [[nodiscard]] Status write(TopologyBuilder& builder) const override;

  NodePtr prototype;
  std::vector<std::shared_ptr<const StoreBuilder>> owned_stores;
  std::vector<std::string> connected_stores;
};

class SourcePlan final : public PlanNode {
 public:
  using PlanNode::PlanNode;
  [[nodiscard]] Status write(TopologyBuilder& builder) const override;
  std::vector<std::string> topics;
  NodePtr prototype;
  streams::ResetPolicy reset = streams::ResetPolicy::kDefault;
};

/// What table() and toTable() know about their state; shared with the typed side. The store exists
/// only where the user named it or something below needs it.
struct TableState {
  std::string store;  ///< name, generated or given
  bool materialized = false;
  bool send_old = false;
};

class TableSourcePlan final : public PlanNode {
 public:
  using PlanNode::PlanNode;
  [[nodiscard]] Status write(TopologyBuilder& builder) const override;
  std::string source_name;
  std::string topic;
  NodePtr source_prototype;
  NodePtr table_prototype;
  std::shared_ptr<const TableState> state;
  std::shared_ptr<const StoreBuilder> store;
  streams::ResetPolicy reset = streams::ResetPolicy::kDefault;
  bool reuse_source_topic = false;  ///< topology.optimization: no changelog
};

/// toTable(): a table on top of a stream.
class StreamToTablePlan final : public PlanNode {
 public:
  using PlanNode::PlanNode;
  [[nodiscard]] Status write(TopologyBuilder& builder) const override;
  NodePtr prototype;
  std::shared_ptr<const TableState> state;
  std::shared_ptr<const StoreBuilder> store;
};

/// Sink, topic and source; before the sink a filter of null keys, where there is one.
class RepartitionPlan final : public PlanNode {
 public:
  using PlanNode::PlanNode;  // the name is that of the source
  [[nodiscard]] Status write(TopologyBuilder& builder) const override;
  std::string filter_name;  ///< empty: no filter (tables)
  std::string sink_name;
  std::string topic;
  std::optional<std::int32_t> partitions;
  bool optimizable = true;  ///< made by the library, not asked for by repartition()
  NodePtr filter_prototype;
  NodePtr unfiltered_prototype;  ///< takes the filter's place where null keys may pass
  NodePtr sink_prototype;
  NodePtr source_prototype;
};

class SinkPlan final : public PlanNode {
 public:
  using PlanNode::PlanNode;
  [[nodiscard]] Status write(TopologyBuilder& builder) const override;
  std::string topic;
  std::string extractor;
  NodePtr prototype;
};

/// Two processors that meet in a third.
class TableJoinPlan final : public PlanNode {
 public:
  using PlanNode::PlanNode;  // the name is the merger's
  [[nodiscard]] Status write(TopologyBuilder& builder) const override;
  std::string this_side, other_side;  ///< the tables' own nodes
  std::string this_name, other_name;
  NodePtr this_prototype, other_prototype, merge_prototype;
  std::vector<std::string> this_stores, other_stores;  ///< read to look up the respective table
  std::shared_ptr<const StoreBuilder> store;
};

/// What build() is told.
struct PlanOptions {
  bool reuse_source_topics = false;
  bool merge_repartition_topics = false;
  bool single_store_self_join = false;
};

/// One per StreamsBuilder.
class Plan {
 public:
  Plan();
  ~Plan();

  /// "KSTREAM-FILTER-0000000003": takes the next number.
  [[nodiscard]] std::string newName(const std::string& prefix);
  /// "KSTREAM-AGGREGATE-STATE-STORE-0000000002".
  [[nodiscard]] std::string newStoreName(const std::string& prefix);
  /// A name that was given still uses up a number, so that giving names does not move the others.
  [[nodiscard]] std::string nameOr(const std::string& given, const std::string& prefix);
  [[nodiscard]] std::string nameOr(const std::string& given, const std::string& suffix,
                                   const std::string& prefix);

  template <class N>
  N* add(PlanNode* parent, std::unique_ptr<N> node) {
    return add(std::vector<PlanNode*>{parent}, std::move(node));
  }
  template <class N>
  N* add(const std::vector<PlanNode*>& parents, std::unique_ptr<N> node) {
    N* raw = node.get();
    adopt(parents, std::move(node));
    return raw;
  }
  /// A step that belongs to no parent yet.
  template <class N>
  N* own(std::unique_ptr<N> node) {
    N* raw = node.get();
    owned_.push_back(std::move(node));
    return raw;
  }
  /// Adds another step below a parent after both exist (a repartition that is used twice).
  void attach(PlanNode* parent, PlanNode* node);
  [[nodiscard]] PlanNode* root() { return root_; }

  void copartition(const std::set<std::string>& source_nodes) {
    copartitions_.push_back(source_nodes);
  }
  void addStore(std::shared_ptr<const StoreBuilder> store) {
    extra_stores_.push_back(std::move(store));
  }
  /// The first problem of any DSL call; build() reports it.
  void fail(Error error);

  /// Once. Errors: kConfig, kState: what Kafka's TopologyException would say.
  [[nodiscard]] Result<streams::Topology> build(const PlanOptions& options);

 private:
  friend class RepartitionMerge;
  void adopt(const std::vector<PlanNode*>& parents, std::unique_ptr<PlanNode> node);
  void enroll(PlanNode* node);
  [[nodiscard]] Status mergeDuplicateSources();
  void reuseSourceTopics();
  [[nodiscard]] Status mergeRepartitions();
  void rewriteRepartitions();
  [[nodiscard]] Status writeAll(TopologyBuilder& builder);

  std::vector<std::unique_ptr<PlanNode>> owned_;
  PlanNode* root_;
  std::int32_t next_number_ = 0;
  std::int32_t next_priority_ = 0;
  /// Key-changing (or merging) steps with the repartitions that they cause, in the order of both.
  std::vector<std::pair<PlanNode*, std::vector<RepartitionPlan*>>> key_changers_;
  std::vector<PlanNode*> mergers_;
  std::vector<std::set<std::string>> copartitions_;
  std::vector<std::shared_ptr<const StoreBuilder>> extra_stores_;
  std::optional<Error> error_;
  bool built_ = false;
};

/// Names of a repartition: generated numbers are used up in any case.
struct RepartitionNames {
  std::string topic, filter, sink, source;
};
[[nodiscard]] RepartitionNames repartitionNames(Plan& plan, const std::string& prefix);

/// Kafka's rule for names of nodes, stores and topics.
[[nodiscard]] Status checkName(const std::string& name);

}  // namespace millrace::dsl
