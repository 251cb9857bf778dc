// What the cluster looks like: nodes, topics, leaders. An immutable picture and the service that
// renews it.
#pragma once

#include "base/uuid.h"
#include "client/backoff.h"
#include "client/runtime.h"
#include "client/transport.h"

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace millrace::protocol {
struct MetadataResponse;
}

namespace millrace::client {

struct PartitionMeta {
  std::int32_t index = 0;
  NodeId leader = kAnyNode;  ///< kAnyNode: none now
  std::int32_t leader_epoch = -1;
  std::vector<NodeId> replicas;
  std::vector<NodeId> in_sync;
};

struct TopicMeta {
  std::string name;
  Uuid id;
  bool internal = false;
  Errc error = Errc::kNone;
  std::vector<PartitionMeta> partitions;  ///< by index
};

/// The topics of a picture, by name. Copies share what they have in common: a producer that meets
/// its topics one by one gets a picture for each.
class TopicTable {
 public:
  using Entry = std::shared_ptr<const TopicMeta>;

  /// nullptr where unknown.
  [[nodiscard]] const TopicMeta* find(std::string_view name) const;
  [[nodiscard]] bool contains(std::string_view name) const { return find(name) != nullptr; }
  /// Adds topics, or puts them in the place of others of their names.
  void put(std::vector<Entry> topics);
  [[nodiscard]] auto begin() const { return sorted_.begin(); }
  [[nodiscard]] auto end() const { return sorted_.end(); }

 private:
  std::vector<Entry> sorted_;
};

/// A picture of the cluster. Immutable once published.
struct ClusterImage {
  std::string cluster_id;
  NodeId controller = kAnyNode;
  std::vector<NodeAddress> nodes;
  TopicTable topics;
  /// What the answer named that made this picture of the one before.
  std::vector<TopicTable::Entry> news;

  /// nullptr where unknown or in error.
  [[nodiscard]] const TopicMeta* topic(const std::string& name) const;
  [[nodiscard]] const PartitionMeta* partition(const std::string& topic, std::int32_t index) const;
  [[nodiscard]] std::string rackOf(NodeId node) const;
};

/// The picture after an answer. Topics that the answer does not name stay (`complete`: they go). A
/// partition never goes back to an older leader epoch of the same topic id (KIP-320).
[[nodiscard]] ClusterImage mergeMetadata(const ClusterImage& before,
                                         const protocol::MetadataResponse& answer, bool complete);

/// Keeps the picture fresh: by age, on demand, with a back-off between answers. A topic that nobody
/// asked for before waits for no back-off, but that of failures, and is asked for alone (KIP-526).
/// Thread-safe.
class MetadataService : public std::enable_shared_from_this<MetadataService> {
 public:
  using ImagePtr = std::shared_ptr<const ClusterImage>;
  struct Options {
    Millis max_age_ms = 300'000;
    Millis retry_backoff_ms = 100;
    Millis retry_backoff_max_ms = 1'000;
    Millis request_timeout_ms = 30'000;
    bool auto_create = true;
  };

  MetadataService(std::shared_ptr<ClientRuntime> runtime, std::shared_ptr<Transport> transport,
                  Options options);

  [[nodiscard]] ImagePtr image() const;
  /// Topics to keep informed about; a new one is asked for at once.
  void addTopics(const std::vector<std::string>& topics);
  void setTopics(std::set<std::string> topics);
  /// Informs about all topics of the cluster.
  void setAllTopics();
  /// Asks now, unless an answer is on its way or a back-off runs: then after it.
  void requestUpdate();
  /// Called after each answer, on any thread; not under a lock.
  void onUpdate(std::function<void(const ImagePtr&)> listener);
  /// Counts answers: wait for it to grow.
  [[nodiscard]] std::uint64_t version() const;
  /// Why the last attempt failed; kNone after a success.
  [[nodiscard]] Error lastError() const;
  /// No more requests and callbacks.
  void close();

 private:
  /// What a request names; none: all topics.
  using Wish = std::optional<std::vector<std::string>>;
  void askFresh();
  void askNow();
  [[nodiscard]] Wish takeWish(Millis now_ms);
  void onAnswer(Result<Reply> reply, bool complete);
  [[nodiscard]] Millis onPicture(const protocol::MetadataResponse& answer, bool complete,
                                 Millis now_ms);
  void noteMissing(bool complete);
  void schedule(Millis delay_ms);

  std::shared_ptr<ClientRuntime> runtime_;
  std::shared_ptr<Transport> transport_;
  Options options_;
  Backoff backoff_;
  mutable std::mutex mutex_;
  ImagePtr image_ = std::make_shared<const ClusterImage>();
  std::set<std::string> topics_;
  std::set<std::string> fresh_;  ///< of topics_, not asked for yet
  /// Not there yet, or without a leader, when last heard of; of topics_ or not.
  std::set<std::string> missing_topics_;
  Millis full_due_ms_ = 0;  ///< when all of topics_ are to be asked for again
  std::vector<std::function<void(const ImagePtr&)>> listeners_;
  Error last_error_{Errc::kNone, {}};
  std::uint64_t version_ = 0;
  int failures_ = 0;
  int missing_ = 0;  ///< answers in a row in which a topic was missing
  Millis not_before_ms_ = 0;
  bool all_topics_ = false;
  bool asking_ = false;
  bool wanted_ = false;
  bool closed_ = false;
  std::shared_ptr<Alarm> alarm_;  // used on the runtime's thread only
};

}  // namespace millrace::client
