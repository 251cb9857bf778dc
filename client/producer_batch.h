// A batch on its way from the first append to its acknowledgement.
#pragma once

#include "client/future.h"
#include "client/producer.h"
#include "client/sequencer.h"
#include "record/builder.h"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

namespace millrace::client {

/// What becomes of a batch, shared by the futures and callbacks of its records. Made only where
/// somebody asks.
class BatchOutcome {
 public:
  void set(Status status, std::int64_t base_offset, Millis log_append_time);
  void wait();
  bool waitFor(std::chrono::milliseconds timeout);
  void then(std::function<void()> callback);
  /// Only after it was set.
  [[nodiscard]] const Status& status() const { return status_; }
  [[nodiscard]] std::int64_t baseOffset() const { return base_offset_; }
  [[nodiscard]] Millis logAppendTime() const { return log_append_time_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::function<void()>> callbacks_;
  Status status_;
  std::int64_t base_offset_ = -1;
  Millis log_append_time_ = -1;
  bool set_ = false;
};

/// The future of one record: the outcome of its batch and its place in it.
class RecordFuture final : public FutureState<RecordMetadata> {
 public:
  RecordFuture(std::shared_ptr<BatchOutcome> outcome, const std::string& topic,
               std::int32_t partition, std::int32_t index, Millis timestamp)
      : outcome_(std::move(outcome)),
        topic_(topic),
        partition_(partition),
        index_(index),
        timestamp_(timestamp) {}
  void wait() override { outcome_->wait(); }
  bool waitFor(std::chrono::milliseconds timeout) override { return outcome_->waitFor(timeout); }
  Result<RecordMetadata> take() override;
  void then(std::function<void()> callback) override { outcome_->then(std::move(callback)); }

 private:
  std::shared_ptr<BatchOutcome> outcome_;
  std::string topic_;
  std::int32_t partition_;
  std::int32_t index_;
  Millis timestamp_;
};

/// Which batches are not done yet: what flush() waits for. Thread-safe.
class BatchTracker {
 public:
  std::uint64_t add();
  void done(std::uint64_t id, const Status& status);
  /// Waits until every batch added before this call is done. The first failure since the last call;
  /// kTimeout.
  Status waitAll(std::optional<std::chrono::milliseconds> timeout);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::uint64_t> open_;
  std::uint64_t next_ = 1;
  Status first_failure_;
};

struct ProducerBatch {
  ProducerBatch(record::BatchOptions options, std::size_t capacity) : builder(options, capacity) {}

  record::BatchBuilder builder;
  std::shared_ptr<Bytes> bytes;  ///< built, compressed, named; null before the first attempt
  std::shared_ptr<BatchOutcome> outcome;
  std::uint64_t tracked = 0;  ///< its number at the tracker
  std::int32_t count = 0;     ///< of records, once closed
  std::size_t charged = 0;    ///< of buffer.memory
  Millis created_ms = 0;      ///< monotonic
  Millis not_before_ms = 0;   ///< back-off of a retry
  int attempts = 0;
  PartitionSequencer::Ticket ticket = 0;
  Error last_error{Errc::kNone, {}};
};

}  // namespace millrace::client
