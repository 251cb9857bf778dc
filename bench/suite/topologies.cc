// Records per CPU second of three topologies, each an application process of its own, over TCP.
#include "bench/suite/parts.h"
#include "bench/suite/process.h"
#include "client/producer.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>

namespace millrace::bench {

namespace {

constexpr std::uint64_t kRecords = 3'000'000;
constexpr const char* kInput = "input";

// Keys key-<0..99999> uniform, values of 100 B, event time 10 000 records a second, 4 partitions.
void loadInput(const std::string& bootstrap) {
  makeTopic(bootstrap, kInput);
  Producer producer({.bootstrapServers = bootstrap, .batchSize = 1'000'000});
  const auto topic = producer.topic(kInput);
  if (!topic) throw std::runtime_error(topic.error().toString());
  std::mt19937 random(42);  // NOLINT: the same input in every run
  std::string value(100, 'v');
  for (std::uint64_t i = 0; i < kRecords; ++i) {
    const std::string key = fmt::format("key-{}", random() % 100'000);
    value.front() = static_cast<char>('a' + i % 26);
    const auto at = static_cast<Millis>(1'700'000'000'000 + i / 10);
    const Status sent = producer.append(*topic, Producer::kAnyPartition, key, value, at);
    if (!sent) throw std::runtime_error(sent.error().toString());
  }
  if (const Status done = producer.flush(); !done)
    throw std::runtime_error(done.error().toString());
}

/// What the application says when it has processed everything: one line of JSON.
boost::json::object runApplication(const SuiteOptions& options, const std::string& bootstrap,
                                   const std::string& name) {
  const auto directory = std::filesystem::temp_directory_path() /
                         fmt::format("millrace-topology-{}-{}", name, ::getpid());
  std::filesystem::create_directories(directory);
  const std::string log = (directory / "output").string();
  Process application(
      {options.topologies, name, bootstrap, kInput, std::to_string(kRecords), directory.string()},
      log);
  const int status = application.wait();
  std::ostringstream output;
  output << std::ifstream(log).rdbuf();
  std::filesystem::remove_all(directory);
  const std::string text = output.str();
  const auto at = text.rfind("{\"records\"");
  if (status != 0 || at == std::string::npos) throw std::runtime_error(name + " failed:\n" + text);
  return boost::json::parse(text.substr(at)).as_object();
}

}  // namespace

void measureTopologies(const SuiteOptions& options, Report& report) {
  BrokerProcess broker(options.millrace);
  loadInput(broker.bootstrap());
  struct Case {
    std::string name;
    std::string aim;
  };
  for (const Case& c : {Case{"stateless", ">= 1500000"}, Case{"count", ">= 1000000"},
                        Case{"window", ">= 500000"}}) {
    makeTopic(broker.bootstrap(), c.name + "-output");
    const boost::json::object result = runApplication(options, broker.bootstrap(), c.name);
    const auto figure = [&result](const char* key) { return result.at(key).to_number<double>(); };
    report.add({"topologies (over TCP, at least once)", c.name, figure("per_cpu_second"),
                "records/CPU s", c.aim});
    report.add({"topologies (over TCP, at least once)", c.name + ", second half",
                figure("per_cpu_second_warm"), "records/CPU s", ""});
    report.add(
        {"topologies (over TCP, at least once)", c.name, figure("per_second"), "records/s", ""});
    report.add({"topologies (over TCP, at least once)", c.name + ", resident memory",
                figure("rss_mib"), "MiB", ""});
  }
}

}  // namespace millrace::bench
