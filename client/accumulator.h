// Where records wait for their journey: per partition one open batch and closed ones behind it.
#pragma once

#include "client/metadata.h"
#include "client/producer_batch.h"
#include "client/sticky_partitioner.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

namespace millrace::client {

struct ProducerTopic;

/// One partition's batches. `mutex` guards what appending threads and the sender share; the rest is
/// the sender's.
struct PartitionQueue {
  PartitionQueue(ProducerTopic& t, std::int32_t i) : topic(t), index(i) {}

  ProducerTopic& topic;
  const std::int32_t index;
  std::atomic<std::int32_t> queued{0};  ///< closed batches, for the adaptive partitioner

  std::mutex mutex;
  std::unique_ptr<ProducerBatch> open;
  std::deque<std::unique_ptr<ProducerBatch>> ready;
  bool listed = false;  ///< known to the sender as having work

  // The sender's, on its thread.
  PartitionSequencer sequencer;
  std::deque<std::unique_ptr<ProducerBatch>>
      sent;  ///< unacknowledged, in order, as in the sequencer
};

/// A topic and its queues. Lives as long as the producer; queues are only ever added.
struct ProducerTopic {
  using Queues = std::vector<PartitionQueue*>;

  ProducerTopic(std::string n, std::int64_t sticky_bytes)
      : name(std::move(n)), sticky(sticky_bytes, systemRandom()) {}

  const std::string name;
  StickyPartitioner sticky;
  std::atomic<const Queues*> queues{nullptr};  ///< null until metadata is there

  [[nodiscard]] std::int32_t partitionCount() const {
    const Queues* q = queues.load(std::memory_order_acquire);
    return q == nullptr ? 0 : static_cast<std::int32_t>(q->size());
  }
  /// Adds queues up to the count. Under the accumulator's lock.
  void grow(std::size_t count);

 private:
  std::vector<std::unique_ptr<PartitionQueue>> owned_;
  std::vector<std::unique_ptr<const Queues>> snapshots_;  // readers may hold an old one
};

/// Shared by the appending threads and the sender.
class Accumulator {
 public:
  struct Options {
    std::size_t batch_size = 16384;
    std::size_t buffer_memory = 32 << 20;
    std::size_t max_request_size = 1 << 20;
    Millis linger_ms = 5;
    Millis max_block_ms = 60'000;
    bool adaptive = true;
    bool ignore_keys = false;
    record::BatchOptions batch;
  };
  /// Where a record went; for the future of send().
  struct Place {
    std::shared_ptr<BatchOutcome> outcome;
    std::int32_t partition = -1;
    std::int32_t index = 0;  ///< in its batch
  };
  struct Appended {
    BytesView topic;
    std::int32_t partition = -1;
    std::optional<BytesView> key;
    std::optional<BytesView> value;
    Millis timestamp = 0;
    std::span<const record::HeaderView> headers;
  };

  struct Listener {
    std::function<void(PartitionQueue&)> has_batch;  ///< a batch was opened in it, or closed
    std::function<void()> is_starving;               ///< a thread waits for memory
  };

  /// The listener's calls come from appending threads, not under a lock.
  Accumulator(Options options, Listener listener);

  /// The topic of that name, made where new; its queues may not be there yet.
  [[nodiscard]] ProducerTopic& topic(const std::string& name);
  /// Gives a topic, where it is produced to, the queues that metadata names.
  void updatePartitions(const TopicMeta& meta);
  /// Appends to the open batch; `place` (may be null) makes an outcome. Blocks for memory.
  Status append(ProducerTopic& topic, const Appended& record, Place* place);

  /// Partitions that got work since the last call.
  [[nodiscard]] std::vector<PartitionQueue*> takeListed();
  /// Closes the open batch of a queue whose time has come. `now_ms` monotonic. Returns the time at
  /// which it will come (ms from now), 0 where something is ready, -1 where nothing is there.
  Millis closeDue(PartitionQueue& queue, Millis now_ms);
  /// Gives memory back.
  void release(std::size_t bytes);
  /// While positive, open batches count as due.
  void beginFlush() { flushing_.fetch_add(1); }
  void endFlush() { flushing_.fetch_sub(1); }
  /// Later appends fail with kClosed.
  void close();
  [[nodiscard]] BatchTracker& tracker() { return tracker_; }
  [[nodiscard]] const Options& options() const { return options_; }

 private:
  std::int32_t choosePartition(ProducerTopic& topic, const Appended& record,
                               const ProducerTopic::Queues& queues, bool& sticky);
  Status checkRecord(const ProducerTopic& topic, const Appended& record,
                     const ProducerTopic::Queues* queues, std::size_t bound) const;
  Status makeRoom(PartitionQueue& queue, std::unique_lock<std::mutex>& lock, std::size_t bound,
                  bool& opened);
  void chooseSticky(ProducerTopic& topic, const ProducerTopic::Queues& queues);
  Result<std::unique_ptr<ProducerBatch>> makeBatch(std::size_t record_bound);
  Status reserve(std::size_t bytes);
  void list(PartitionQueue& queue);

  const Options options_;
  const Listener listener_;
  BatchTracker tracker_;
  std::shared_mutex topics_mutex_;
  std::map<std::string, std::unique_ptr<ProducerTopic>, std::less<>> topics_;
  std::mutex listed_mutex_;
  std::vector<PartitionQueue*> listed_;
  std::mutex memory_mutex_;
  std::condition_variable memory_freed_;
  std::size_t available_;
  std::atomic<int> starving_{0};
  std::atomic<int> flushing_{0};
  std::atomic<bool> closed_{false};
};

}  // namespace millrace::client
