// A source task: poll, convert, send, and store offsets of what was acknowledged.
#pragma once

#include "connect/error_policy.h"
#include "connect/submitted.h"
#include "connect/task_runner.h"
#include "connect/topic_creation.h"
#include "connect/worker_context.h"

namespace millrace::connect {

class SourceRunner final : public TaskRunner, private SourceContext {
 public:
  SourceRunner(std::shared_ptr<const WorkerContext> worker, ConnectorConfig connector, int task,
               std::unique_ptr<TaskSettings> settings);

 private:
  /// What delivery callbacks touch: they may come after the runner's end.
  struct Delivery {
    SubmittedRecords submitted;
    std::mutex mutex;
    Status failed;  // the first record that was refused for good
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> acknowledged{0};
  };

  Status run() override;
  void interrupt() override;
  void release() override;
  [[nodiscard]] std::uint64_t records() const override;
  std::optional<SourceMap> storedOffset(const SourceMap& partition) override;
  void log(std::string_view message) override;

  Status prepare();
  Status loop();
  [[nodiscard]] Result<std::vector<SourceRecord>> pollWithRetries();
  Status send(SourceRecord record);
  [[nodiscard]] Result<ProducerRecord> convert(SourceRecord& record);
  Status commit();
  [[nodiscard]] Status deliveryStatus();

  const std::shared_ptr<const WorkerContext> worker_;
  const ConnectorConfig connector_;
  const std::unique_ptr<TaskSettings> settings_;
  std::mutex life_mutex_;  // of task_, between interrupt and release
  std::unique_ptr<SourceTask> task_;
  std::unique_ptr<Converter> key_converter_;
  std::unique_ptr<Converter> value_converter_;
  ErrorPolicy errors_;
  std::string client_id_;
  std::shared_ptr<Delivery> delivery_ = std::make_shared<Delivery>();
  std::optional<Producer> producer_;
  std::optional<TopicCreator> topics_;
};

}  // namespace millrace::connect
