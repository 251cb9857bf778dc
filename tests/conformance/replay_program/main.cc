// replay [--rocksdb] FILE...: runs recorded topologies through the public DSL and the test driver
// and compares outputs after every step, final stores, dropped records and the topology's text. One
// line per failing case, last line "N passed, M failed, K skipped", exit 0 only if none failed.
#include "builder.h"
#include "streams/state/task_stores.h"
#include "tests/support/temp_dir.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <zlib.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace {

using namespace millrace;
using namespace millrace::replay;
using boost::json::array;
using boost::json::object;
using boost::json::value;

/// Reads plain and gzip files alike. Throws where the file cannot be read.
std::string readAll(const std::string& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) throw std::runtime_error("cannot open " + path);
  std::string text;
  char buffer[1 << 16];
  int got = 0;
  while ((got = gzread(file, buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<std::size_t>(got));
  gzclose(file);
  if (got < 0) throw std::runtime_error("cannot read " + path);
  return text;
}

value textOrNull(const std::optional<std::string>& text) {
  return text ? value(boost::json::string_view(*text)) : value(nullptr);
}

std::optional<std::string> optionalText(const value& json) {
  return json.is_null() ? std::nullopt : std::optional<std::string>(json.as_string());
}

value headersJson(const streams::Headers& headers) {
  array json;
  for (const Header& header : headers)
    json.push_back(array{value(header.key), textOrNull(header.value)});
  return json;
}

value outputsJson(const std::vector<RawOutput>& outputs) {
  array json;
  for (const RawOutput& output : outputs) {
    object record{{"topic", output.topic},
                  {"k", textOrNull(output.key)},
                  {"v", textOrNull(output.value)},
                  {"ts", output.timestamp}};
    if (!output.headers.empty()) record["h"] = headersJson(output.headers);
    json.push_back(std::move(record));
  }
  return json;
}

streams::OwnedRecord inputRecord(const object& step) {
  streams::OwnedRecord record{.key = optionalText(step.at("k")),
                              .value = optionalText(step.at("v")),
                              .timestamp = step.at("ts").as_int64()};
  if (const auto* headers = step.if_contains("h")) {
    for (const auto& header : headers->as_array()) {
      const auto& pair = header.as_array();
      record.headers.push_back({std::string(pair[0].as_string()), optionalText(pair[1])});
    }
  }
  return record;
}

template <class V>
std::string valueText(const V& stored) {
  if constexpr (std::same_as<V, std::string>)
    return stored;
  else
    return std::to_string(stored);
}

using Row = std::pair<std::pair<std::string, Millis>, value>;

template <class V>
bool tableRows(TopologyTestDriver& driver, const std::string& name, std::vector<Row>& rows) {
  const auto store = driver.store<std::string, V>(name);
  if (!store) return false;
  for (const auto& row : store->all()) {
    rows.push_back(
        {{row.key, 0}, array{value(row.key), value(valueText(row.value)), row.timestamp}});
  }
  return true;
}

template <class V>
bool windowRows(TopologyTestDriver& driver, const std::string& name, bool window_store,
                std::vector<Row>& rows) {
  const auto store = driver.store<WindowKey, V>(name);
  if (!store) return false;
  for (const auto& row : store->all()) {
    if (window_store) {
      rows.push_back({{row.key.key, row.key.window.start},
                      array{value(row.key.key), row.key.window.start, value(valueText(row.value)),
                            row.timestamp}});
    } else {
      const std::string key = windowText(row.key);
      rows.push_back({{key, 0}, array{value(key), value(valueText(row.value)), row.timestamp}});
    }
  }
  return true;
}

value storeJson(TopologyTestDriver& driver, const Topology& topology, const std::string& name) {
  std::vector<Row> rows;
  const bool window_store = topology.store(name).spec().windowed();
  const bool known = tableRows<std::string>(driver, name, rows) ||
                     tableRows<std::int64_t>(driver, name, rows) ||
                     windowRows<std::string>(driver, name, window_store, rows) ||
                     windowRows<std::int64_t>(driver, name, window_store, rows);
  if (!known) return "a store of unknown types";
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.first < b.first; });
  array json;
  for (Row& row : rows) json.push_back(std::move(row.second));
  return json;
}

std::string differs(const std::string& what, const value& expected, const value& actual) {
  if (expected == actual) return {};
  return what + "\n  expected " + boost::json::serialize(expected) + "\n  actual   " +
         boost::json::serialize(actual);
}

std::string compareStores(const object& recorded, TopologyTestDriver& driver,
                          const Topology& topology) {
  for (const auto& [name, rows] : recorded.at("stores").as_object()) {
    auto problem =
        differs("store " + std::string(name), rows, storeJson(driver, topology, std::string(name)));
    if (!problem.empty()) return problem;
  }
  return {};
}

