// A cluster in memory for tests of producer and consumer: answers come from handlers that the test
// sets.
#pragma once

#include "client/transport.h"
#include "protocol/messages/init_producer_id_request.h"
#include "protocol/messages/init_producer_id_response.h"
#include "protocol/messages/metadata_request.h"
#include "protocol/messages/metadata_response.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace millrace::client {

/// Answers in order on a thread of its own, as a transport of another thread would.
class FakeTransport final : public Transport {
 public:
  using Handler = std::function<Result<std::shared_ptr<void>>(const void* request)>;

  FakeTransport() : thread_([this] { run(); }) {}
  ~FakeTransport() override { stop(); }

  /// Answers what was asked, then no more. Call it before the last reference goes: a callback may
  /// hold one, too, and this thread cannot wait for itself.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  /// One node, id 1; the topic "t" with two partitions, and whatever other topic is asked for not
  /// at all.
  void serveMetadata() {
    on<protocol::MetadataRequest>([](const protocol::MetadataRequest& request) {
      auto answer = std::make_shared<protocol::MetadataResponse>();
      protocol::MetadataResponse::MetadataResponseBroker broker;
      broker.node_id = 1;
      broker.host = Text("fake");
      broker.port = 1;
      answer->brokers.push_back(std::move(broker));
      for (const auto& asked : *request.topics) {
        protocol::MetadataResponse::MetadataResponseTopic topic;
        topic.name = asked.name;
        topic.topic_id = Uuid{5, 5};
        if (asked.name->view() != "t") topic.error_code = 3;
        for (std::int32_t p = 0; p < 2 && topic.error_code == 0; ++p) {
          protocol::MetadataResponse::MetadataResponsePartition partition;
          partition.partition_index = p;
          partition.leader_id = 1;
          partition.leader_epoch = 0;
          topic.partitions.push_back(std::move(partition));
        }
        answer->topics.push_back(std::move(topic));
      }
      return answer;
    });
    on<protocol::InitProducerIdRequest>([](const protocol::InitProducerIdRequest&) {
      auto answer = std::make_shared<protocol::InitProducerIdResponse>();
      answer->producer_id = 100;
      answer->producer_epoch = 0;
      return answer;
    });
  }

  template <class Request>
  void on(
      std::function<Result<std::shared_ptr<typename Request::Response>>(const Request&)> handle) {
    const std::lock_guard lock(mutex_);
    handlers_[Request::info().key] =
        [handle = std::move(handle)](const void* request) -> Result<std::shared_ptr<void>> {
      auto answer = handle(*static_cast<const Request*>(request));
      if (!answer) return std::unexpected(answer.error());
      return std::shared_ptr<void>(*answer);
    };
  }

  /// The thread that called last with such a request.
  [[nodiscard]] std::thread::id callerOf(protocol::ApiKey key) {
    const std::lock_guard lock(mutex_);
    return callers_[static_cast<std::int16_t>(key)];
  }

  void call(NodeId, Call call, Done done) override {
    {
      const std::lock_guard lock(mutex_);
      callers_[call.request->key] = std::this_thread::get_id();
      queue_.emplace_back(std::move(call), std::move(done));
    }
    changed_.notify_all();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
      if (queue_.empty()) return;
      auto [call, done] = std::move(queue_.front());
      queue_.pop_front();
      const auto it = handlers_.find(call.request->key);
      const Handler handler = it == handlers_.end() ? Handler() : it->second;
      lock.unlock();
      const std::shared_ptr<void> request = call.build(call.max_version);
      Result<std::shared_ptr<void>> answer = fail(Errc::kUnsupportedVersion, "no handler");
      if (handler) answer = handler(request.get());
      if (answer) {
        done(Reply{call.max_version, std::move(*answer), nullptr});
      } else {
        done(std::unexpected(answer.error()));
      }
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<Call, Done>> queue_;
  std::map<std::int16_t, Handler> handlers_;
  std::map<std::int16_t, std::thread::id> callers_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace millrace::client
