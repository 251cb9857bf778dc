// A topology: nodes, stores and topics without types. What describe() prints, what the runtime
// plans with, what tasks are made from.
#pragma once

#include "base/result.h"
#include "streams/context.h"
#include "streams/processor.h"
#include "streams/store.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace millrace::streams {

/// Makes the typed store of a task. Shared by all tasks: const.
class StoreBuilder {
 public:
  explicit StoreBuilder(StoreSpec spec) : spec_(std::move(spec)) {}
  virtual ~StoreBuilder() = default;
  [[nodiscard]] const StoreSpec& spec() const { return spec_; }
  [[nodiscard]] virtual std::unique_ptr<TaskStore> make() const = 0;

 protected:
  StoreSpec spec_;
};

enum class NodeKind : std::uint8_t { kSource, kProcessor, kSink };
enum class ResetPolicy : std::uint8_t { kDefault, kEarliest, kLatest };

/// A node as it was declared. Immutable after build.
struct NodeSpec {
  std::string name;
  NodeKind kind = NodeKind::kProcessor;
  std::vector<std::string> parents = {};
  std::vector<std::string> stores = {};  ///< connected state stores, in the order of connecting
  std::vector<std::string> topics = {};  ///< a source's; internal ones without the application id
  std::string topic = {};                ///< a sink's; empty where `extractor` is not
  std::string extractor = {};            ///< a sink's topic extractor, as describe() prints it
  ResetPolicy reset = ResetPolicy::kDefault;
  std::shared_ptr<const Node> prototype = nullptr;
};

/// A topic that the application creates for itself. Names without the application id.
struct InternalTopic {
  std::string name;
  /// Asked for by the user (Repartitioned); else as many as the inputs of the writing subtopology
  /// have.
  std::optional<std::int32_t> partitions = std::nullopt;
  std::map<std::string, std::string> configs = {};
};

/// What runs together in one task.
struct Subtopology {
  std::int32_t id = 0;
  std::vector<std::string> nodes = {};       ///< in the order of declaration
  std::set<std::string> source_topics = {};  ///< names without the application id
  std::set<std::string> sink_topics = {};
  std::vector<std::string> stores =
      {};  ///< in the order in which a task creates (and flushes) them
  std::map<std::string, InternalTopic> repartition_topics = {};  ///< read by this subtopology
  /// Store name to changelog topic. A store that restores from its source topic
  /// (reuse.ktable.source.topics) names that topic, and `created` is false.
  struct Changelog {
    InternalTopic topic;
    bool created = true;
  };
  std::map<std::string, Changelog> changelogs = {};
  std::vector<std::set<std::string>> copartition_groups = {};
  bool global = false;  ///< a global store: read by every instance, makes no tasks
};

/// An immutable topology; cheap to copy. Thread-safe to read.
class Topology {
 public:
  struct Data;
  /// The text of Kafka's Topology.describe().toString().
  [[nodiscard]] std::string describe() const;
  [[nodiscard]] const std::vector<Subtopology>& subtopologies() const;
  /// All nodes, in the order of declaration.
  [[nodiscard]] std::vector<std::string> nodeNames() const;
  [[nodiscard]] const NodeSpec& node(const std::string& name) const;
  [[nodiscard]] const StoreBuilder& store(const std::string& name) const;
  /// A topic that the application owns: its real name is "<application id>-<name>".
  [[nodiscard]] bool isInternal(const std::string& topic) const;
  /// Empty topology: no nodes at all.
  [[nodiscard]] bool empty() const;

 private:
  friend class TopologyBuilder;
  std::shared_ptr<const Data> data_;
};

/// The stores of some nodes (in the order of declaration) in the order in which Kafka creates and
/// flushes them.
[[nodiscard]] std::vector<std::string> storeOrder(const Topology& topology,
                                                  const std::vector<std::string>& nodes);

/// "<application id>-<topic>".
[[nodiscard]] std::string decorateTopic(const std::string& application_id,
                                        const std::string& topic);

/// Collects nodes; names must be unique, parents must exist. Kafka's InternalTopologyBuilder.
class TopologyBuilder {
 public:
  TopologyBuilder();
  ~TopologyBuilder();
  TopologyBuilder(TopologyBuilder&&) noexcept;

  [[nodiscard]] Status addSource(NodeSpec node);
  [[nodiscard]] Status addProcessor(NodeSpec node);
  [[nodiscard]] Status addSink(NodeSpec node);
  /// Registers a store and connects it to processors. The same builder may be added again.
  [[nodiscard]] Status addStateStore(std::shared_ptr<const StoreBuilder> store,
                                     const std::vector<std::string>& processors);
  [[nodiscard]] Status connect(const std::string& processor,
                               const std::vector<std::string>& stores);
  void addRepartitionTopic(const std::string& topic, std::optional<std::int32_t> partitions);
  /// These sources must have equally many partitions.
  void copartition(const std::vector<std::string>& source_nodes);
  /// The store restores from the source topic instead of a changelog.
  void reuseSourceTopic(const std::string& store, const std::string& topic);
  [[nodiscard]] bool hasNode(const std::string& name) const;
  [[nodiscard]] Result<Topology> build();

 private:
  [[nodiscard]] Status add(NodeSpec node);
  std::shared_ptr<Topology::Data> data_;
};

}  // namespace millrace::streams
