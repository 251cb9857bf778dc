#include "client/sender.h"

#include "base/assert.h"
#include "base/log.h"
#include "client/deadline.h"
#include "protocol/messages/produce_request.h"
#include "protocol/messages/produce_response.h"
#include "record/batch.h"

#include <fmt/format.h>

#include <limits>

namespace millrace::client {
namespace {

using protocol::ProduceRequest;
using protocol::ProduceResponse;

constexpr Millis kNever = std::numeric_limits<Millis>::max();
constexpr VersionRange kByName{3, 12};
constexpr VersionRange kById{3, 13};

}  // namespace

Sender::Sender(ClientBase& base, Accumulator& accumulator, Options options, OnDelivery on_delivery)
    : base_(base),
      accumulator_(accumulator),
      options_(options),
      on_delivery_(std::move(on_delivery)),
      backoff_(options.retry_backoff_ms, options.retry_backoff_max_ms) {}

void Sender::wake() {
  if (pending_.exchange(true)) return;
  base_.runtime->post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->run();
  });
}

void Sender::offer(PartitionQueue& queue) {
  bool dealt_with = false;
  auto send = [&] { dealt_with = sendNow(queue); };
  if (options_.at_once && base_.runtime->tryRun(send) && dealt_with) return;
  wake();
}

/// True where it has sent the queue's next batch, or an answer that is due will look at the queue.
bool Sender::sendNow(PartitionQueue& queue) {
  if (aborted_ || (options_.idempotent && identity_.id < 0)) return false;
  if (queue.sequencer.retryable() || queue.sequencer.needsRename()) return false;
  const auto image = base_.metadata->image();
  const PartitionMeta* meta = image->partition(queue.topic.name, queue.index);
  if (meta == nullptr || meta->leader < 0) return false;
  if (in_flight_[meta->leader] >= options_.max_in_flight) return true;
  if (!queue.sequencer.mayStartNew()) return true;
  const Millis now_ms = monotonicNow();
  const Millis due_ms = accumulator_.closeDue(queue, now_ms);
  if (due_ms != 0) return due_ms < 0;
  std::vector<PartitionQueue*> queues{&queue};
  Millis next_ms = kNever;
  sendTo(meta->leader, queues, now_ms, next_ms);
  return true;
}

void Sender::run() {
  pending_.store(false);
  for (PartitionQueue* queue : accumulator_.takeListed()) active_.push_back(queue);
  if (aborted_) return failAll(Error{Errc::kClosed, "the producer was closed"});
  const Millis now_ms = monotonicNow();
  Millis next_ms = kNever;
  const bool has_identity = !options_.idempotent || identity_.id >= 0;
  if (!has_identity && !active_.empty()) askIdentity();
  const auto image = base_.metadata->image();
  std::map<NodeId, std::vector<PartitionQueue*>> by_leader;
  bool leader_missing = false;
  std::erase_if(active_, [this](PartitionQueue* queue) { return unlistIfIdle(*queue); });
  for (PartitionQueue* queue : active_) {
    expire(*queue, now_ms);
    renameIfNeeded(*queue);
    if (!inspect(*queue, now_ms, next_ms) || !has_identity) continue;
    const PartitionMeta* meta = image->partition(queue->topic.name, queue->index);
    if (meta == nullptr || meta->leader < 0) {
      leader_missing = true;
      continue;
    }
    by_leader[meta->leader].push_back(queue);
  }
  if (leader_missing) base_.metadata->requestUpdate();
  for (auto& [node, queues] : by_leader) sendTo(node, queues, now_ms, next_ms);
  // Batches that wait for a leader or an identity still run out of time.
  if (!active_.empty()) next_ms = std::min<Millis>(next_ms, 1'000);
  if (next_ms == kNever) return;
  if (!alarm_) {
    alarm_ = std::make_unique<Alarm>(*base_.runtime, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->run();
    });
  }
  alarm_->setWithin(next_ms);
}

/// Whether the queue has a batch that may go now; else lowers next_ms to when that may change.
bool Sender::inspect(PartitionQueue& queue, Millis now_ms, Millis& next_ms) {
  const Millis due = accumulator_.closeDue(queue, now_ms);
  if (queue.sequencer.retryable()) {
    const Millis wait = queue.sent.front()->not_before_ms - now_ms;
    if (wait > 0) next_ms = std::min(next_ms, wait);
    return wait <= 0;
  }
  if (due > 0) next_ms = std::min(next_ms, due);
  return due == 0 && queue.sequencer.mayStartNew();
}

bool Sender::unlistIfIdle(PartitionQueue& queue) {
  const std::lock_guard lock(queue.mutex);
  if (queue.open || !queue.ready.empty() || !queue.sent.empty()) return false;
  queue.listed = false;
  return true;
}

