// Two brokers in memory with topics and one group, for tests of the consumer's and the
// administrator's shells: answers truly unless the test says which request fails, and how.
#pragma once

#include "client/record.h"
#include "client/transport.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace millrace::client {

/// Answers on a thread of its own, in the order of the calls; fetches that find nothing wait some
/// milliseconds for more. Thread-safe.
class FakeCluster final : public Transport {
 public:
  FakeCluster() : thread_([this] { run(); }) {}
  ~FakeCluster() override { stop(); }
  /// Answers no more. Call it before the last reference goes: a client's callback may hold one,
  /// too, and this thread cannot wait for itself.
  void stop();

  // Topics. Leaders are node 1 unless moved; each value is a batch of its own, its time its offset.
  void addTopic(const std::string& name, int partitions = 1);
  void append(const TopicPartition& tp, const std::vector<std::string>& values);
  /// Records below are gone.
  void deleteBefore(const TopicPartition& tp, std::int64_t offset);
  /// The old leader refuses from here on. Metadata knows.
  void moveLeader(const TopicPartition& tp, NodeId node);

  // The group, whatever its name. One member, that leads it.
  void moveCoordinator(NodeId node);
  void commit(const TopicPartition& tp, std::int64_t offset);
  [[nodiscard]] std::map<TopicPartition, std::int64_t> committed();
  /// What the member is given instead of what it decides as leader.
  void assignInstead(std::vector<TopicPartition> partitions);
  [[nodiscard]] bool hasMember();

  /// The next `times` requests of this kind fail: with `code` where that answer has its errors.
  void failNext(protocol::ApiKey api, Errc code, int times = 1);
  /// The same, but no answer comes: the transport says `code` (kNetworkException,
  /// kRequestTimedOut).
  void breakNext(protocol::ApiKey api, Errc code = Errc::kNetworkException, int times = 1);
  /// Requests of this kind so far, failed ones included.
  [[nodiscard]] int count(protocol::ApiKey api);

  /// Requests of a member that did not go to the group's coordinator as such.
  [[nodiscard]] int strays();

  /// Serves a kind of request that this cluster does not know: `handle(request, node, error)` makes
  /// the answer; error is what failNext says. Called under this object's lock.
  template <class Request>
  void on(std::function<std::shared_ptr<typename Request::Response>(const Request&, NodeId, Errc)>
              handle) {
    const std::lock_guard lock(mutex_);
    custom_[Request::info().key] = [handle = std::move(handle)](const void* request, NodeId node,
                                                                Errc error) -> Body {
      return handle(*static_cast<const Request*>(request), node, error);
    };
  }

  void call(NodeId node, Call call, Done done) override;

 private:
  struct Partition {
    NodeId leader = 1;
    std::int32_t leader_epoch = 0;
    std::int64_t start = 0;
    std::vector<std::string> batches;  ///< encoded, one record each, by offset
  };
  struct Pending {
    NodeId node = kAnyNode;
    Call call;
    Done done;
    std::shared_ptr<void> request = {};
    std::chrono::steady_clock::time_point deadline = {};  ///< of a fetch that waits
    bool seen = false;
  };
  using Body = std::shared_ptr<void>;

  void run();
  static void finish(Pending& pending, Result<Body> body);
  /// Null: a fetch that has to wait.
  Result<Body> answer(Pending& pending, bool may_wait);
  Body metadata(const Pending& pending);
  Body findCoordinator(const Pending& pending, Errc error);
  Body joinGroup(const Pending& pending, Errc error);
  Body syncGroup(const Pending& pending, Errc error);
  Body heartbeat(const Pending& pending, Errc error);
  Body leaveGroup(const Pending& pending, Errc error);
  Body offsetFetch(const Pending& pending, Errc error);
  Body offsetCommit(const Pending& pending, Errc error);
  Body listOffsets(const Pending& pending, Errc error);
  Body fetch(const Pending& pending, Errc error, bool may_wait);
  [[nodiscard]] Errc groupError(const Pending& pending, Errc error) const;
  [[nodiscard]] const std::string* topicOf(const Uuid& id) const;
  Partition* find(const std::string& topic, std::int32_t index);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Pending> queue_;
  std::deque<Pending> waiting_;  // fetches
  std::map<std::string, std::vector<Partition>> topics_;
  std::map<std::int16_t, std::deque<std::pair<Errc, bool>>> faults_;  // true: of the transport
  std::map<std::int16_t, int> counts_;
  int strays_ = 0;
  std::map<std::int16_t, std::function<Body(const void*, NodeId, Errc)>> custom_;
  NodeId coordinator_ = 1;
  std::int32_t generation_ = 0;
  std::string member_;
  std::map<TopicPartition, std::int64_t> committed_;
  std::optional<std::vector<TopicPartition>> assign_instead_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace millrace::client
