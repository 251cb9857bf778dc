// Takes batches from the accumulator to the leaders and their fate back.
#pragma once

#include "client/accumulator.h"
#include "client/backoff.h"
#include "client/runtime.h"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace millrace::protocol {
struct ProduceRequest;
struct ProduceResponse;
}  // namespace millrace::protocol

namespace millrace::client {

/// Lives in the client's runtime; only wake() and offer() may be called from elsewhere.
class Sender : public std::enable_shared_from_this<Sender> {
 public:
  struct Options {
    std::int16_t acks = -1;
    bool idempotent = true;
    int max_in_flight = 5;
    int retries = 0;
    bool at_once = false;  ///< linger.ms is 0
    Millis request_timeout_ms = 30'000;
    Millis delivery_timeout_ms = 120'000;
    Millis retry_backoff_ms = 100;
    Millis retry_backoff_max_ms = 1'000;
  };
  using OnDelivery = std::function<void(const DeliveryReport&)>;

  Sender(ClientBase& base, Accumulator& accumulator, Options options, OnDelivery on_delivery);

  /// Looks for work soon. From any thread; costs an atomic where a look is due already.
  void wake();
  /// A partition has a batch: sends it on the calling thread where nothing has to be waited for,
  /// else wakes the sender. Calls nothing of the user's.
  void offer(PartitionQueue& queue);
  /// Fails everything with kClosed, now and from now on. In a handler.
  void abort();

 private:
  struct Sent {
    PartitionQueue* queue;
    PartitionSequencer::Ticket ticket;
  };
  struct Request {
    NodeId node = kAnyNode;
    std::vector<Sent> batches;
    std::shared_ptr<protocol::ProduceRequest> message;
    /// Of the topics in it; the answer names their ids only.
    std::map<Uuid, std::string_view> names;
    bool has_all_topic_ids = true;
    std::size_t bytes = 0;
  };
  struct Outcome {
    Errc code = Errc::kNone;
    std::string message = {};
    std::int64_t base_offset = -1;
    Millis log_append_time = -1;
    std::int64_t log_start_offset = -1;
  };

  void run();
  bool sendNow(PartitionQueue& queue);
  bool inspect(PartitionQueue& queue, Millis now_ms, Millis& next_ms);
  void expire(PartitionQueue& queue, Millis now_ms);
  bool unlistIfIdle(PartitionQueue& queue);
  void sendTo(NodeId node, std::vector<PartitionQueue*>& queues, Millis now_ms, Millis& next_ms);
  bool addBatch(Request& request, PartitionQueue& queue, Millis now_ms);
  ProducerBatch* pickBatch(PartitionQueue& queue, std::size_t room, Millis now_ms);
  Status prepare(ProducerBatch& batch, const PartitionSequencer::Entry& entry);
  void dispatch(Request request);
  void onAnswer(const std::shared_ptr<Request>& request, Result<Reply> reply);
  void onResponse(const Request& request, const protocol::ProduceResponse& response);
  void settle(const Sent& sent, const Outcome& outcome);
  void finish(PartitionQueue& queue, std::unique_ptr<ProducerBatch> batch, Status status,
              const Outcome& outcome);
  void finishSoon(PartitionQueue& queue, std::unique_ptr<ProducerBatch> batch, Status status);
  void askIdentity();
  void onIdentity(Result<Reply> reply);
  void failAll(const Error& error);
  void renameIfNeeded(PartitionQueue& queue);

  ClientBase& base_;
  Accumulator& accumulator_;
  const Options options_;
  OnDelivery on_delivery_;
  Backoff backoff_;
  std::atomic<bool> pending_{false};
  std::vector<PartitionQueue*> active_;
  std::map<NodeId, int> in_flight_;
  std::size_t rotation_ = 0;
  ProducerIdentity identity_;
  bool asking_identity_ = false;
  int identity_failures_ = 0;
  Millis identity_not_before_ms_ = 0;
  bool aborted_ = false;
  std::unique_ptr<Alarm> alarm_;
};

}  // namespace millrace::client
