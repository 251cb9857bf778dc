// The demo: a broker in this process, the file source connector, a topology, a live table of its
// results.
#include "client/admin.h"
#include "results.h"
#include "topology.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <millrace/broker.h>
#include <millrace/connect.h>
#include <millrace/streams.h>
#include <stdexcept>
#include <thread>

using namespace millrace;
using namespace std::chrono_literals;

namespace {

constexpr const char* kApplication = "airline-delays";

struct Arguments {
  std::string data = "examples/data";
  std::string directory = "build/demo";
  bool once = false;
};

template <class T>
T orThrow(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().toString());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// One partition each: it keeps the order of the file, so the answer is one exact answer. With more,
// the days of the month would race each other past the grace of 24 hours.
void createTopics(Admin& admin) {
  for (const char* topic :
       {"flights", "airlines", "weather", "airline-delays-hourly", "bad-weather-daily"}) {
    // The records are of 2013: without this they would be older than the default retention.
    orThrow(
        admin.createTopic({.name = topic, .partitions = 1, .configs = {{"retention.ms", "-1"}}}));
  }
}

StreamFileOptions csvInto(Broker& broker, const Arguments& arguments, const std::string& file,
                          const std::string& topic) {
  return {.file = arguments.data + "/" + file,
          .topic = topic,
          .transport = broker.transport(),
          .nullText = "NA",
          .properties = {{"offset.storage.file.filename", arguments.directory + "/offsets"}}};
}

void loadTables(Broker& broker, const Arguments& arguments) {
  StreamFileOptions airlines = csvInto(broker, arguments, "airlines.csv", "airlines");
  airlines.keyColumn = "carrier";
  StreamFileOptions weather = csvInto(broker, arguments, "weather-2013-01.csv", "weather");
  weather.keyColumn = "origin";
  weather.timeColumn = "time_hour";
  const auto records = orThrow(streamFile(airlines)) + orThrow(streamFile(weather));
  fmt::print("tables loaded: {} records\n", records);
}

// True when the application has committed the end of everything it reads. Commits come after
// outputs, so committed offsets that were read first leave nothing in flight.
bool caughtUp(Admin& admin) {
  const auto committed = orThrow(admin.listGroupOffsets(kApplication));
  std::map<TopicPartition, std::int64_t> inputs;
  for (const auto& topic : orThrow(admin.listTopics())) {
    const bool repartition =
        topic.name.starts_with(kApplication) && topic.name.ends_with("-repartition");
    if (repartition || topic.name == "flights" || topic.name == "airlines" ||
        topic.name == "weather") {
      inputs[{topic.name, 0}] = OffsetSpec::kLatest;
    }
  }
  for (const auto& [partition, end] : orThrow(admin.listOffsets(inputs))) {
    const auto at = committed.find(partition);
    const std::int64_t position = at == committed.end() ? 0 : at->second.offset;
    if (position < orThrow(Result<OffsetAndTimestamp>(end)).offset) return false;
  }
  return true;
}

void waitUntilCaughtUp(Admin& admin, const Streams& streams) {
  while (!caughtUp(admin)) {
    if (const auto error = streams.error()) throw std::runtime_error(error->toString());
    std::this_thread::sleep_for(20ms);
  }
}

// Progress and results, redrawn in place on a terminal; a line now and then elsewhere.
class Screen {
 public:
  void draw(std::uint64_t produced, std::uint64_t processed, const Results& results) {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
    const double rate = elapsed.count() > 0 ? static_cast<double>(processed) / elapsed.count() : 0;
    std::string text =
        fmt::format("{} flights streamed, {} records processed ({:.0f}/s), {} result rows\n\n",
                    produced, processed, rate, results.rows());
    int lines = 2;
    for (const std::string& line : results.table()) {
      text += line + "\n";
      ++lines;
    }
    if (drawn_ > 0 && terminal_) fmt::print("\x1b[{}A\x1b[J", drawn_);
    fmt::print("{}", text);
    std::fflush(stdout);
    drawn_ = lines;
  }
  [[nodiscard]] bool terminal() const { return terminal_; }

