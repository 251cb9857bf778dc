#include "connect/error_policy.h"

#include "base/log.h"

namespace millrace::connect {

std::string_view stageName(Stage stage) {
  switch (stage) {
    case Stage::kPoll: return "TASK_POLL";
    case Stage::kPut: return "TASK_PUT";
    case Stage::kKeyConverter: return "KEY_CONVERTER";
    case Stage::kValueConverter: return "VALUE_CONVERTER";
    case Stage::kProduce: return "KAFKA_PRODUCE";
    case Stage::kConsume: return "KAFKA_CONSUME";
  }
  return "";
}

ErrorPolicy::ErrorPolicy(const ConnectorConfig& connector, int task)
    : connector_(connector.name),
      task_(std::to_string(task)),
      class_(connector.config.getString("connector.class")),
      tolerates_(connector.config.getString("errors.tolerance") == "all"),
      logs_(connector.config.getBool("errors.log.enable")),
      logs_messages_(connector.config.getBool("errors.log.include.messages")) {
  if (connector.factory->kind == ConnectorKind::kSource) return;
  topic_ = connector.config.getString("errors.deadletterqueue.topic.name");
  context_headers_ = connector.config.getBool("errors.deadletterqueue.context.headers.enable");
}

Status ErrorPolicy::open(ProducerOptions producer) {
  if (topic_.empty()) return {};
  MILLRACE_TRY(Producer made, Producer::create(std::move(producer)));
  dead_letters_ = std::make_unique<Producer>(std::move(made));
  return {};
}

Status ErrorPolicy::handle(Stage stage, const Error& error, const RawRecord* raw) {
  if (logs_) log(stage, error, raw);
  // Kafka writes the dead letter even where nothing is tolerated and the task then fails.
  if (raw != nullptr && dead_letters_) MILLRACE_CHECK_OK(keep(stage, error, *raw));
  if (tolerates_) return {};
  return fail(error.code, std::string(stageName(stage)) + ": " + error.detail);
}

void ErrorPolicy::log(Stage stage, const Error& error, const RawRecord* raw) const {
  if (raw != nullptr && logs_messages_) {
    MILLRACE_LOG_ERROR("connector {} task {}: {} of {}-{} offset {}: {}", connector_, task_,
                       stageName(stage), raw->topic, raw->partition, raw->offset, error.toString());
  } else {
    MILLRACE_LOG_ERROR("connector {} task {}: {}: {}", connector_, task_, stageName(stage),
                       error.toString());
  }
}

Status ErrorPolicy::keep(Stage stage, const Error& error, const RawRecord& raw) {
  ProducerRecord letter{.topic = topic_, .key = raw.key, .value = raw.value};
  if (raw.timestamp >= 0) letter.timestamp = raw.timestamp;
  letter.headers = raw.headers;
  if (context_headers_) {
    const auto add = [&letter](std::string_view name, std::string value) {
      letter.headers.push_back({"__connect.errors." + std::string(name), std::move(value)});
    };
    add("topic", raw.topic);
    add("partition", std::to_string(raw.partition));
    add("offset", std::to_string(raw.offset));
    add("connector.name", connector_);
    add("task.id", task_);
    add("stage", std::string(stageName(stage)));
    add("class.name", class_);
    add("exception.class.name", std::string(errorName(error.code)));
    add("exception.message", error.detail);
  }
  const Result<RecordMetadata> sent = dead_letters_->send(std::move(letter)).get();
  if (!sent)
    return fail(sent.error().code, "the dead letter was not written: " + sent.error().detail);
  return {};
}

}  // namespace millrace::connect
