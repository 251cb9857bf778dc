// A sink task: consume, convert, put, and commit what is safe.
#pragma once

#include "connect/error_policy.h"
#include "connect/task_runner.h"
#include "connect/worker_context.h"

namespace millrace::connect {

class SinkRunner final : public TaskRunner, private SinkContext {
 public:
  SinkRunner(std::shared_ptr<const WorkerContext> worker, ConnectorConfig connector, int task,
             std::unique_ptr<TaskSettings> settings);

 private:
  Status run() override;
  void interrupt() override;
  void release() override;
  [[nodiscard]] std::uint64_t records() const override { return put_.load(); }

  void seek(const TopicPartitionKey& partition, std::int64_t offset) override;
  void pause(const std::vector<TopicPartitionKey>& partitions) override;
  void resume(const std::vector<TopicPartitionKey>& partitions) override;
  void requestCommit() override { commit_requested_ = true; }
  bool report(const SinkRecord& record, const Error& error) override;
  void log(std::string_view message) override;

  Status prepare();
  Status subscribe();
  Status loop();
  Status deliver(const ConsumerRecords& polled);
  Status putWithRetries(const std::vector<SinkRecord>& records);
  /// nullopt: not convertible, and tolerated.
  [[nodiscard]] Result<std::optional<SinkRecord>> convert(const RawRecord& raw);
  Status commit();
  void onAssigned(const std::vector<TopicPartition>& partitions);
  void onRevoked(const std::vector<TopicPartition>& partitions, bool lost);

  const std::shared_ptr<const WorkerContext> worker_;
  const ConnectorConfig connector_;
  const std::unique_ptr<TaskSettings> settings_;
  std::mutex life_mutex_;  // of task_ and consumer_, between interrupt and release
  std::unique_ptr<SinkTask> task_;
  std::unique_ptr<Converter> key_converter_;
  std::unique_ptr<Converter> value_converter_;
  ErrorPolicy errors_;
  const int id_;
  std::optional<Consumer> consumer_;
  SinkOffsets delivered_;  // next offset after what was put
  SinkOffsets committed_;
  std::vector<RawRecord> batch_;  // what is being put, as it was consumed: for report
  Status callback_failed_;        // in a rebalance callback, which cannot return it
  bool commit_requested_ = false;
  std::atomic<std::uint64_t> put_{0};
};

}  // namespace millrace::connect