 private:
  bool terminal_ = ::isatty(STDOUT_FILENO) == 1;
  int drawn_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void streamFlights(Broker& broker, const Arguments& arguments,
                   std::atomic<std::uint64_t>& produced) {
  StreamFileOptions flights = csvInto(broker, arguments, "flights-2013-01.csv", "flights");
  flights.keyColumn = "carrier";
  flights.timeColumn = "time_hour";
  flights.timeMinutesColumn = "minute";
  flights.onProgress = [&produced](std::uint64_t records) { produced = records; };
  produced = orThrow(streamFile(flights));
}

void runJob(Broker& broker, const Arguments& arguments, Admin& admin, Streams& streams) {
  Results results(broker.transport());
  Screen screen;
  std::atomic<std::uint64_t> produced = 0;
  std::atomic<bool> done = false;
  std::exception_ptr failure;
  std::thread worker([&] {
    try {
      streamFlights(broker, arguments, produced);
      waitUntilCaughtUp(admin, streams);
    } catch (...) {
      failure = std::current_exception();
    }
    done = true;
  });
  while (!done) {
    orThrow(results.poll(100ms));
    if (screen.terminal()) screen.draw(produced, streams.metrics().processed, results);
  }
  worker.join();
  if (failure) std::rethrow_exception(failure);
  orThrow(results.readToEnd());
  screen.draw(produced, streams.metrics().processed, results);
  orThrow(results.write(arguments.directory));
}

void printHints(const Broker& broker, const Arguments& arguments) {
  fmt::print(
      "\nThe results are in {0}/*.jsonl and in two topics. From another terminal:\n"
      "  kcat -b {1} -C -e -t bad-weather-daily\n"
      "  {2}/millrace consume bad-weather-daily --bootstrap {1} --from beginning --until-end "
      "--format '%v\\n'\n",
      arguments.directory, broker.bootstrap(),
      std::filesystem::relative(std::filesystem::canonical("/proc/self/exe").parent_path())
          .string());
}

void waitForInterrupt(const sigset_t& signals) {
  fmt::print("Serving until Ctrl-C.\n");
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
}

int run(const Arguments& arguments) {
  // Every run starts from a clean directory; only what the demo makes itself is removed.
  for (const char* name : {"broker", "state", "offsets"})
    std::filesystem::remove_all(arguments.directory + "/" + name);
  std::filesystem::create_directories(arguments.directory);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  if (!arguments.once) pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  Broker broker = Broker::open(arguments.directory + "/broker");
  fmt::print("broker: {}\n", broker.bootstrap());
  Admin admin({.transport = broker.transport()});
  createTopics(admin);
  loadTables(broker, arguments);

  StreamsBuilder builder;
  describeJob(builder);
  Streams streams(builder.build(), {.applicationId = kApplication,
                                    .broker = broker,
                                    .stateDir = arguments.directory + "/state",
                                    .threads = 2,
                                    .properties = {{"commit.interval.ms", "200"}}});
  orThrow(streams.start());
  waitUntilCaughtUp(admin, streams);  // the tables are there before the first flight
  runJob(broker, arguments, admin, streams);
  printHints(broker, arguments);
  if (!arguments.once) waitForInterrupt(signals);
  streams.close(30s);
  broker.stop();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{"Streams a month of flights through a broker and a topology in this process."};
  app.add_option("--data", arguments.data, "directory of the CSV files")->capture_default_str();
  app.add_option("--directory", arguments.directory, "where broker, state and results go")
      ->capture_default_str();
  app.add_flag("--once", arguments.once,
               "end when all flights are processed, instead of serving on");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(arguments);
  } catch (const std::exception& e) {
    fmt::print(stderr, "airline-delays: {}\n", e.what());
    return 1;
  }
}
