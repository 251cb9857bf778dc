#include "client/producer.h"

#include "base/log.h"
#include "client/accumulator.h"
#include "client/client_config.h"
#include "client/runtime.h"
#include "client/sender.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace millrace {
namespace client {
namespace {

Accumulator::Options accumulatorOptions(const Config& c) {
  Accumulator::Options o;
  o.batch_size = static_cast<std::size_t>(std::max(c.getInt("batch.size"), 1));
  o.buffer_memory = static_cast<std::size_t>(c.getLong("buffer.memory"));
  o.max_request_size = static_cast<std::size_t>(c.getInt("max.request.size"));
  o.linger_ms = c.getLong("linger.ms");
  // Connect's workers say "for ever" with the largest long: that in nanoseconds would wrap around.
  constexpr Millis kForEver = Millis{100} * 365 * 24 * 3'600'000;
  o.max_block_ms = std::min(c.getLong("max.block.ms"), kForEver);
  o.adaptive = c.getBool("partitioner.adaptive.partitioning.enable");
  o.ignore_keys = c.getBool("partitioner.ignore.keys");
  const std::string& codec = c.getString("compression.type");
  o.batch.codec = record::codecFromName(codec).value_or(record::Codec::kNone);
  const std::string level_key = fmt::format("compression.{}.level", codec);
  if (c.def().find(level_key) != nullptr && c.isSet(level_key)) {
    o.batch.level = c.getInt(level_key);
  }
  return o;
}

Sender::Options senderOptions(const Config& c) {
  Sender::Options o;
  const std::string& acks = c.getString("acks");
  o.acks = acks == "0" ? std::int16_t{0} : acks == "1" ? std::int16_t{1} : std::int16_t{-1};
  o.retries = c.getInt("retries");
  o.idempotent = c.getBool("enable.idempotence") && o.acks == -1 && o.retries > 0;
  o.max_in_flight = c.getInt("max.in.flight.requests.per.connection");
  o.at_once = c.getLong("linger.ms") == 0;
  o.request_timeout_ms = c.getInt("request.timeout.ms");
  o.delivery_timeout_ms = std::max<Millis>(c.getInt("delivery.timeout.ms"),
                                           c.getLong("linger.ms") + o.request_timeout_ms);
  o.retry_backoff_ms = c.getLong("retry.backoff.ms");
  o.retry_backoff_max_ms = c.getLong("retry.backoff.max.ms");
  return o;
}

}  // namespace

class ProducerCore : public std::enable_shared_from_this<ProducerCore> {
 public:
  ProducerCore(ClientConfig config, ProducerOptions options)
      : config_(std::move(config)),
        base_(config_.common, options.transport, true),
        accumulator_(accumulatorOptions(config_.values),
                     {.has_batch = [this](PartitionQueue& queue) { sender_->offer(queue); },
                      .is_starving = [this] { sender_->wake(); }}),
        sender_(std::make_shared<Sender>(base_, accumulator_, senderOptions(config_.values),
                                         std::move(options.onDelivery))) {}
  ~ProducerCore() {
    const Status closed = close(std::chrono::milliseconds::max());
    if (!closed) MILLRACE_LOG_WARN("producer closed: {}", closed.error().toString());
  }

  void start() {
    base_.metadata->onUpdate([weak = weak_from_this()](const MetadataService::ImagePtr& image) {
      if (const auto self = weak.lock()) self->onMetadata(*image);
    });
  }

  Result<ProducerTopic*> resolve(const std::string& name) {
    ProducerTopic& topic = accumulator_.topic(name);
    if (topic.queues.load(std::memory_order_acquire) != nullptr) return &topic;
    base_.metadata->addTopics({name});
    const auto deadline = std::chrono::steady_clock::now() +
                          std::chrono::milliseconds(accumulator_.options().max_block_ms);
    if (const TopicMeta* const known = base_.metadata->image()->topic(name))
      accumulator_.updatePartitions(*known);
    std::unique_lock lock(mutex_);
    while (topic.queues.load(std::memory_order_acquire) == nullptr) {
      if (closed_) return fail(Errc::kClosed, "the producer is closed");
      MILLRACE_CHECK_OK(topicError(name));
      if (metadata_changed_.wait_until(lock, deadline) == std::cv_status::timeout) {
        const Error last = base_.metadata->lastError();
        return fail(Errc::kTimeout,
                    fmt::format("topic {} is not in the metadata after max.block.ms ({} ms): {}",
                                name, accumulator_.options().max_block_ms,
                                last.code == Errc::kNone ? "create it first" : last.toString()));
      }
    }
    return &topic;
  }

  /// Also counts as a request for news where the cluster does not know the topic yet.
  Status topicError(const std::string& name) {
    const auto image = base_.metadata->image();
    const TopicMeta* const found = image->topics.find(name);
    if (found == nullptr || found->error == Errc::kNone) return {};
    if (isRetriable(found->error)) {
      base_.metadata->requestUpdate();
      return {};
    }
    return fail(found->error, fmt::format("topic {}: {}", name, errorMessage(found->error)));
  }

