#include "connect/stream_file.h"

#include "connect/standalone.h"

#include <chrono>

namespace millrace {

namespace {

constexpr std::chrono::milliseconds kProgressInterval{50};

connect::StandaloneOptions workerOptions(const StreamFileOptions& options) {
  connect::StandaloneOptions worker{
      .properties = {{"key.converter", "StringConverter"},
                     {"value.converter",
                      options.format == "csv" ? "JsonConverter" : "StringConverter"},
                     {"value.converter.schemas.enable", "false"},
                     {"offset.storage.file.filename", ""}},
      .transport = options.transport};
  if (!options.bootstrapServers.empty()) {
    worker.properties["bootstrap.servers"] = options.bootstrapServers;
  }
  return worker;
}

Properties connectorProperties(const StreamFileOptions& options) {
  Properties connector{{"name", "file-" + options.topic},
                       {"connector.class", "FileStreamSource"},
                       {"file", options.file},
                       {"topic", options.topic},
                       {"format", options.format},
                       {"tail", "false"},
                       {"csv.key.column", options.keyColumn},
                       {"csv.time.column", options.timeColumn},
                       {"csv.time.minutes.column", options.timeMinutesColumn},
                       {"csv.null", options.nullText},
                       {"producer.override.max.in.flight.requests.per.connection", "5"},
                       {"producer.override.enable.idempotence", "true"},
                       {"producer.override.batch.size", "262144"}};
  std::string texts;
  for (const std::string& column : options.textColumns) {
    texts += (texts.empty() ? "" : ",") + column;
  }
  connector["csv.text.columns"] = texts;
  for (const auto& [key, value] : options.properties) connector.insert_or_assign(key, value);
  return connector;
}

}  // namespace

Result<std::uint64_t> streamFile(const StreamFileOptions& options) {
  MILLRACE_TRY(connect::Standalone worker, connect::Standalone::create(workerOptions(options)));
  MILLRACE_CHECK_OK(worker.add(connectorProperties(options)));
  const auto records = [&worker] { return worker.status().front().tasks.front().records; };
  for (;;) {
    MILLRACE_TRY(const bool finished, worker.waitUntilFinished(kProgressInterval));
    if (options.onProgress) options.onProgress(records());
    if (finished) break;
  }
  const std::uint64_t total = records();
  MILLRACE_CHECK_OK(worker.stop());
  return total;
}

}  // namespace millrace
