// Index files and producer snapshots as Kafka's dump tool shows them.
#pragma once

#include "cli/dump/kafka_form.h"

namespace millrace::cli {

/// Where the lines of one file go.
struct KafkaSinks {
  const LineSink& out;
  const LineSink& problems;
  Findings& findings;
};

/// The entries of .index and .timeindex are held against the log file beside them. Errors:
/// kCorruptData where the file itself cannot be read as one; kNotFound without the log file; kIo.
[[nodiscard]] Status dumpOffsetIndexAsKafka(const std::string& path,
                                            const KafkaFormOptions& options, KafkaSinks sinks);
[[nodiscard]] Status dumpTimeIndexAsKafka(const std::string& path, const KafkaFormOptions& options,
                                          KafkaSinks sinks);
[[nodiscard]] Status dumpTxnIndexAsKafka(const std::string& path, const LineSink& out);
[[nodiscard]] Status dumpSnapshotAsKafka(const std::string& path, const LineSink& out);

}  // namespace millrace::cli