  Future<RecordMetadata> send(ProducerRecord record) {
    using Ready = Future<RecordMetadata>;
    auto topic = resolve(record.topic);
    if (!topic) return Ready::ready(std::unexpected(topic.error()));
    std::vector<HeaderView> headers;
    headers.reserve(record.headers.size());
    for (const Header& h : record.headers) {
      headers.push_back(
          HeaderView{h.key, h.value ? std::optional<BytesView>(*h.value) : std::nullopt});
    }
    Accumulator::Appended appended;
    appended.partition = record.partition.value_or(-1);
    if (record.key) appended.key = BytesView(*record.key);
    if (record.value) appended.value = BytesView(*record.value);
    appended.timestamp = record.timestamp.value_or(systemClock().wallMs());
    appended.headers = headers;
    Accumulator::Place place;
    const Status status = accumulator_.append(**topic, appended, &place);
    if (!status) return Ready::ready(std::unexpected(status.error()));
    return Ready(std::make_shared<RecordFuture>(std::move(place.outcome), (*topic)->name,
                                                place.partition, place.index, appended.timestamp));
  }

  Status flush(std::optional<std::chrono::milliseconds> timeout) {
    accumulator_.beginFlush();
    sender_->wake();
    Status status = accumulator_.tracker().waitAll(timeout);
    accumulator_.endFlush();
    return status;
  }

  Status close(std::chrono::milliseconds timeout) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return {};
      closed_ = true;
    }
    metadata_changed_.notify_all();
    accumulator_.close();
    const bool forever = timeout == std::chrono::milliseconds::max();
    Status status = flush(forever ? std::nullopt : std::optional(timeout));
    base_.runtime->post([sender = sender_] { sender->abort(); });
    base_.shutdown();
    return status;
  }

  Accumulator& accumulator() { return accumulator_; }

 private:
  void onMetadata(const ClusterImage& image) {
    for (const auto& topic : image.news)
      if (topic->error == Errc::kNone) accumulator_.updatePartitions(*topic);
    {
      const std::lock_guard lock(mutex_);  // no wake-up may fall between check and wait
    }
    metadata_changed_.notify_all();
    sender_->wake();
  }

  ClientConfig config_;
  ClientBase base_;
  Accumulator accumulator_;
  std::shared_ptr<Sender> sender_;
  std::mutex mutex_;
  std::condition_variable metadata_changed_;
  bool closed_ = false;
};

}  // namespace client

const std::string& TopicHandle::name() const { return topic_->name; }
std::int32_t TopicHandle::partitionCount() const { return topic_->partitionCount(); }

Result<Producer> Producer::create(ProducerOptions options) {
  MILLRACE_TRY(client::ClientConfig config, client::parseProducerConfig(options));
  auto core = std::make_shared<client::ProducerCore>(std::move(config), std::move(options));
  core->start();
  return Producer(std::move(core));
}

Producer::Producer(ProducerOptions options) {
  auto made = create(std::move(options));
  if (!made) throw std::invalid_argument(made.error().toString());
  *this = std::move(*made);
}

Producer::Producer(std::shared_ptr<client::ProducerCore> core) : core_(std::move(core)) {}
Producer::Producer(Producer&&) noexcept = default;
Producer& Producer::operator=(Producer&&) noexcept = default;
Producer::~Producer() {
  // The I/O thread may hold the core for a moment: the thread that closes must not be that one.
  if (core_) std::ignore = core_->close(std::chrono::milliseconds::max());
}

Future<RecordMetadata> Producer::send(ProducerRecord record) {
  return core_->send(std::move(record));
}

void Producer::send(ProducerRecord record, SendCallback callback) {
  const Future<RecordMetadata> future = core_->send(std::move(record));
  future.then([future, callback = std::move(callback)] { callback(future.get()); });
}

Result<TopicHandle> Producer::topic(const std::string& name) {
  MILLRACE_TRY(client::ProducerTopic* const found, core_->resolve(name));
  return TopicHandle(found);
}

Status Producer::append(TopicHandle topic, std::int32_t partition, std::optional<BytesView> key,
                        std::optional<BytesView> value, Millis timestamp,
                        std::span<const HeaderView> headers) {
  client::Accumulator::Appended record;
  record.partition = partition;
  record.key = key;
  record.value = value;
  record.timestamp = timestamp;
  record.headers = headers;
  return core_->accumulator().append(*topic.topic_, record, nullptr);
}

Status Producer::flush() { return core_->flush(std::nullopt); }
Status Producer::flush(std::chrono::milliseconds timeout) { return core_->flush(timeout); }

Result<std::int32_t> Producer::partitionsFor(const std::string& topic) {
  MILLRACE_TRY(const client::ProducerTopic* const found, core_->resolve(topic));
  return found->partitionCount();
}

Status Producer::close(std::chrono::milliseconds timeout) { return core_->close(timeout); }

}  // namespace millrace
