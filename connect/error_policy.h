// What happens to a record that cannot be converted or written: errors.* of a connector.
#pragma once

#include "client/producer.h"
#include "connect/connector_config.h"

#include <memory>

namespace millrace::connect {

/// Where in a record's way it failed; the names stand in dead letters' headers.
enum class Stage { kPoll, kPut, kKeyConverter, kValueConverter, kProduce, kConsume };
[[nodiscard]] std::string_view stageName(Stage stage);

/// The record as it was consumed, for the dead-letter topic.
struct RawRecord {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  Millis timestamp = -1;
  std::optional<Bytes> key;
  std::optional<Bytes> value;
  std::vector<Header> headers;
};

/// Of one task, on its thread.
class ErrorPolicy {
 public:
  ErrorPolicy(const ConnectorConfig& connector, int task);
  /// Makes the dead-letter producer where a topic is configured.
  Status open(ProducerOptions producer);

  /// Ends the dead-letter producer.
  void close() { dead_letters_.reset(); }
  [[nodiscard]] bool tolerates() const { return tolerates_; }
  [[nodiscard]] bool reports() const { return tolerates_ && dead_letters_ != nullptr; }
  /// Logs and keeps the record as configured. Success: skip it and go on; otherwise the error fails
  /// the task. `raw` only for sinks.
  Status handle(Stage stage, const Error& error, const RawRecord* raw);

 private:
  void log(Stage stage, const Error& error, const RawRecord* raw) const;
  Status keep(Stage stage, const Error& error, const RawRecord& raw);

  std::string connector_;
  std::string task_;
  std::string class_;
  std::string topic_;
  bool tolerates_ = false;
  bool logs_ = false;
  bool logs_messages_ = false;
  bool context_headers_ = false;
  std::unique_ptr<Producer> dead_letters_;
};

}  // namespace millrace::connect
