// dump-log in the form of Kafka's kafka-dump-log (DumpLogSegments): the same options and the same
// lines, for scripts that read them.
#pragma once

#include "cli/dump/printer.h"
#include "cli/dump/record_decoder.h"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace millrace::cli {

struct KafkaFormOptions {
  std::vector<std::string> files;
  /// Keys and values of records; with them come the records.
  bool data = false;
  bool deep = false;
  bool index_sanity_only = false;
  bool verify_indexes_only = false;
  bool skip_record_metadata = false;
  /// How much of a log file is read.
  std::int32_t max_bytes = std::numeric_limits<std::int32_t>::max();
  /// A larger batch at an index entry counts as none.
  std::int32_t max_message_size = 5 << 20;
  Decoding decoding = Decoding::kNone;
};

/// What does not fit together; told after all files, as Kafka does.
class Findings {
 public:
  /// In the order in which they are told.
  enum class Kind { kOffsetIndex, kTimestamp, kTimestampOrder, kOffsetNotFound, kOffsets };

  /// `title` says where; lines with one title are told together.
  void add(Kind kind, const std::string& title, std::string line);
  void print(const LineSink& sink) const;
  /// Whether an index does not fit its log; offsets that are missing do not count, compaction
  /// leaves such.
  [[nodiscard]] bool indexesFit() const;

 private:
  struct Group {
    Kind kind;
    std::string title;
    std::vector<std::string> lines;
  };
  std::vector<Group> groups_;
};

/// Prints the files to `out`, and what is wrong with them to `problems`. Errors: kIo, kNotFound at
/// once; kCorruptData at the end where a file is damaged or an index does not fit (Kafka's tool
/// ends well there, or with a stack trace).
[[nodiscard]] Status dumpAsKafka(const KafkaFormOptions& options, const LineSink& out,
                                 const LineSink& problems);

}  // namespace millrace::cli