/// Fails batches whose delivery.timeout.ms is over; those in the network are judged when they come
/// back.
void Sender::expire(PartitionQueue& queue, Millis now_ms) {
  const Millis oldest = now_ms - options_.delivery_timeout_ms;
  std::vector<std::unique_ptr<ProducerBatch>> expired;
  while (!queue.sent.empty() && queue.sent.front()->created_ms <= oldest &&
         !queue.sequencer.unacknowledged().front().in_network) {
    queue.sequencer.abandon(queue.sent.front()->ticket, queue.sent.front()->attempts > 0);
    expired.push_back(std::move(queue.sent.front()));
    queue.sent.pop_front();
  }
  {
    const std::lock_guard lock(queue.mutex);
    while (!queue.ready.empty() && queue.ready.front()->created_ms <= oldest) {
      expired.push_back(std::move(queue.ready.front()));
      queue.ready.pop_front();
      queue.queued.fetch_sub(1, std::memory_order_relaxed);
    }
  }
  for (auto& batch : expired) {
    const std::string why = batch->last_error.code == Errc::kNone
                                ? base_.metadata->lastError().toString()
                                : batch->last_error.toString();
    Status status = fail(Errc::kRequestTimedOut,
                         fmt::format("{} records for {}-{} were not acknowledged within "
                                     "delivery.timeout.ms ({} ms); last: {}",
                                     batch->count, queue.topic.name, queue.index,
                                     options_.delivery_timeout_ms, why));
    finish(queue, std::move(batch), std::move(status), {});
  }
}

void Sender::renameIfNeeded(PartitionQueue& queue) {
  if (!queue.sequencer.needsRename() || queue.sequencer.anyInNetwork()) return;
  if (identity_.id < 0) return askIdentity();
  // The same name may have been taken over from a bump for another partition already.
  if (identity_ == queue.sequencer.identity()) {
    if (identity_.epoch == std::numeric_limits<std::int16_t>::max()) {
      identity_ = {};
      return askIdentity();
    }
    ++identity_.epoch;  // KIP-360: the client may do so itself
  }
  queue.sequencer.rename(identity_);
}

void Sender::sendTo(NodeId node, std::vector<PartitionQueue*>& queues, Millis now_ms,
                    Millis& next_ms) {
  int& in_flight = in_flight_[node];
  while (in_flight < options_.max_in_flight && !queues.empty()) {
    Request request;
    request.node = node;
    request.message = std::make_shared<ProduceRequest>();
    const std::size_t first = rotation_++ % queues.size();
    std::vector<PartitionQueue*> more;
    for (std::size_t i = 0; i < queues.size(); ++i) {
      PartitionQueue* queue = queues[(first + i) % queues.size()];
      const bool added = addBatch(request, *queue, now_ms);
      if (added && inspect(*queue, now_ms, next_ms)) more.push_back(queue);
    }
    if (request.batches.empty()) return;
    ++in_flight;
    dispatch(std::move(request));
    queues = std::move(more);
  }
}

ProducerBatch* Sender::pickBatch(PartitionQueue& queue, std::size_t room, Millis now_ms) {
  if (const auto ticket = queue.sequencer.retryable()) {
    ProducerBatch& batch = *queue.sent.front();
    if (batch.bytes->size() > room || batch.not_before_ms > now_ms) return nullptr;
    const auto entry = queue.sequencer.restart(*ticket);
    const Status prepared = prepare(batch, entry);
    MILLRACE_ASSERT(prepared.has_value(), "a built batch cannot fail to be renamed");
    return &batch;
  }
  if (!queue.sequencer.mayStartNew()) return nullptr;
  if (options_.idempotent && queue.sent.size() >= 5) return nullptr;  // what brokers remember
  std::unique_ptr<ProducerBatch> batch;
  {
    const std::lock_guard lock(queue.mutex);
    if (queue.ready.empty() || queue.ready.front()->builder.sizeInBytes() > room) return nullptr;
    batch = std::move(queue.ready.front());
    queue.ready.pop_front();
    queue.queued.fetch_sub(1, std::memory_order_relaxed);
  }
  const auto entry = queue.sequencer.start(batch->count, identity_);
  batch->ticket = entry.ticket;
  const Status prepared = prepare(*batch, entry);
  if (!prepared) {  // the codec failed: nothing has left
    queue.sequencer.answered(entry.ticket, Errc::kUnknownServerError, -1, -1);
    finishSoon(queue, std::move(batch), prepared);
    return nullptr;
  }
  queue.sent.push_back(std::move(batch));
  return queue.sent.back().get();
}

