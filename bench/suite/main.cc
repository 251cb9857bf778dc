// What `./dev bench` runs: every figure of the project in one go, on this machine, beside its raw
// limits.
#include "bench/suite/parts.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <functional>
#include <vector>

namespace millrace::bench {

namespace {

struct Part {
  std::string name;
  void (*run)(const SuiteOptions&, Report&);
};

int run(int argc, char** argv) {
  SuiteOptions options;
  std::vector<std::string> only;
  std::string format = "text";
  const auto here = std::filesystem::canonical("/proc/self/exe").parent_path();
  options.millrace = (here / "millrace").string();
  options.topologies = (here / "topologies").string();

  CLI::App app{"Measures Millrace on this machine, beside the machine's own limits."};
  app.add_option("--only", only, "parts to run: throughput, latency, start, topologies")
      ->delimiter(',');
  app.add_option("-o,--output", format, "text or json")->check(CLI::IsMember({"text", "json"}));
  app.add_option("--millrace", options.millrace, "the millrace binary");
  app.add_option("--megabytes", options.megabytes, "moved for each throughput figure");
  app.add_option("--latency-seconds", options.latency_seconds, "seconds for each rate");
  CLI11_PARSE(app, argc, argv);

  const std::vector<Part> parts = {{"start", measureStart},
                                   {"throughput", measureThroughput},
                                   {"latency", measureLatency},
                                   {"topologies", measureTopologies}};
  Report report(format == "json");
  bool failed = false;
  for (const Part& part : parts) {
    if (!only.empty() && std::find(only.begin(), only.end(), part.name) == only.end()) continue;
    try {
      part.run(options, report);
    } catch (const std::exception& e) {
      report.skip(part.name, std::string("failed: ") + e.what());
      failed = true;
    }
  }
  report.finish();
  return failed ? 1 : 0;
}

}  // namespace

}  // namespace millrace::bench

int main(int argc, char** argv) { return millrace::bench::run(argc, argv); }
