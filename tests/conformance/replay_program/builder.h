// Builds a recorded topology through the public DSL.
#pragma once

#include "dsl/test_driver.h"
#include "functions.h"

#include <boost/json/object.hpp>

#include <map>
#include <stdexcept>
#include <string>
#include <variant>

namespace millrace::replay {

/// An operator that this DSL does not have yet: the case is skipped.
struct NotYet : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using WindowKey = Windowed<std::string>;
using Number = std::optional<std::int64_t>;

/// What a recorded node stands for. Values are text or counts, keys text or windowed text.
using Handle =
    std::variant<KStream<Text, Text>, KStream<Text, Number>, KStream<WindowKey, Text>,
                 KStream<WindowKey, Number>, KTable<Text, Text>, KTable<Text, Number>,
                 KTable<WindowKey, Text>, KTable<WindowKey, Number>, KGroupedStream<Text, Text>,
                 KGroupedTable<Text, Text>, TimeWindowedKStream<Text, Text>>;

class TopologyMaker {
 public:
  /// Throws NotYet, TopologyError, Unknown.
  Topology make(const boost::json::object& topology);

 private:
  using Json = boost::json::object;
  void add(const Json& node);
  void addSource(const Json& node);
  void addStateless(const Json& node);
  void addSplit(const Json& node);
  void addGroup(const Json& node);
  void addWindow(const Json& node);
  void addAggregation(const Json& node);
  void addConversion(const Json& node);
  void addJoin(const Json& node);
  void addSink(const Json& node);

  template <class T>
  T& get(const Json& node, const char* field = "in");
  Handle& input(const Json& node);
  void put(const Json& node, Handle handle);

  StreamsBuilder builder_;
  std::map<std::string, Handle> handles_;
};

/// The key as functions and sinks see it.
std::string windowText(const WindowKey& key);

}  // namespace millrace::replay