/// Builds the bytes at the first attempt; afterwards changes the name in them where it has changed.
Status Sender::prepare(ProducerBatch& batch, const PartitionSequencer::Entry& entry) {
  namespace layout = record::layout;
  if (!batch.bytes) {
    batch.builder.setProducer(ProducerId{entry.identity.id}, entry.identity.epoch,
                              entry.base_sequence);
    MILLRACE_TRY(Bytes bytes, batch.builder.build());
    batch.bytes = std::make_shared<Bytes>(std::move(bytes));
    return {};
  }
  const char* old = batch.bytes->data();
  if (loadBe<std::int64_t>(old + layout::kProducerId) == entry.identity.id &&
      loadBe<std::int16_t>(old + layout::kProducerEpoch) == entry.identity.epoch &&
      loadBe<std::int32_t>(old + layout::kBaseSequence) == entry.base_sequence) {
    return {};
  }
  batch.bytes = std::make_shared<Bytes>(*batch.bytes);  // the old bytes may still be read by a peer
  char* header = batch.bytes->data();
  storeBe(header + layout::kProducerId, entry.identity.id);
  storeBe(header + layout::kProducerEpoch, entry.identity.epoch);
  storeBe(header + layout::kBaseSequence, entry.base_sequence);
  record::patchCrc({batch.bytes->data(), batch.bytes->size()});
  return {};
}

bool Sender::addBatch(Request& request, PartitionQueue& queue, Millis now_ms) {
  const std::size_t limit = accumulator_.options().max_request_size;
  const std::size_t room = request.batches.empty() ? std::numeric_limits<std::size_t>::max()
                           : request.bytes < limit ? limit - request.bytes
                                                   : 0;
  ProducerBatch* batch = pickBatch(queue, room, now_ms);
  if (batch == nullptr) return false;
  ++batch->attempts;
  request.bytes += batch->bytes->size();
  request.batches.push_back(Sent{&queue, batch->ticket});
  auto& topics = request.message->topic_data;
  const std::string& name = queue.topic.name;
  if (topics.empty() || topics.back().name.view() != name) {
    ProduceRequest::TopicProduceData topic;
    topic.name = Text::borrow(name);
    const TopicMeta* meta = base_.metadata->image()->topic(name);
    if (meta != nullptr) topic.topic_id = meta->id;
    if (topic.topic_id.isZero()) {
      request.has_all_topic_ids = false;
    } else {
      request.names.emplace(topic.topic_id, name);
    }
    topics.push_back(std::move(topic));
  }
  ProduceRequest::PartitionProduceData data;
  data.index = queue.index;
  data.records = protocol::Records::share(*batch->bytes, batch->bytes);
  topics.back().partition_data.push_back(std::move(data));
  return true;
}

void Sender::dispatch(Request request) {
  request.message->acks = options_.acks;
  request.message->timeout_ms = static_cast<std::int32_t>(options_.request_timeout_ms);
  Call call;
  call.request = &ProduceRequest::info();
  call.response = &ProduceResponse::info();
  const VersionRange versions = request.has_all_topic_ids ? kById : kByName;
  call.min_version = versions.min;
  call.max_version = versions.max;
  call.timeout_ms = options_.request_timeout_ms;
  call.expects_reply = options_.acks != 0;
  call.build = [message = request.message](std::int16_t) -> std::shared_ptr<void> {
    return message;
  };
  const NodeId node = request.node;
  auto shared = std::make_shared<Request>(std::move(request));
  auto answered = [weak = weak_from_this(), shared](Result<Reply> reply) {
    const auto self = weak.lock();
    if (!self) return;
    self->onAnswer(shared, std::move(reply));
    self->wake();
  };
  base_.transport->call(
      node, std::move(call),
      [runtime = base_.runtime, answered = std::move(answered)](Result<Reply> reply) mutable {
        if (runtime->runsHere()) return answered(std::move(reply));
        runtime->post([answered = std::move(answered), r = std::move(reply)]() mutable {
          answered(std::move(r));
        });
      });
}

void Sender::onAnswer(const std::shared_ptr<Request>& request, Result<Reply> reply) {
  --in_flight_[request->node];
  request->message.reset();
  if (!reply) {
    if (reply.error().code == Errc::kNetworkException) base_.metadata->requestUpdate();
    const Outcome outcome{reply.error().code, reply.error().detail};
    for (const Sent& sent : request->batches) settle(sent, outcome);
    return;
  }
  if (!reply->body) {  // acks=0
    for (const Sent& sent : request->batches) settle(sent, {});
    return;
  }
  onResponse(*request, *static_cast<const ProduceResponse*>(reply->body.get()));
}

