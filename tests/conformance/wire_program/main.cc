// wire FILE...: checks recorded wire vectors. One line per failing vector, last line "N passed, M
// failed", exit 0 only if none failed.
#include "base/log.h"
#include "produce_probe.h"
#include "protocol/json.h"
#include "vectors.h"

#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <cstdlib>
#include <exception>
#include <string>

namespace {

using namespace millrace;
using namespace millrace::wire_check;

using Check = std::string (*)(const boost::json::object&);

std::string_view baseName(std::string_view path) { return path.substr(path.find_last_of('/') + 1); }

/// By the file's name; by what its first vector holds where the name says nothing.
Check checkFor(std::string_view path, const boost::json::object& first) {
  const std::string_view name = baseName(path);
  if (name.starts_with("messages") || first.contains("m")) return checkMessage;
  if (name.starts_with("batches") || first.contains("batch") || first.contains("batches"))
    return checkBatch;
  if (name.starts_with("crc32c") || first.contains("crc32c")) return checkCrc;
  if (name.starts_with("murmur2") || first.contains("murmur2")) return checkMurmur2;
  return nullptr;
}

std::string nameOf(const boost::json::object& vector) {
  for (const char* key : {"name", "m", "hex"}) {
    const auto* value = vector.if_contains(key);
    if (value == nullptr || !value->is_string()) continue;
    std::string name(value->get_string().subview(0, 60));
    if (const auto* version = vector.if_contains("v"))
      name += fmt::format(" v{}", version->as_int64());
    if (const auto* fill = vector.if_contains("fill")) name += " " + std::string(fill->as_string());
    return name;
  }
  return "?";
}

void checkLine(std::string_view path, std::size_t number, std::string_view text, Tally& tally) {
  std::string name = "?";
  std::string problem;
  try {
    auto json = protocol::parseJson(text);
    if (!json) {
      problem = json.error().toString();
    } else {
      const auto& vector = json->as_object();
      name = nameOf(vector);
      const Check check = checkFor(path, vector);
      problem = check != nullptr ? check(vector) : "not a kind of vector that is known";
    }
  } catch (const std::exception& e) {
    // Boost.JSON throws where a vector lacks a member or has another type.
    problem = fmt::format("the vector is not as it should be: {}", e.what());
  }
  tally.add(baseName(path), number, name, problem);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: wire FILE...   (.jsonl or .jsonl.gz)\n");
    return 2;
  }
  if (std::getenv("MILLRACE_LOG") == nullptr) setLogLevel(LogLevel::kOff);
  Tally tally;
  for (int i = 1; i < argc; ++i) {
    const std::string path = argv[i];
    std::size_t number = 0;
    const auto status =
        forEachLine(path, [&](std::string_view line) { checkLine(path, ++number, line, tally); });
    if (!status)
      tally.add(baseName(path), number, "", status.error().toString());
    else if (number == 0)
      tally.add(baseName(path), 0, "", "the file holds no vectors");
  }
  stopProduceProbe();
  fmt::print("{} passed, {} failed\n", tally.passed(), tally.failed());
  return tally.failed() == 0 ? 0 : 1;
}