/// RocksDB below the persistent stores, in a directory of its own that goes when the case is over.
class RocksStores {
 public:
  explicit RocksStores(const Topology& topology) {
    std::vector<streams::StoreSpec> specs;
    for (const auto& sub : topology.subtopologies()) {
      for (const std::string& store : sub.stores) specs.push_back(topology.store(store).spec());
    }
    static const auto kMemory = streams::makeStateMemory({.write_buffer_bytes = 8 << 20});
    auto opened = streams::TaskStores::open(directory_.path(), specs, kMemory);
    if (!opened) throw std::runtime_error(opened.error().toString());
    stores_ = *std::move(opened);
  }

  [[nodiscard]] streams::TaskStores& provider() { return *stores_; }
  /// Moves what was written so far into the database, as a commit of the runtime does.
  void commit() {
    if (auto status = stores_->commit({}); !status)
      throw std::runtime_error(status.error().toString());
  }

 private:
  TempDir directory_;
  std::unique_ptr<streams::TaskStores> stores_;
};

std::string runSteps(const object& recorded, TopologyTestDriver& driver, RocksStores* rocks) {
  const auto& steps = recorded.at("steps").as_array();
  const auto& expected = recorded.at("expected").as_array();
  const auto* error = recorded.if_contains("error");
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto& step = steps[i].as_object();
    const bool must_fail = error != nullptr && i + 1 == steps.size();
    try {
      if (const auto* ms = step.if_contains("advance_wall_ms"))
        driver.advanceWallClock(Duration(ms->as_int64()));
      else
        driver.pipe(std::string(step.at("topic").as_string()), inputRecord(step));
    } catch (const DriverError& failure) {
      if (must_fail) return {};
      return "step " + std::to_string(i) + " fails: " + failure.what();
    }
    if (must_fail) return "step " + std::to_string(i) + " does not fail";
    // Every third step: rows come from the uncommitted buffer and from the database.
    if (rocks != nullptr && i % 3 == 0) rocks->commit();
    auto problem =
        differs("step " + std::to_string(i), expected[i], outputsJson(driver.takeSent()));
    if (!problem.empty()) return problem;
  }
  return {};
}

/// Empty where everything is as recorded. Throws NotYet.
std::string check(const object& recorded, bool on_rocksdb) {
  const auto* error = recorded.if_contains("error");
  const auto& definition = recorded.at("topology").as_object();
  const auto& config = definition.at("config").as_object();
  const bool must_not_build = error != nullptr && error->at("step").as_int64() < 0;
  try {
    const Topology topology = TopologyMaker().make(definition);
    DriverOptions options{.cacheMaxBytes = config.at("statestore.cache.max.bytes").as_int64()};
    if (const auto* wall = config.if_contains("wall_start_ms"))
      options.wallClock = wall->as_int64();
    std::optional<RocksStores> rocks;
    if (on_rocksdb) options.stores = &rocks.emplace(topology).provider();
    TopologyTestDriver driver(topology, options);
    if (must_not_build) return "it can be built";
    if (const auto* describe = recorded.if_contains("describe")) {
      if (auto problem = differs("describe", *describe, value(topology.describe()));
          !problem.empty())
        return problem;
    }
    if (auto problem = runSteps(recorded, driver, rocks ? &*rocks : nullptr); !problem.empty())
      return problem;
    if (error != nullptr) return {};
    if (auto problem = compareStores(recorded, driver, topology); !problem.empty()) return problem;
    return differs("dropped", recorded.at("dropped"),
                   value(static_cast<std::int64_t>(driver.droppedRecords())));
  } catch (const TopologyError& failure) {
    return must_not_build ? std::string() : std::string("cannot be built: ") + failure.what();
  }
}

struct Tally {
  int passed = 0;
  int failed = 0;
  int skipped = 0;
  std::map<std::string, int> reasons;
};

void checkLine(const std::string& line, bool on_rocksdb, Tally& tally) {
  std::string name = "?";
  std::string problem;
  try {
    const value json = boost::json::parse(line);
    name = std::string(json.at("name").as_string());
    problem = check(json.as_object(), on_rocksdb);
  } catch (const NotYet& later) {
    ++tally.skipped;
    ++tally.reasons[later.what()];
    return;
  } catch (const std::exception& failure) {
    problem = failure.what();
  }
  if (problem.empty()) {
    ++tally.passed;
    return;
  }
  ++tally.failed;
  std::printf("%s: %s\n", name.c_str(), problem.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Tally tally;
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s [--rocksdb] FILE... (.jsonl or .jsonl.gz)\n", argv[0]);
    return 2;
  }
  const bool on_rocksdb = std::string_view(argv[1]) == "--rocksdb";
  for (int i = on_rocksdb ? 2 : 1; i < argc; ++i) {
    std::string text;
    try {
      text = readAll(argv[i]);
    } catch (const std::exception& failure) {
      std::fprintf(stderr, "%s\n", failure.what());
      return 2;
    }
    std::size_t begin = 0;
    while (begin < text.size()) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      if (end > begin) checkLine(text.substr(begin, end - begin), on_rocksdb, tally);
      begin = end + 1;
    }
  }
  for (const auto& [reason, count] : tally.reasons)
    std::printf("skipped %d: %s\n", count, reason.c_str());
  std::printf("%d passed, %d failed, %d skipped\n", tally.passed, tally.failed, tally.skipped);
  return tally.failed == 0 ? 0 : 1;
}
