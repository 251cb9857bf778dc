// The inside of a Topology, shared by its builder and its printer.
#pragma once

#include "streams/topology.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace millrace::streams {

struct Topology::Data {
  struct StoreEntry {
    std::shared_ptr<const StoreBuilder> builder;
    std::vector<std::string> users;
    std::string source_topic;  ///< restored from this topic where not empty
  };
  std::vector<NodeSpec> nodes;  // in the order of declaration
  std::unordered_map<std::string, std::size_t> index;
  std::map<std::string, StoreEntry> stores;
  std::map<std::string, std::optional<std::int32_t>> repartition_topics;
  std::vector<std::vector<std::string>> copartition_sources;
  std::set<std::string> source_topics;
  std::vector<Subtopology> subtopologies;

  [[nodiscard]] const NodeSpec& node(const std::string& name) const {
    return nodes[index.at(name)];
  }
};

/// Texts in the order in which a java.util.HashSet of them iterates: Kafka keeps the stores of a
/// node in one, and the order shows in describe() and in the order of cache flushes.
[[nodiscard]] std::vector<std::string> inHashSetOrder(const std::vector<std::string>& texts);

}  // namespace millrace::streams