void Sender::onResponse(const Request& request, const ProduceResponse& response) {
  std::map<std::pair<std::string_view, std::int32_t>,
           const ProduceResponse::PartitionProduceResponse*>
      answers;
  for (const auto& topic : response.responses) {
    std::string_view name = topic.name.view();
    if (name.empty()) {
      const auto it = request.names.find(topic.topic_id);
      if (it == request.names.end()) continue;
      name = it->second;
    }
    for (const auto& p : topic.partition_responses) answers[{name, p.index}] = &p;
  }
  for (const Sent& sent : request.batches) {
    const auto it = answers.find({sent.queue->topic.name, sent.queue->index});
    if (it == answers.end()) {
      settle(sent, Outcome{Errc::kUnknownTopicId, "the answer does not name the partition"});
      continue;
    }
    const auto& p = *it->second;
    Outcome outcome{fromWire(p.error_code), p.error_message ? p.error_message->str() : "",
                    p.base_offset, p.log_append_time_ms, p.log_start_offset};
    for (const auto& bad : p.record_errors) {
      if (bad.batch_index_error_message) {
        outcome.message +=
            fmt::format(" (record {}: {})", bad.batch_index, bad.batch_index_error_message->view());
      }
    }
    settle(sent, outcome);
  }
}

void Sender::settle(const Sent& sent, const Outcome& outcome) {
  PartitionQueue& queue = *sent.queue;
  const auto it = std::find_if(queue.sent.begin(), queue.sent.end(),
                               [&](const auto& batch) { return batch->ticket == sent.ticket; });
  if (it == queue.sent.end()) return;  // aborted meanwhile
  ProducerBatch& batch = **it;
  const bool exhausted = isRetriable(outcome.code) && batch.attempts > options_.retries;
  const Verdict verdict = queue.sequencer.answered(sent.ticket, outcome.code, outcome.base_offset,
                                                   outcome.log_start_offset);
  if (verdict == Verdict::kDone) {
    auto done = std::move(*it);
    queue.sent.erase(it);
    return finish(queue, std::move(done), {}, outcome);
  }
  if (needsMetadataRefresh(outcome.code)) base_.metadata->requestUpdate();
  Error error{outcome.code, fmt::format("{} records for {}-{}: {}{}", batch.count, queue.topic.name,
                                        queue.index, errorMessage(outcome.code),
                                        outcome.message.empty() ? "" : " " + outcome.message)};
  if (verdict != Verdict::kFail && !exhausted) {
    MILLRACE_LOG_DEBUG("produce attempt {}: {}", batch.attempts, error.toString());
    batch.last_error = std::move(error);
    batch.not_before_ms = monotonicNow() + backoff_.delay(batch.attempts - 1, systemRandom());
    return;
  }
  if (verdict != Verdict::kFail) queue.sequencer.abandon(sent.ticket, true);
  auto failed = std::move(*it);
  queue.sent.erase(it);
  finish(queue, std::move(failed), std::unexpected(std::move(error)), outcome);
}

void Sender::finish(PartitionQueue& queue, std::unique_ptr<ProducerBatch> batch, Status status,
                    const Outcome& outcome) {
  const std::int64_t base_offset = status ? outcome.base_offset : -1;
  if (on_delivery_) {
    on_delivery_(DeliveryReport{queue.topic.name, queue.index, base_offset, batch->count,
                                outcome.log_append_time, status});
  }
  if (batch->outcome) batch->outcome->set(status, base_offset, outcome.log_append_time);
  accumulator_.release(batch->charged);
  accumulator_.tracker().done(batch->tracked, status);
}

/// Not on the thread of a caller: the delivery report is the user's code.
void Sender::finishSoon(PartitionQueue& queue, std::unique_ptr<ProducerBatch> batch,
                        Status status) {
  base_.runtime->post([self = shared_from_this(), &queue, batch = std::move(batch),
                       status = std::move(status)]() mutable {
    self->finish(queue, std::move(batch), std::move(status), {});
  });
}

void Sender::abort() {
  aborted_ = true;
  for (PartitionQueue* queue : accumulator_.takeListed()) active_.push_back(queue);
  failAll(Error{Errc::kClosed, "the producer was closed before the record was acknowledged"});
}

void Sender::failAll(const Error& error) {
  for (PartitionQueue* queue : active_) {
    std::deque<std::unique_ptr<ProducerBatch>> lost = std::exchange(queue->sent, {});
    {
      const std::lock_guard lock(queue->mutex);
      for (auto& batch : std::exchange(queue->ready, {})) {
        lost.push_back(std::move(batch));
        queue->queued.fetch_sub(1, std::memory_order_relaxed);
      }
      if (queue->open) {
        queue->open->count = queue->open->builder.count();
        lost.push_back(std::move(queue->open));
      }
      queue->listed = false;
    }
    queue->sequencer = PartitionSequencer();
    for (auto& batch : lost) finish(*queue, std::move(batch), std::unexpected(error), {});
  }
  active_.clear();
}

}  // namespace millrace::client
