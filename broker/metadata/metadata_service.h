// The controller of a quorum of one and its log, and the image that follows: the shell around Controller.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/net/task.h"
#include "broker/metadata/controller.h"
#include "broker/metadata/delta.h"
#include "broker/metadata/metadata_cache.h"

namespace millrace::broker {

class MetadataLog;

/// What start() needs to know of this node.
struct MetadataOptions {
  std::string directory;  ///< the metadata log dir; the log is <directory>/__cluster_metadata-0
  std::string cluster_id;
  Uuid directory_id;
  ControllerConfig controller;
  /// Advertised endpoints of the broker, as clients get them; ports are the real ones (listeners are bound).
  std::vector<BrokerEndpoint> endpoints;
  std::optional<std::string> rack;
};

/// Follows the image: called on the service's shard after the records are committed and before anybody sees the
/// new image, in order, one at a time. The answer to the request waits for it, so a topic's logs exist before
/// its creator hears of them.
using MetadataListener = std::function<Task<void>(ImagePtr next, MetadataChanges changes)>;

/// Lives on one shard (the first); call everything there except cache(). Calling order: open() before the
/// listeners are announced; follow() to add listeners; start() registers and unfences this broker; stop().
/// What a returned task means: the records are appended to the metadata log (in the page cache) and applied.
class MetadataService {
 public:
  explicit MetadataService(const Clock& clock);
  ~MetadataService();
  MetadataService(const MetadataService&) = delete;
  MetadataService& operator=(const MetadataService&) = delete;

  /// Opens the log, starts a new leader epoch, replays. Blocking (start-up only). Formats an empty directory
  /// (bootstrap records). Errors: kCorruptData, kIo.
  [[nodiscard]] Status open(MetadataOptions options);
  /// As of the last publication; for any shard.
  [[nodiscard]] MetadataCache& cache() { return *cache_; }
  void follow(MetadataListener listener) { listeners_.push_back(std::move(listener)); }
  /// Tells the listeners of what was replayed, registers and unfences this broker.
  [[nodiscard]] Task<Status> start();
  /// Waits for the running change, flushes and closes the log.
  [[nodiscard]] Task<void> stop();

  [[nodiscard]] Task<protocol::CreateTopicsResponse> createTopics(protocol::CreateTopicsRequest request);
  [[nodiscard]] Task<protocol::DeleteTopicsResponse> deleteTopics(protocol::DeleteTopicsRequest request,
                                                                  std::int16_t version);
  [[nodiscard]] Task<protocol::CreatePartitionsResponse> createPartitions(
      protocol::CreatePartitionsRequest request);
  [[nodiscard]] Task<protocol::IncrementalAlterConfigsResponse> incrementalAlterConfigs(
      protocol::IncrementalAlterConfigsRequest request);
  [[nodiscard]] Task<protocol::AlterConfigsResponse> alterConfigs(protocol::AlterConfigsRequest request);
  /// The next idempotent producer's id, out of this broker's block (a new block goes through the log).
  [[nodiscard]] Task<Result<std::int64_t>> nextProducerId();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::unique_ptr<MetadataCache> cache_;
  std::vector<MetadataListener> listeners_;
};

}  // namespace millrace::broker
