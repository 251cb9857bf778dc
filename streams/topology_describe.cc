// The text of a topology, letter by letter as Kafka prints it.
#include "base/checksum.h"
#include "streams/insertion_tree.h"
#include "streams/topology_data.h"

#include <algorithm>
#include <bit>

namespace millrace::streams {

std::vector<std::string> inHashSetOrder(const std::vector<std::string>& texts) {
  // HashMap: a power of two of buckets, at least 16, never more than three quarters full; within a
  // bucket in the order of insertion.
  std::size_t buckets = 16;
  while (texts.size() * 4 > buckets * 3) buckets *= 2;
  std::vector<std::string> ordered = texts;
  const auto bucket = [&](const std::string& text) {
    const auto hash = std::bit_cast<std::uint32_t>(javaStringHash(text));
    return (hash ^ (hash >> 16)) & (buckets - 1);
  };
  std::stable_sort(ordered.begin(), ordered.end(), [&](const std::string& a, const std::string& b) {
    return bucket(a) < bucket(b);
  });
  return ordered;
}

namespace {

/// A node with its relatives, and the number of nodes below it, counted once per path.
struct Printed {
  const NodeSpec* spec = nullptr;
  std::int64_t size = 1;
  InsertionTree<Printed*> successors;
  InsertionTree<Printed*> predecessors;
};
using PrintedNodes = std::map<std::string, Printed>;

/// Sizes still grow while relatives are put in order: see InsertionTree.
bool printsBefore(const Printed* a, const Printed* b) {
  return a->size != b->size ? a->size > b->size : a->spec->name < b->spec->name;
}

void grow(Printed& node, std::int64_t by) {
  node.size += by;
  for (Printed* predecessor : node.predecessors.inOrder()) grow(*predecessor, by);
}

std::string join(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& text : texts) {
    if (!joined.empty()) joined += ", ";
    joined += text;
  }
  return joined;
}

std::string namesOf(const InsertionTree<Printed*>& nodes) {
  std::vector<std::string> names;
  for (const Printed* node : nodes.inOrder()) names.push_back(node->spec->name);
  return names.empty() ? "none" : join(names);
}

PrintedNodes relate(const Topology::Data& data, const Subtopology& sub) {
  PrintedNodes printed;
  for (const std::string& name : sub.nodes) printed[name].spec = &data.node(name);
  for (const std::string& name : inHashSetOrder(sub.nodes)) {
    Printed& node = printed.at(name);
    for (const std::string& parent_name : node.spec->parents) {
      Printed& parent = printed.at(parent_name);
      node.predecessors.insert(&parent, printsBefore);
      parent.successors.insert(&node, printsBefore);
      grow(parent, node.size);
    }
  }
  return printed;
}

std::string nodeText(const Printed& node) {
  const NodeSpec& spec = *node.spec;
  std::string text;
  if (spec.kind == NodeKind::kSource) {
    text = "Source: " + spec.name + " (topics: [" + join(spec.topics) + "])";
  } else if (spec.kind == NodeKind::kProcessor) {
    text = "Processor: " + spec.name + " (stores: [" + join(inHashSetOrder(spec.stores)) + "])";
  } else if (spec.topic.empty()) {
    text = "Sink: " + spec.name + " (extractor class: " + spec.extractor + ")";
  } else {
    text = "Sink: " + spec.name + " (topic: " + spec.topic + ")";
  }
  if (spec.kind != NodeKind::kSink) text += "\n      --> " + namesOf(node.successors);
  if (spec.kind != NodeKind::kSource) text += "\n      <-- " + namesOf(node.predecessors);
  return text;
}

std::string subtopologyText(const Topology::Data& data, const Subtopology& sub) {
  const PrintedNodes printed = relate(data, sub);
  std::vector<const Printed*> order;
  for (const auto& [name, node] : printed) order.push_back(&node);
  std::sort(order.begin(), order.end(), printsBefore);
  std::string text = "Sub-topology: " + std::to_string(sub.id);
  text += sub.global ? " for global store (will not generate tasks)\n" : "\n";
  for (const Printed* node : order) text += "    " + nodeText(*node) + "\n";
  if (!sub.global) text += "\n";
  return text;
}

}  // namespace

std::string Topology::describe() const {
  std::string text = "Topologies:\n ";
  for (const Subtopology& sub : data_->subtopologies) text += "  " + subtopologyText(*data_, sub);
  return text;
}

}  // namespace millrace::streams
