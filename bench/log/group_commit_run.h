// The broker's scheme for flush.on.ack without its sockets: producers that keep requests in flight,
// one thread that appends for whoever may send, another that commits round after round.
#pragma once

#include "base/idle_probe.h"
#include "bench/log/support.h"
#include "log/journal/journal.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace millrace::bench {

/// Requests of one batch each, as many under way as there are producers times requests in flight.
struct Traffic {
  std::size_t producers;
  std::size_t in_flight;
  std::size_t partitions;
  std::int64_t records;
  std::int64_t value_size;
  [[nodiscard]] std::size_t requests() const { return producers * in_flight; }
};

class GroupCommitRun {
 public:
  GroupCommitRun(const LogBenchOptions& options, const Traffic& traffic);
  ~GroupCommitRun();
  GroupCommitRun(const GroupCommitRun&) = delete;
  GroupCommitRun& operator=(const GroupCommitRun&) = delete;

  /// Batches acknowledged in that time. What is under way at its end is waited for, but neither
  /// counted nor timed.
  Pace turn(double seconds);
  [[nodiscard]] log::Journal::Counters counters() const { return journal_.counters(); }

 private:
  struct Waiting {
    log::Journal::Round round = 0;
    std::size_t batches = 0;
  };

  /// Takes what may be sent; waits for the next acknowledgement where nothing may.
  std::size_t takeReady();
  void append(std::size_t batches);
  void sent(const Waiting& one);
  void awaitAll();
  void commitUntil(const std::stop_token& stop);
  void checkpointUntil(const std::stop_token& stop);

  TempDir dir_;
  const Traffic traffic_;
  const Bytes batch_;
  IdleProbe idle_probe_;
  log::Journal journal_;
  std::vector<std::unique_ptr<log::PartitionLog>> logs_;
  std::size_t next_ = 0;

  std::mutex mutex_;
  std::condition_variable acknowledged_;
  std::condition_variable_any gathered_;
  std::condition_variable_any checkpoint_due_;
  /// Requests that may be sent.
  std::size_t ready_ = 0;
  std::size_t done_ = 0;
  bool due_ = false;
  std::vector<Waiting> waiting_;
  std::jthread committer_;
  std::jthread checkpointer_;
};

}  // namespace millrace::bench
