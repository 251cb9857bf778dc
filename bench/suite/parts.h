// The parts of the suite; each measures one question and reports its figures.
#pragma once

#include "bench/suite/report.h"

#include <cstdint>
#include <string>

namespace millrace::bench {

class BrokerProcess;

struct SuiteOptions {
  std::string millrace;            ///< path of the millrace binary
  std::string topologies;          ///< path of the topologies program
  std::uint64_t megabytes = 1000;  ///< moved per throughput figure
  int latency_seconds = 10;        ///< per rate
};

/// Raw limits of the machine, own client over TCP and in process, librdkafka: produce and fetch.
void measureThroughput(const SuiteOptions& options, Report& report);
/// librdkafka against a broker process; says so where it was not there at build time.
void measureLibrdkafka(BrokerProcess& broker, std::uint64_t bytes, std::size_t value_size,
                       Report& report);
/// End to end at a fixed rate, measured from when a record was due (no coordinated omission).
void measureLatency(const SuiteOptions& options, Report& report);
/// Process start to first acknowledged record, and memory and CPU when nothing happens.
void measureStart(const SuiteOptions& options, Report& report);
/// Records per CPU second of the three topologies, over TCP.
void measureTopologies(const SuiteOptions& options, Report& report);

/// Makes a topic with 4 partitions (or `partitions`). Throws with the broker's words.
void makeTopic(const std::string& bootstrap, const std::string& name, int partitions = 4);

}  // namespace millrace::bench
