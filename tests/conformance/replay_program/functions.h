// The functions of the recorded topologies, by name. Keys and values are text or nothing.
#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace millrace::replay {

using Text = std::optional<std::string>;
using Pair = std::pair<Text, Text>;

struct Unknown : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using PredicateFn = std::function<bool(const Text& key, const Text& value)>;
using MapperFn = std::function<Text(const Text& key, const Text& value)>;
using PairFn = std::function<Pair(const Text& key, const Text& value)>;
using PairsFn = std::function<std::vector<Pair>(const Text& key, const Text& value)>;
using ValuesFn = std::function<std::vector<Text>(const Text& key, const Text& value)>;
using AggregatorFn = std::function<Text(const Text& key, const Text& value, const Text& aggregate)>;
using ReducerFn = std::function<Text(const Text& aggregate, const Text& value)>;
using JoinerFn = std::function<Text(const Text& key, const Text& left, const Text& right)>;

// Each throws Unknown where there is no function of that name.
PredicateFn predicate(const std::string& name);
MapperFn valueMapper(const std::string& name);
MapperFn keyMapper(const std::string& name);
PairFn pairMapper(const std::string& name);
PairsFn pairsMapper(const std::string& name);
ValuesFn valuesMapper(const std::string& name);
Text initial(const std::string& name);
AggregatorFn aggregator(const std::string& name);
ReducerFn reducer(const std::string& name);
JoinerFn merger(const std::string& name);
JoinerFn joiner(const std::string& name);

}  // namespace millrace::replay
