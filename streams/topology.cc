#include "streams/topology.h"

#include "base/assert.h"
#include "streams/topology_data.h"

#include <algorithm>
#include <numeric>

namespace millrace::streams {
namespace {

constexpr Millis kWindowChangelogExtra_ms =
    86'400'000;  // windowstore.changelog.additional.retention.ms

/// Nodes that must run together: union-find over positions.
class Groups {
 public:
  explicit Groups(std::size_t size) : parent_(size) {
    std::iota(parent_.begin(), parent_.end(), 0U);
  }
  std::size_t root(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void unite(std::size_t a, std::size_t b) { parent_[root(a)] = root(b); }

 private:
  std::vector<std::size_t> parent_;
};

InternalTopic changelogTopic(const StoreSpec& spec) {
  InternalTopic topic{.name = spec.name + "-changelog"};
  topic.configs["message.timestamp.type"] = "CreateTime";
  if (spec.windowed() || spec.kind == StoreKind::kSession) {
    topic.configs["cleanup.policy"] = spec.retain_duplicates ? "delete" : "compact,delete";
    topic.configs["retention.ms"] = std::to_string(spec.retention_ms + kWindowChangelogExtra_ms);
  } else {
    topic.configs["cleanup.policy"] = "compact";
  }
  for (const auto& [key, value] : spec.log_config) topic.configs[key] = value;
  return topic;
}

InternalTopic repartitionTopic(const std::string& name, std::optional<std::int32_t> partitions) {
  return {.name = name,
          .partitions = partitions,
          .configs = {{"cleanup.policy", "delete"},
                      {"message.timestamp.type", "CreateTime"},
                      {"retention.ms", "-1"},
                      {"segment.bytes", "52428800"}}};
}

void addStores(const Topology::Data& data, const NodeSpec& node, Subtopology& sub) {
  for (const std::string& name : inHashSetOrder(node.stores)) {
    if (std::find(sub.stores.begin(), sub.stores.end(), name) != sub.stores.end()) continue;
    sub.stores.push_back(name);
    const auto& entry = data.stores.at(name);
    if (!entry.builder->spec().logging) continue;
    InternalTopic topic = changelogTopic(entry.builder->spec());
    const bool created = entry.source_topic.empty();
    if (!created) topic.name = entry.source_topic;
    sub.changelogs[name] = {.topic = std::move(topic), .created = created};
  }
}

void addNode(const Topology::Data& data, const NodeSpec& node, Subtopology& sub) {
  sub.nodes.push_back(node.name);
  for (const std::string& topic : node.topics) {
    sub.source_topics.insert(topic);
    const auto found = data.repartition_topics.find(topic);
    if (found != data.repartition_topics.end()) {
      sub.repartition_topics[topic] = repartitionTopic(topic, found->second);
    }
  }
  if (!node.topic.empty()) sub.sink_topics.insert(node.topic);
  addStores(data, node, sub);
}

void addCopartitionGroups(Topology::Data& data) {
  for (const auto& sources : data.copartition_sources) {
    std::set<std::string> topics;
    for (const std::string& source : sources) {
      const auto& more = data.node(source).topics;
      topics.insert(more.begin(), more.end());
    }
    for (Subtopology& sub : data.subtopologies) {
      const bool here = std::any_of(topics.begin(), topics.end(), [&](const std::string& topic) {
        return sub.source_topics.contains(topic);
      });
      if (here) sub.copartition_groups.push_back(topics);
    }
  }
}

/// Groups are numbered in the order of their first sources; nodes without a source cannot exist.
void makeSubtopologies(Topology::Data& data) {
  Groups groups(data.nodes.size());
  for (std::size_t i = 0; i < data.nodes.size(); ++i) {
    for (const std::string& parent : data.nodes[i].parents) groups.unite(i, data.index.at(parent));
  }
  for (const auto& [name, store] : data.stores) {
    for (const std::string& user : store.users) {
      groups.unite(data.index.at(user), data.index.at(store.users.front()));
    }
  }
  std::map<std::size_t, std::size_t> number_of_root;
  for (std::size_t i = 0; i < data.nodes.size(); ++i) {
    const std::size_t root = groups.root(i);
    if (data.nodes[i].kind != NodeKind::kSource || number_of_root.contains(root)) continue;
    number_of_root[root] = data.subtopologies.size();
    data.subtopologies.push_back({.id = static_cast<std::int32_t>(data.subtopologies.size())});
  }
  for (std::size_t i = 0; i < data.nodes.size(); ++i) {
    addNode(data, data.nodes[i], data.subtopologies[number_of_root.at(groups.root(i))]);
  }
}

}  // namespace

const std::vector<Subtopology>& Topology::subtopologies() const { return data_->subtopologies; }
std::vector<std::string> Topology::nodeNames() const {
  std::vector<std::string> names;
  for (const NodeSpec& node : data_->nodes) names.push_back(node.name);
  return names;
}
const NodeSpec& Topology::node(const std::string& name) const { return data_->node(name); }
const StoreBuilder& Topology::store(const std::string& name) const {
  return *data_->stores.at(name).builder;
}
bool Topology::isInternal(const std::string& topic) const {
  return data_->repartition_topics.contains(topic);
}
bool Topology::empty() const { return data_->nodes.empty(); }

std::vector<std::string> storeOrder(const Topology& topology,
                                    const std::vector<std::string>& nodes) {
  std::vector<std::string> order;
  for (const std::string& node : nodes) {
    for (const std::string& store : inHashSetOrder(topology.node(node).stores)) {
      if (std::find(order.begin(), order.end(), store) == order.end()) order.push_back(store);
    }
  }
  return order;
}

std::string decorateTopic(const std::string& application_id, const std::string& topic) {
  return application_id + "-" + topic;
}

TopologyBuilder::TopologyBuilder() : data_(std::make_shared<Topology::Data>()) {}
TopologyBuilder::~TopologyBuilder() = default;
TopologyBuilder::TopologyBuilder(TopologyBuilder&&) noexcept = default;

Status TopologyBuilder::add(NodeSpec node) {
  if (data_->index.contains(node.name)) {
    return fail(Errc::kState, "processor " + node.name + " is already added");
  }
  for (const std::string& parent : node.parents) {
    if (!data_->index.contains(parent)) {
      return fail(Errc::kState, "predecessor " + parent + " of " + node.name + " is not added yet");
    }
  }
  data_->index[node.name] = data_->nodes.size();
  data_->nodes.push_back(std::move(node));
  return {};
}

Status TopologyBuilder::addSource(NodeSpec node) {
  node.kind = NodeKind::kSource;
  for (const std::string& topic : node.topics) {
    if (!data_->source_topics.insert(topic).second) {
      return fail(Errc::kState, "topic " + topic + " is already read by another source");
    }
  }
  return add(std::move(node));
}

Status TopologyBuilder::addProcessor(NodeSpec node) {
  node.kind = NodeKind::kProcessor;
  return add(std::move(node));
}

Status TopologyBuilder::addSink(NodeSpec node) {
  node.kind = NodeKind::kSink;
  return add(std::move(node));
}

Status TopologyBuilder::addStateStore(std::shared_ptr<const StoreBuilder> store,
                                      const std::vector<std::string>& processors) {
  const std::string name = store->spec().name;
  auto [entry, added] = data_->stores.try_emplace(name);
  if (!added && entry->second.builder != store) {
    return fail(Errc::kState, "a different state store named " + name + " is already added");
  }
  entry->second.builder = std::move(store);
  for (const std::string& processor : processors) MILLRACE_CHECK_OK(connect(processor, {name}));
  return {};
}

Status TopologyBuilder::connect(const std::string& processor,
                                const std::vector<std::string>& stores) {
  const auto node = data_->index.find(processor);
  if (node == data_->index.end())
    return fail(Errc::kState, "processor " + processor + " is not added yet");
  for (const std::string& name : stores) {
    const auto store = data_->stores.find(name);
    if (store == data_->stores.end()) {
      return fail(Errc::kState, "state store " + name + " of " + processor + " is not added yet");
    }
    auto& connected = data_->nodes[node->second].stores;
    if (std::find(connected.begin(), connected.end(), name) != connected.end()) continue;
    connected.push_back(name);
    store->second.users.push_back(processor);
  }
  return {};
}

void TopologyBuilder::addRepartitionTopic(const std::string& topic,
                                          std::optional<std::int32_t> partitions) {
  data_->repartition_topics[topic] = partitions;
}

void TopologyBuilder::copartition(const std::vector<std::string>& source_nodes) {
  data_->copartition_sources.push_back(source_nodes);
}

void TopologyBuilder::reuseSourceTopic(const std::string& store, const std::string& topic) {
  data_->stores.at(store).source_topic = topic;
}

bool TopologyBuilder::hasNode(const std::string& name) const { return data_->index.contains(name); }

Result<Topology> TopologyBuilder::build() {
  makeSubtopologies(*data_);
  addCopartitionGroups(*data_);
  Topology topology;
  topology.data_ = data_;
  data_ = std::make_shared<Topology::Data>();
  return topology;
}

}  // namespace millrace::streams
