#include "builder.h"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <set>

namespace millrace::replay {
namespace {

using Json = boost::json::object;

std::string text(const Json& node, const char* field) {
  const auto* found = node.if_contains(field);
  return found == nullptr ? std::string() : std::string(found->as_string());
}

Text textOf(const Text& value) { return value; }
Text textOf(const Number& value) { return value ? Text(std::to_string(*value)) : Text(); }
Text textOf(std::int64_t value) { return std::to_string(value); }
Text textOf(const WindowKey& key) { return windowText(key); }

/// A function over text as a lambda over the types of a stream.
template <class K, class V, class Fn>
auto adapt(Fn fn) {
  return
      [fn = std::move(fn)](const K& key, const V& value) { return fn(textOf(key), textOf(value)); };
}

template <class T>
class TextSerde final : public CustomSerde<T> {
 public:
  void serialize(const T& value, Bytes& out) const override { out.append(*textOf(value)); }
  Status deserialize(BytesView, T&) const override {
    return fail(Errc::kState, "text is not read back");
  }
};

template <class T>
class PlainSerde final : public CustomSerde<T> {
 public:
  void serialize(const T& value, Bytes& out) const override { Serde<T>::serialize(value, out); }
  Status deserialize(BytesView bytes, T& out) const override {
    return Serde<T>::deserialize(bytes, out);
  }
};

template <class K, class V>
StoreOptions<K, V> storeOptions(const Json& node) {
  StoreOptions<K, V> options{.name = text(node, "name")};
  const auto* given = node.if_contains("mat");
  if (given == nullptr) return options;
  const Json& mat = given->as_object();
  if (mat.contains("versioned_ms")) throw NotYet("versioned");
  options.store = text(mat, "name");
  if (const auto* type = mat.if_contains("store")) {
    options.storeType = type->as_string() == "mem" ? StoreType::kInMemory : StoreType::kRocksDb;
  }
  if (const auto* cache = mat.if_contains("cache")) options.caching = cache->as_bool();
  if (const auto* retention = mat.if_contains("retention_ms"))
    options.retention = Duration(retention->as_int64());
  return options;
}

/// An aggregation is always given serdes, which counts as saying something about its store.
template <class K, class V>
StoreOptions<K, V> aggregateOptions(const Json& node) {
  auto options = storeOptions<K, V>(node);
  options.valueSerde = std::make_shared<PlainSerde<V>>();
  return options;
}

template <class K, class V>
KTable<K, V> as(const auto& table) {
  return KTable<K, V>(table.state(), table.view(), table.keySerde(), table.valueSerde());
}
template <class K, class V>
KStream<K, V> asStream(const auto& stream) {
  return KStream<K, V>(stream.state(), stream.keySerde(), stream.valueSerde());
}

template <class T>
struct TypesOf;
template <template <class, class> class H, class K, class V>
struct TypesOf<H<K, V>> {
  using Key = K;
  using Value = V;
};

template <class T>
constexpr bool kIsTable = false;
template <class K, class V>
constexpr bool kIsTable<KTable<K, V>> = true;
template <class T>
constexpr bool kIsStream = false;
template <class K, class V>
constexpr bool kIsStream<KStream<K, V>> = true;

[[noreturn]] void wrongInput(const Json& node) {
  throw Unknown("operator " + text(node, "op") + " on an input of another kind");
}

}  // namespace

std::string windowText(const WindowKey& key) {
  return key.key + "@" + std::to_string(key.window.start) + "/" + std::to_string(key.window.end);
}

Handle& TopologyMaker::input(const Json& node) { return handles_.at(text(node, "in")); }

template <class T>
T& TopologyMaker::get(const Json& node, const char* field) {
  auto* found = std::get_if<T>(&handles_.at(text(node, field)));
  if (found == nullptr) wrongInput(node);
  return *found;
}

void TopologyMaker::put(const Json& node, Handle handle) {
  handles_.insert_or_assign(text(node, "id"), std::move(handle));
}

Topology TopologyMaker::make(const Json& topology) {
  if (const auto* stores = topology.if_contains("stores");
      stores != nullptr && !stores->as_array().empty()) {
    throw NotYet("addStateStore");
  }
  for (const auto& node : topology.at("nodes").as_array()) add(node.as_object());
  const auto& config = topology.at("config").as_object();
  const bool all = config.at("topology.optimization").as_string() == "all";
  return builder_.build({.optimization = all ? Optimization::kAll : Optimization::kNone});
}

void TopologyMaker::add(const Json& node) {
  using Member = void (TopologyMaker::*)(const Json&);
  static const std::map<std::string, Member> kOperators = {
      {"stream", &TopologyMaker::addSource},
      {"table", &TopologyMaker::addSource},
      {"filter", &TopologyMaker::addStateless},
      {"filterNot", &TopologyMaker::addStateless},
      {"mapValues", &TopologyMaker::addStateless},
      {"mapValuesWithKey", &TopologyMaker::addStateless},
      {"map", &TopologyMaker::addStateless},
      {"flatMap", &TopologyMaker::addStateless},
      {"flatMapValues", &TopologyMaker::addStateless},
      {"flatMapValuesWithKey", &TopologyMaker::addStateless},
      {"selectKey", &TopologyMaker::addStateless},
      {"peek", &TopologyMaker::addStateless},
      {"split", &TopologyMaker::addSplit},
      {"merge", &TopologyMaker::addStateless},
      {"repartition", &TopologyMaker::addStateless},
      {"groupByKey", &TopologyMaker::addGroup},
      {"groupBy", &TopologyMaker::addGroup},
      {"windowedBy", &TopologyMaker::addWindow},
      {"count", &TopologyMaker::addAggregation},
      {"reduce", &TopologyMaker::addAggregation},
      {"aggregate", &TopologyMaker::addAggregation},
      {"toStream", &TopologyMaker::addConversion},
      {"toTable", &TopologyMaker::addConversion},
      {"join", &TopologyMaker::addJoin},
      {"to", &TopologyMaker::addSink},
  };
  const auto found = kOperators.find(text(node, "op"));
  if (found == kOperators.end()) throw NotYet(text(node, "op"));
  (this->*found->second)(node);
}

void TopologyMaker::addSource(const Json& node) {
  if (text(node, "op") == "stream") {
    std::vector<std::string> topics;
    for (const auto& topic : node.at("topics").as_array()) topics.emplace_back(topic.as_string());
    return put(node, builder_.stream<Text, Text>(topics, {.name = text(node, "name")}));
  }
  const auto store = storeOptions<std::string, std::string>(node);
  put(node, builder_.table<Text, Text>(text(node, "topic"), {.name = store.name,
                                                             .store = store.store,
                                                             .storeType = store.storeType,
                                                             .caching = store.caching}));
}

void TopologyMaker::addStateless(const Json& node) {
  const std::string op = text(node, "op");
  const std::string fn = text(node, "fn");
  const NodeOptions options{.name = text(node, "name")};
  if (op == "filter" || op == "filterNot") {
    return std::visit(
        [&](auto& in) {
          using H = std::remove_cvref_t<decltype(in)>;
          if constexpr (kIsStream<H> || kIsTable<H>) {
            using K = typename TypesOf<H>::Key;
            using V = typename TypesOf<H>::Value;
            const auto predicate_fn = adapt<K, V>(predicate(fn));
            if constexpr (kIsTable<H>) {
              const auto store = storeOptions<typename H::PK, typename H::PV>(node);
              put(node, op == "filter" ? in.filter(predicate_fn, store)
                                       : in.filterNot(predicate_fn, store));
            } else if constexpr (std::same_as<K, Text>) {
              put(node, op == "filter" ? in.filter(predicate_fn, options)
                                       : in.filterNot(predicate_fn, options));
            } else {
              wrongInput(node);
            }
          } else {
            wrongInput(node);
          }
        },
        input(node));
  }
  if (op == "mapValues" || op == "mapValuesWithKey") {
    return std::visit(
        [&](auto& in) {
          using H = std::remove_cvref_t<decltype(in)>;
          if constexpr (kIsTable<H> || std::same_as<H, KStream<Text, Text>>) {
            using K = typename TypesOf<H>::Key;
            using V = typename TypesOf<H>::Value;
            const auto mapper = adapt<K, V>(valueMapper(fn));
            if constexpr (kIsTable<H>) {
              put(node, in.mapValues(mapper, storeOptions<typename H::PK, std::string>(node)));
            } else {
              put(node, in.mapValues(mapper, options));
            }
          } else {
            wrongInput(node);
          }
        },
        input(node));
  }
  auto& in = get<KStream<Text, Text>>(node);
  if (op == "map") return put(node, in.map(pairMapper(fn), options));
  if (op == "flatMap") return put(node, in.flatMap(pairsMapper(fn), options));
  if (op == "flatMapValues" || op == "flatMapValuesWithKey") {
    return put(node, in.flatMapValues(valuesMapper(fn), options));
  }
  if (op == "selectKey") return put(node, in.selectKey(keyMapper(fn), options));
  if (op == "peek") return put(node, in.peek([](const Text&) {}, options));
  if (op == "repartition") return put(node, in.repartition({.name = options.name}));
  put(node, in.merge(get<KStream<Text, Text>>(node, "other"), options));
}

void TopologyMaker::addSplit(const Json& node) {
  auto split = get<KStream<Text, Text>>(node).split({.name = text(node, "name")});
  std::vector<std::string> ids;
  for (const auto& branch : node.at("branches").as_array()) {
    const Json& part = branch.as_object();
    ids.push_back(text(part, "id"));
    split.branch(predicate(text(part, "fn")), {.name = "-" + ids.back()});
  }
  const std::string other = text(node, "default");
  const auto branches =
      other.empty() ? split.noDefaultBranch() : split.defaultBranch({.name = "-" + other});
  if (!other.empty()) ids.push_back(other);
  for (const std::string& id : ids) {
    for (const auto& [name, stream] : branches) {
      if (name.ends_with("-" + id)) handles_.insert_or_assign(id, stream);
    }
  }
}

void TopologyMaker::addGroup(const Json& node) {
  const std::string name = text(node, "name");
  if (text(node, "op") == "groupByKey") {
    return put(node, get<KStream<Text, Text>>(node).groupByKey({.name = name}));
  }
  std::visit(
      [&](auto& in) {
        using H = std::remove_cvref_t<decltype(in)>;
        if constexpr (std::same_as<H, KStream<Text, Text>>) {
          put(node, in.groupBy(keyMapper(text(node, "fn")), {.name = name}));
        } else if constexpr (std::same_as<H, KTable<Text, Text>> ||
                             std::same_as<H, KTable<WindowKey, Text>>) {
          using K = typename TypesOf<H>::Key;
          put(node, in.groupBy(adapt<K, Text>(pairMapper(text(node, "fn"))), {.name = name}));
        } else {
          wrongInput(node);
        }
      },
      input(node));
}

void TopologyMaker::addWindow(const Json& node) {
  const Json& window = node.at("window").as_object();
  if (text(window, "type") != "time") throw NotYet(text(window, "type") + " windows");
  const auto ms = [&](const char* field, std::int64_t otherwise) {
    const auto* found = window.if_contains(field);
    return Duration(found == nullptr ? otherwise : found->as_int64());
  };
  const Duration size = ms("size", 0);
  const TimeWindows windows(size, ms("advance", size.count()), ms("grace", 0));
  put(node, get<KGroupedStream<Text, Text>>(node).windowedBy(windows));
}

void TopologyMaker::addAggregation(const Json& node) {
  const std::string op = text(node, "op");
  const std::string fn = text(node, "fn");
  const auto counting = aggregateOptions<std::string, std::int64_t>(node);
  const auto texts = aggregateOptions<std::string, std::string>(node);
  std::visit(
      [&](auto& in) {
        using H = std::remove_cvref_t<decltype(in)>;
        if constexpr (std::same_as<H, KGroupedTable<Text, Text>>) {
          if (op == "count") return put(node, as<Text, Number>(in.count(counting)));
          const std::string sub = text(node, "sub");
          if (op == "reduce") return put(node, in.reduce(reducer(fn), reducer(sub), texts));
          put(node,
              in.aggregate(initial(text(node, "init")), aggregator(fn), aggregator(sub), texts));
        } else if constexpr (std::same_as<H, KGroupedStream<Text, Text>>) {
          if (op == "count") return put(node, as<Text, Number>(in.count(counting)));
          if (op == "reduce") return put(node, in.reduce(reducer(fn), texts));
          put(node, in.aggregate(initial(text(node, "init")), aggregator(fn), texts));
        } else if constexpr (std::same_as<H, TimeWindowedKStream<Text, Text>>) {
          if (op == "count") return put(node, as<WindowKey, Number>(in.count(counting)));
          if (op == "reduce") return put(node, in.reduce(reducer(fn), texts));
          put(node, in.aggregate(initial(text(node, "init")), aggregator(fn), texts));
        } else {
          wrongInput(node);
        }
      },
      input(node));
}

void TopologyMaker::addConversion(const Json& node) {
  if (text(node, "op") == "toTable") {
    auto& in = get<KStream<Text, Text>>(node);
    return put(node, as<Text, Text>(in.toTable(storeOptions<std::string, std::string>(node))));
  }
  std::visit(
      [&](auto& in) {
        using H = std::remove_cvref_t<decltype(in)>;
        if constexpr (kIsTable<H>) {
          using K = typename TypesOf<H>::Key;
          using V = typename TypesOf<H>::Value;
          const NodeOptions options{.name = text(node, "name")};
          if (node.contains("fn"))
            put(node, in.toStream(adapt<K, V>(keyMapper(text(node, "fn"))), options));
          else
            put(node, in.toStream(options));
        } else {
          wrongInput(node);
        }
      },
      input(node));
}

void TopologyMaker::addJoin(const Json& node) {
  const std::string kind = text(node, "kind");
  const std::string type = text(node, "type");
  const auto fn = joiner(text(node, "fn"));
  const auto joined = [fn](const Text& key, const Text& left, const Text& right) {
    return fn(key, left, right);
  };
  if (kind == "st") {
    if (node.contains("grace")) throw NotYet("stream-table join with grace");
    auto& in = get<KStream<Text, Text>>(node);
    auto& table = get<KTable<Text, Text>>(node, "other");
    const JoinOptions<std::string, std::string> options{.name = text(node, "name")};
    if (type == "inner") return put(node, in.join(table, joined, options));
    return put(node, in.leftJoin(table, joined, options));
  }
  if (kind != "tt") throw NotYet("join " + kind);
  std::visit(
      [&](auto& in) {
        using H = std::remove_cvref_t<decltype(in)>;
        if constexpr (std::same_as<H, KTable<Text, Text>> ||
                      std::same_as<H, KTable<WindowKey, Text>>) {
          using K = typename TypesOf<H>::Key;
          auto& other = get<H>(node, "other");
          const auto rows = [fn](const K& key, const Text& left, const Text& right) {
            return fn(textOf(key), left, right);
          };
          const auto options = storeOptions<typename H::PK, std::string>(node);
          if (type == "inner")
            put(node, in.join(other, rows, options));
          else if (type == "left")
            put(node, in.leftJoin(other, rows, options));
          else
            put(node, in.outerJoin(other, rows, options));
        } else {
          wrongInput(node);
        }
      },
      input(node));
}

void TopologyMaker::addSink(const Json& node) {
  std::visit(
      [&](auto& in) {
        using H = std::remove_cvref_t<decltype(in)>;
        if constexpr (kIsStream<H>) {
          SinkOptions<typename H::PK, typename H::PV> options{.name = text(node, "name")};
          options.keySerde = std::make_shared<TextSerde<typename H::PK>>();
          options.valueSerde = std::make_shared<TextSerde<typename H::PV>>();
          if (node.contains("topic")) return in.to(text(node, "topic"), options);
          options.chooser = text(node, "fn");
          in.to(adapt<typename TypesOf<H>::Key, typename TypesOf<H>::Value>(
                    [choose = keyMapper(text(node, "fn"))](const Text& k, const Text& v) {
                      return *choose(k, v);
                    }),
                options);
        } else {
          wrongInput(node);
        }
      },
      input(node));
}

}  // namespace millrace::replay
