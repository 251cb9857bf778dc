#include "client/accumulator.h"

#include "base/checksum.h"

#include <fmt/format.h>

namespace millrace::client {
namespace {

std::size_t sizeBound(const Accumulator::Appended& record) {
  std::size_t bound = record::BatchBuilder::recordSizeBound(
      record.key ? record.key->size() : 0, record.value ? record.value->size() : 0);
  for (const record::HeaderView& header : record.headers) {
    bound += header.key.size() + (header.value ? header.value->size() : 0) + 10;
  }
  return bound;
}

}  // namespace

void ProducerTopic::grow(std::size_t count) {
  if (count <= owned_.size()) return;
  auto fresh = std::make_unique<Queues>();
  for (const auto& queue : owned_) fresh->push_back(queue.get());
  while (owned_.size() < count) {
    owned_.push_back(
        std::make_unique<PartitionQueue>(*this, static_cast<std::int32_t>(owned_.size())));
    fresh->push_back(owned_.back().get());
  }
  queues.store(fresh.get(), std::memory_order_release);
  snapshots_.push_back(std::move(fresh));
}

Accumulator::Accumulator(Options options, Listener listener)
    : options_(options), listener_(std::move(listener)), available_(options.buffer_memory) {}

ProducerTopic& Accumulator::topic(const std::string& name) {
  {
    const std::shared_lock lock(topics_mutex_);
    const auto it = topics_.find(name);
    if (it != topics_.end()) return *it->second;
  }
  const std::unique_lock lock(topics_mutex_);
  auto& entry = topics_[name];
  if (!entry) {
    entry = std::make_unique<ProducerTopic>(name, static_cast<std::int64_t>(options_.batch_size));
  }
  return *entry;
}

void Accumulator::updatePartitions(const TopicMeta& meta) {
  const std::unique_lock lock(topics_mutex_);
  const auto it = topics_.find(meta.name);
  if (it == topics_.end()) return;
  const auto count = static_cast<std::int32_t>(meta.partitions.size());
  if (count > it->second->partitionCount()) it->second->grow(static_cast<std::size_t>(count));
}

std::int32_t Accumulator::choosePartition(ProducerTopic& topic, const Appended& record,
                                          const ProducerTopic::Queues& queues, bool& sticky) {
  if (record.partition >= 0) return record.partition;
  if (record.key && !options_.ignore_keys) {
    return partitionForKey(*record.key, static_cast<std::int32_t>(queues.size()));
  }
  sticky = true;
  if (topic.sticky.current() < 0) chooseSticky(topic, queues);
  return topic.sticky.current();
}

void Accumulator::chooseSticky(ProducerTopic& topic, const ProducerTopic::Queues& queues) {
  std::vector<std::pair<std::int32_t, std::int32_t>> loads;
  loads.reserve(queues.size());
  for (const PartitionQueue* queue : queues) {
    loads.emplace_back(queue->index, options_.adaptive ? queue->queued.load() : 0);
  }
  topic.sticky.choose(loads);
}

Status Accumulator::checkRecord(const ProducerTopic& topic, const Appended& record,
                                const ProducerTopic::Queues* queues, std::size_t bound) const {
  if (closed_.load(std::memory_order_relaxed)) return fail(Errc::kClosed, "the producer is closed");
  if (bound > options_.max_request_size || bound > options_.buffer_memory) [[unlikely]] {
    return fail(
        Errc::kMessageTooLarge,
        fmt::format("a record of {} bytes exceeds max.request.size or buffer.memory", bound));
  }
  if (queues == nullptr || record.partition >= static_cast<std::int32_t>(queues->size()))
      [[unlikely]] {
    return fail(Errc::kInvalidRequest,
                fmt::format("topic {} has {} partitions, there is no partition {}", topic.name,
                            topic.partitionCount(), record.partition));
  }
  return {};
}

/// Makes room in the open batch: closes a full one, opens a new one. `lock` is let go while waiting
/// for memory, which must not stop the sender. `opened`: there is a new batch.
Status Accumulator::makeRoom(PartitionQueue& queue, std::unique_lock<std::mutex>& lock,
                             std::size_t bound, bool& opened) {
  while (!queue.open || queue.open->builder.sizeInBytes() + bound > options_.batch_size) {
    if (queue.open && queue.open->builder.empty()) return {};  // a record larger than batch.size
    const bool filled = queue.open != nullptr;
    if (filled) {
      queue.open->count = queue.open->builder.count();
      queue.ready.push_back(std::move(queue.open));
      queue.queued.fetch_add(1, std::memory_order_relaxed);
    }
    lock.unlock();
    if (filled) listener_.has_batch(queue);
    auto batch = makeBatch(bound);
    if (!batch) return std::unexpected(std::move(batch).error());
    lock.lock();
    if (queue.open) {  // another thread was faster
      release((*batch)->charged);
      tracker_.done((*batch)->tracked, {});
      continue;
    }
    queue.open = std::move(*batch);
    opened = true;
    if (!queue.listed) list(queue);
  }
  return {};
}

Status Accumulator::append(ProducerTopic& topic, const Appended& record, Place* place) {
  const ProducerTopic::Queues* queues = topic.queues.load(std::memory_order_acquire);
  const std::size_t bound = sizeBound(record);
  MILLRACE_CHECK_OK(checkRecord(topic, record, queues, bound));
  bool sticky = false;
  const std::int32_t partition = choosePartition(topic, record, *queues, sticky);
  PartitionQueue& queue = *(*queues)[static_cast<std::size_t>(partition)];
  bool opened = false;
  {
    std::unique_lock lock(queue.mutex);
    if (!queue.open || queue.open->builder.sizeInBytes() + bound > options_.batch_size)
        [[unlikely]] {
      MILLRACE_CHECK_OK(makeRoom(queue, lock, bound, opened));
    }
    ProducerBatch& batch = *queue.open;
    if (place != nullptr) {
      if (!batch.outcome) batch.outcome = std::make_shared<BatchOutcome>();
      *place = Place{batch.outcome, partition, batch.builder.count()};
    }
    batch.builder.append(record.timestamp, record.key, record.value, record.headers);
  }
  if (opened) listener_.has_batch(queue);
  if (sticky && topic.sticky.add(static_cast<std::int64_t>(bound), opened)) {
    chooseSticky(topic, *queues);
  }
  return {};
}

Result<std::unique_ptr<ProducerBatch>> Accumulator::makeBatch(std::size_t record_bound) {
  const std::size_t capacity =
      std::max(options_.batch_size, record_bound + record::kBatchHeaderSize);
  MILLRACE_CHECK_OK(reserve(capacity));
  auto batch = std::make_unique<ProducerBatch>(options_.batch, capacity);
  batch->charged = capacity;
  batch->tracked = tracker_.add();
  batch->created_ms = systemClock().monotonicMs();
  return batch;
}

Status Accumulator::reserve(std::size_t bytes) {
  std::unique_lock lock(memory_mutex_);
  const std::size_t wanted = std::min(bytes, options_.buffer_memory);
  if (available_ < wanted) {
    starving_.fetch_add(1);
    lock.unlock();
    listener_.is_starving();
    lock.lock();
    const bool got = memory_freed_.wait_for(lock, std::chrono::milliseconds(options_.max_block_ms),
                                            [&] { return available_ >= wanted || closed_.load(); });
    starving_.fetch_sub(1);
    if (closed_.load()) return fail(Errc::kClosed, "the producer is closed");
    if (!got) {
      return fail(Errc::kTimeout,
                  fmt::format("buffer.memory ({} bytes) stayed full for max.block.ms ({} ms): are "
                              "the brokers reachable?",
                              options_.buffer_memory, options_.max_block_ms));
    }
  }
  available_ -= wanted;
  return {};
}

void Accumulator::release(std::size_t bytes) {
  {
    const std::lock_guard lock(memory_mutex_);
    available_ += std::min(bytes, options_.buffer_memory);
  }
  memory_freed_.notify_all();
}

void Accumulator::list(PartitionQueue& queue) {
  queue.listed = true;
  const std::lock_guard lock(listed_mutex_);
  listed_.push_back(&queue);
}

std::vector<PartitionQueue*> Accumulator::takeListed() {
  const std::lock_guard lock(listed_mutex_);
  return std::exchange(listed_, {});
}

Millis Accumulator::closeDue(PartitionQueue& queue, Millis now_ms) {
  const std::lock_guard lock(queue.mutex);
  if (!queue.ready.empty()) return 0;
  if (!queue.open || queue.open->builder.empty()) return queue.open ? 1 : -1;
  const Millis due = queue.open->created_ms + options_.linger_ms;
  const bool pressed = flushing_.load() > 0 || starving_.load() > 0 || closed_.load();
  if (!pressed && due > now_ms) return due - now_ms;
  queue.open->count = queue.open->builder.count();
  queue.ready.push_back(std::move(queue.open));
  queue.queued.fetch_add(1, std::memory_order_relaxed);
  return 0;
}

void Accumulator::close() {
  {
    const std::lock_guard lock(memory_mutex_);
    closed_.store(true);
  }
  memory_freed_.notify_all();
}

}  // namespace millrace::client
