// The three measured topologies as an application: topologies NAME BOOTSTRAP INPUT RECORDS
// DIRECTORY Ends when RECORDS records were processed, and prints what they cost as one line of
// JSON.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <millrace/streams.h>
#include <stdexcept>
#include <string>
#include <thread>

using namespace millrace;
using namespace std::chrono_literals;

namespace {

void describe(const std::string& name, const std::string& input, StreamsBuilder& builder) {
  using Key = std::string;
  const std::string output = name + "-output";
  auto records = builder.stream<Key, std::string>(input);
  if (name == "stateless") {
    records.filter([](const std::string& v) { return v.front() != 'z'; })
        .mapValues([](const std::string& v) { return "mapped " + v; })
        .to(output);
  } else if (name == "count") {
    records.groupByKey().count({.store = "counts"}).toStream().to(output);
  } else if (name == "window") {
    records.groupByKey().windowedBy(tumbling(10s)).count({.store = "counts"}).toStream().to(output);
  } else {
    throw std::invalid_argument("no topology " + name);
  }
}

double cpuSeconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double residentMib() {
  std::ifstream statm("/proc/self/statm");
  double total = 0;
  double resident = 0;
  statm >> total >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

void waitForRecords(const Streams& streams, std::uint64_t records) {
  while (streams.metrics().processed < records) {
    if (const auto error = streams.error()) throw std::runtime_error(error->toString());
    std::this_thread::sleep_for(2ms);
  }
}

int measure(const std::string& name, const std::string& bootstrap, const std::string& input,
            std::uint64_t records, const std::string& directory) {
  StreamsBuilder builder;
  describe(name, input, builder);
  const auto start = std::chrono::steady_clock::now();
  Streams streams(builder.build(), {.applicationId = "bench-" + name,
                                    .bootstrapServers = bootstrap,
                                    .stateDir = directory + "/state"});
  if (const Status started = streams.start(); !started)
    throw std::runtime_error(started.error().toString());
  waitForRecords(streams, records / 2);
  const double cpu_half = cpuSeconds();
  const std::uint64_t half = streams.metrics().processed;
  waitForRecords(streams, records);
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  const double rss = residentMib();
  streams.close(60s);  // flushes and commits: part of the cost
  const double cpu = cpuSeconds();
  const auto count = static_cast<double>(records);
  fmt::print(
      "{{\"records\":{},\"per_second\":{:.0f},\"per_cpu_second\":{:.0f},\"per_cpu_second_warm\":{:."
      "0f},\"rss_mib\":{:.1f}}}\n",
      records, count / wall.count(), count / cpu,
      static_cast<double>(records - half) / (cpu - cpu_half), rss);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    fmt::print(stderr,
               "usage: topologies stateless|count|window BOOTSTRAP INPUT RECORDS DIRECTORY\n");
    return 2;
  }
  try {
    return measure(argv[1], argv[2], argv[3], std::stoull(argv[4]), argv[5]);
  } catch (const std::exception& e) {
    fmt::print(stderr, "topologies: {}\n", e.what());
    return 1;
  }
}
