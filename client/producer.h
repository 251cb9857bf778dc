// The producer: batches, compresses, routes, retries; idempotent by default.
#pragma once

#include "client/future.h"
#include "client/record.h"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>

namespace millrace {

namespace client {
class Transport;
class ProducerCore;
struct ProducerTopic;
}  // namespace client

/// A record to send. Owns its bytes; Producer::append is the way without copies.
struct ProducerRecord {
  std::string topic;
  std::optional<std::int32_t> partition =
      std::nullopt;  ///< unset: by key (murmur2), or sticky without a key
  std::optional<Bytes> key = std::nullopt;
  std::optional<Bytes> value = std::nullopt;
  std::optional<Millis> timestamp = std::nullopt;  ///< unset: now
  std::vector<Header> headers = {};
};

/// Where an acknowledged record lies. offset is -1 with acks=0.
struct RecordMetadata {
  std::string topic;
  std::int32_t partition = -1;
  std::int64_t offset = -1;
  Millis timestamp = -1;
};

/// The fate of one batch: success, or the error that all of its records share.
struct DeliveryReport {
  const std::string& topic;
  std::int32_t partition;
  std::int64_t base_offset;  ///< -1 unless acknowledged with an offset
  std::int32_t record_count;
  Millis log_append_time;  ///< -1 with create-time topics
  const Status& status;
};

/// The common options; any other key of Kafka's producer goes into `properties` (text, as in a
/// file), which wins over the fields. Unknown keys are warned about.
struct ProducerOptions {
  std::string bootstrapServers = {};  ///< "host:port,host:port"
  std::string clientId = {};
  std::optional<std::string> acks = std::nullopt;  ///< "all" (default), "1", "0"
  std::optional<std::string> compression =
      std::nullopt;  ///< none (default), gzip, snappy, lz4, zstd
  std::optional<std::chrono::milliseconds> linger = std::nullopt;  ///< default 5 ms
  std::optional<std::int32_t> batchSize = std::nullopt;            ///< bytes, default 16384
  std::optional<bool> idempotence = std::nullopt;                  ///< default true
  std::optional<std::chrono::milliseconds> deliveryTimeout = std::nullopt;  ///< default 120 s
  std::map<std::string, std::string> properties = {};
  /// Called once for each batch, on the client's I/O thread: keep it short, do not call blocking
  /// methods in it.
  std::function<void(const DeliveryReport&)> onDelivery = {};
  /// Instead of bootstrapServers: a way that does not need a socket (Broker::transport()).
  std::shared_ptr<client::Transport> transport = {};
};

/// A topic as the producer knows it; from Producer::topic. Copying is cheap; valid as long as its
/// producer.
class TopicHandle {
 public:
  TopicHandle() = default;
  [[nodiscard]] const std::string& name() const;
  /// Partitions at the last metadata refresh.
  [[nodiscard]] std::int32_t partitionCount() const;

 private:
  friend class Producer;
  friend class client::ProducerCore;
  explicit TopicHandle(client::ProducerTopic* topic) : topic_(topic) {}
  client::ProducerTopic* topic_ = nullptr;
};

using SendCallback = std::function<void(const Result<RecordMetadata>&)>;

/// A record and its bytes are copied into the open batch of a partition before send or append
/// returns; batches leave on the client's own I/O thread, or without linger on the caller's, in
/// order per partition. Every method may be called from several threads. Destruction closes with a
/// flush. Coroutine forms: client/async.h.
class Producer {
 public:
  static constexpr std::int32_t kAnyPartition = -1;

  /// Throws std::invalid_argument where a configuration value is wrong; connects in the background.
  explicit Producer(ProducerOptions options);
  /// The same without exceptions: kConfig names the key.
  [[nodiscard]] static Result<Producer> create(ProducerOptions options);
  Producer(Producer&&) noexcept;
  Producer& operator=(Producer&&) noexcept;
  ~Producer();

  /// Blocks at most max.block.ms while the topic is unknown or buffer.memory is used up. The future
  /// is ready when the record is acknowledged or has failed for good.
  Future<RecordMetadata> send(ProducerRecord record);
  /// The same; the callback runs on the I/O thread, also where the record is refused at once.
  void send(ProducerRecord record, SendCallback callback);

  /// Resolves a topic: blocks at most max.block.ms for its metadata.
  [[nodiscard]] Result<TopicHandle> topic(const std::string& name);
  /// The hot path: serialises straight into the open batch; no allocation, no future. partition:
  /// kAnyPartition or an index below partitionCount(). The outcome comes by onDelivery, per batch.
  /// Blocks as send does when buffer.memory is used up. Errors: kMessageTooLarge, kTimeout
  /// (buffer), kClosed, kInvalidRequest (no such partition).
  Status append(TopicHandle topic, std::int32_t partition, std::optional<BytesView> key,
                std::optional<BytesView> value, Millis timestamp,
                std::span<const HeaderView> headers = {});

  /// Sends what is buffered and waits until all of it is acknowledged or has failed. The error of
  /// the first batch that failed since the last flush, if one did.
  Status flush();
  Status flush(std::chrono::milliseconds timeout);
  /// Number of partitions of a topic; asks the cluster where unknown.
  [[nodiscard]] Result<std::int32_t> partitionsFor(const std::string& topic);
  /// Flushes for at most the timeout, then fails what is left with kClosed. Idempotent.
  Status close(std::chrono::milliseconds timeout = std::chrono::milliseconds::max());

 private:
  explicit Producer(std::shared_ptr<client::ProducerCore> core);
  std::shared_ptr<client::ProducerCore> core_;
};

}  // namespace millrace
