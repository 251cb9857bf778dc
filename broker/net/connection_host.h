// What the connections of one shard share.
#pragma once

#include "base/clock.h"
#include "base/metrics.h"
#include "base/net/gate.h"
#include "base/net/shard.h"
#include "broker/handler_table.h"
#include "broker/net/chunk.h"
#include "broker/net/complaints.h"
#include "broker/request_budget.h"
#include "broker/shard_affinity.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>

namespace millrace::broker {

class Connection;

struct ConnectionLimits {
  std::int32_t max_request_bytes = 100 << 20;  ///< socket.request.max.bytes
  std::size_t max_pipelined = 100;             ///< requests of one connection under way at a time
  std::size_t max_owed_bytes = 1 << 20;        ///< of replies; then it reads no further requests
  Millis max_idle_ms = 600'000;                ///< connections.max.idle.ms; below 0: never
};

/// Counters of the network side; names as in docs/operations.md.
struct NetworkMetrics {
  Counter& requests;
  Counter& bytes_in;
  Gauge& connections;
  Counter& moves;
};

/// One per shard; all of it is used on that shard, but load(). Outlives its connections.
class ConnectionHost final : private RequestBudget::Waiter {
 public:
  using All = std::vector<std::unique_ptr<ConnectionHost>>;

  /// `all` has the hosts of all shards once there are connections.
  ConnectionHost(const All& all, Shard& shard, const HandlerTable& handlers, const Clock& clock,
                 Complaints& complaints, RequestBudget& budget, NetworkMetrics metrics,
                 ConnectionLimits limits)
      : all_(all),
        shard_(shard),
        handlers_(handlers),
        clock_(clock),
        complaints_(complaints),
        budget_(budget),
        metrics_(metrics),
        limits_(limits) {}

  [[nodiscard]] Shard& shard() { return shard_; }
  [[nodiscard]] const HandlerTable& handlers() const { return handlers_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }
  [[nodiscard]] Complaints& complaints() { return complaints_; }
  [[nodiscard]] RequestBudget& budget() { return budget_; }
  [[nodiscard]] NetworkMetrics& metrics() { return metrics_; }
  [[nodiscard]] const ConnectionLimits& limits() const { return limits_; }
  [[nodiscard]] ChunkPool& chunks() { return chunks_; }
  /// Holds the connections' and the requests' coroutines.
  [[nodiscard]] Gate& gate() { return gate_; }

  /// Who is told of files that cannot be read; set before there are connections.
  using FileFailure = std::function<void(const std::string& path, const Error& cause)>;
  void onFileFailure(FileFailure tell) { file_failure_ = std::move(tell); }
  void fileFailed(const std::string& path, const Error& cause) const {
    if (file_failure_) file_failure_(path, cause);
  }

  /// `connection` is told of the next room in the budget. Try again after this call, before
  /// waiting.
  void awaitRoom(Connection* connection);

  void add(Connection* connection);
  void remove(Connection* connection);
  /// Connections now, from any thread.
  [[nodiscard]] int load() const { return load_.load(std::memory_order_relaxed); }
  /// The host of the shard that a connection's requests belong to; none where that is this one, or
  /// has its share of connections already: one core must not serve them all.
  [[nodiscard]] ConnectionHost* betterFor(const ShardAffinity& affinity) const;
  /// Ends every connection.
  void closeAll();
  /// Ends connections that were idle for too long, until the gate closes. Sleeps until the next one
  /// can be due.
  [[nodiscard]] Task<> watchIdle();

 private:
  void onRoom() override;

  const All& all_;
  Shard& shard_;
  const HandlerTable& handlers_;
  const Clock& clock_;
  Complaints& complaints_;
  RequestBudget& budget_;
  NetworkMetrics metrics_;
  ConnectionLimits limits_;
  ChunkPool chunks_;
  Gate gate_;
  FileFailure file_failure_;
  std::unordered_set<Connection*> connections_;
  std::atomic<int> load_{0};
  std::unordered_set<Connection*> starved_;  ///< wait for room in the budget
};

}  // namespace millrace::broker
