// The text of a topology, letter by letter as Kafka prints it.
#include <algorithm>
#include <bit>

#include "base/checksum.h"
#include "streams/topology_data.h"

namespace millrace::streams {

std::vector<std::string> inHashSetOrder(const std::vector<std::string>& texts) {
  // HashMap: a power of two of buckets, at least 16, never more than three quarters full; within a bucket in
  // the order of insertion.
  std::size_t buckets = 16;
  while (texts.size() * 4 > buckets * 3) buckets *= 2;
  std::vector<std::string> ordered = texts;
  const auto bucket = [&](const std::string& text) {
    const auto hash = std::bit_cast<std::uint32_t>(javaStringHash(text));
    return (hash ^ (hash >> 16)) & (buckets - 1);
  };
  std::stable_sort(ordered.begin(), ordered.end(),
                   [&](const std::string& a, const std::string& b) { return bucket(a) < bucket(b); });
  return ordered;
}

namespace {

/// A node with its relatives and the number of nodes below it, counted once per path.
struct Printed {
  const NodeSpec* spec = nullptr;
  std::int64_t size = 1;
  std::vector<std::string> successors;
};
using PrintedNodes = std::map<std::string, Printed>;

std::string join(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& text : texts) {
    if (!joined.empty()) joined += ", ";
    joined += text;
  }
  return joined;
}

std::string orNone(const std::vector<std::string>& names) { return names.empty() ? "none" : join(names); }

PrintedNodes relate(const Topology::Data& data, const Subtopology& sub) {
  PrintedNodes printed;
  for (const std::string& name : sub.nodes) printed[name].spec = &data.node(name);
  // Children come after their parents in declaration order, so sizes add up from the end.
  for (auto name = sub.nodes.rbegin(); name != sub.nodes.rend(); ++name) {
    for (const std::string& parent : data.node(*name).parents) {
      printed.at(parent).size += printed.at(*name).size;
    }
  }
  for (const std::string& name : sub.nodes) {
    for (const std::string& parent : data.node(name).parents) printed.at(parent).successors.push_back(name);
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
  if (spec.kind != NodeKind::kSink) text += "\n      --> " + orNone(node.successors);
  if (spec.kind != NodeKind::kSource) text += "\n      <-- " + join(spec.parents);
  return text;
}

std::string subtopologyText(const Topology::Data& data, const Subtopology& sub) {
  const PrintedNodes printed = relate(data, sub);
  std::vector<const Printed*> order;
  for (const auto& [name, node] : printed) order.push_back(&node);
  std::stable_sort(order.begin(), order.end(),
                   [](const Printed* a, const Printed* b) { return a->size > b->size; });
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
