// The application: a topology that runs on threads against a cluster.
#pragma once

#include "client/transport.h"
#include "streams/task.h"
#include "streams/topology.h"

#include <chrono>
#include <concepts>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

enum class ProcessingGuarantee : std::uint8_t { kAtLeastOnce, kExactlyOnceV2 };
inline constexpr auto atLeastOnce = ProcessingGuarantee::kAtLeastOnce;
inline constexpr auto exactlyOnce = ProcessingGuarantee::kExactlyOnceV2;

/// Kafka Streams' client states.
enum class StreamsState : std::uint8_t {
  kCreated,
  kRebalancing,  ///< joining the group, or restoring
  kRunning,
  kPendingShutdown,
  kNotRunning,
  kPendingError,
  kError
};
/// "RUNNING".
[[nodiscard]] std::string_view toString(StreamsState state);

/// What a handler wants after a thread has died of an error (KIP-671).
enum class UncaughtResponse : std::uint8_t {
  kReplaceThread,
  kShutdownClient,
  kShutdownApplication
};

/// A broker in this process: anything with a transport(), that is millrace::Broker. It must outlive
/// the Streams.
class BrokerHandle {
 public:
  BrokerHandle() = default;
  template <class B>
    requires requires(B& b) { std::shared_ptr<client::Transport>(b.transport()); }
  BrokerHandle(B& broker)
      : transport_(broker.transport()) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] const std::shared_ptr<client::Transport>& transport() const { return transport_; }

 private:
  std::shared_ptr<client::Transport> transport_;
};

/// The common options; every other key of Kafka Streams goes into `properties` (text), which wins
/// over the fields. Keys for the clients may be prefixed: "consumer.", "producer.",
/// "main.consumer.", "restore.consumer.", "admin.". Unknown keys are warned about.
struct StreamsOptions {
  std::string applicationId = {};     ///< required; group id and prefix of internal topics
  BrokerHandle broker = {};           ///< either a broker in this process ...
  std::string bootstrapServers = {};  ///< ... or "host:port,host:port"
  ProcessingGuarantee guarantee = atLeastOnce;         ///< exactlyOnce is refused: not there yet
  std::string stateDir = {};                           ///< default /tmp/kafka-streams, as Kafka's
  std::optional<std::int32_t> threads = std::nullopt;  ///< num.stream.threads, default 1
  std::map<std::string, std::string> properties = {};
};

/// Told about restores, on the thread that restores (Kafka's StateRestoreListener). Offsets are the
/// changelog's.
struct RestoreListener {
  std::function<void(const TopicPartition&, const std::string& store, std::int64_t from,
                     std::int64_t to)>
      onRestoreStart = {};
  std::function<void(const TopicPartition&, const std::string& store, std::int64_t next,
                     std::int64_t records)>
      onBatchRestored = {};
  std::function<void(const TopicPartition&, const std::string& store, std::int64_t records)>
      onRestoreEnd = {};
};

/// What one thread does now.
struct ThreadMetadata {
  std::string name;
  std::vector<streams::TaskId> active_tasks;
  std::vector<streams::TaskId> restoring_tasks;
};

/// Totals since start(). Cheap to ask, from any thread.
struct StreamsMetrics {
  std::uint64_t processed = 0;  ///< records that tasks took
  std::uint64_t dropped = 0;    ///< of these, skipped by operators (dropped-records)
  std::uint64_t restored = 0;   ///< changelog records read back
  std::uint64_t commits = 0;
  std::uint32_t running_tasks = 0;
  std::uint32_t restoring_tasks = 0;
  std::uint32_t alive_threads = 0;
};

/// A store that is asked from outside; dsl/query.h.
template <class K, class V>
class QueryableStore;

/// Runs a topology at least once. Thread-safe. Listeners and handlers are set before start().
class Streams {
 public:
  /// Throws std::invalid_argument where an option is wrong. Does nothing until start().
  Streams(streams::Topology topology, StreamsOptions options);
  /// The same without exceptions: kConfig names the key.
  [[nodiscard]] static Result<Streams> create(streams::Topology topology, StreamsOptions options);
  Streams(Streams&&) noexcept;
  Streams& operator=(Streams&&) noexcept;
  /// Closes and waits.
  ~Streams();

  /// Starts the threads and returns. Errors: kState when called twice; kIo, kState where the state
  /// directory cannot be used.
  Status start();
  /// Commits, closes tasks and leaves. Waits at most `timeout`; false where it ran out. Idempotent.
  bool close(std::chrono::milliseconds timeout = std::chrono::milliseconds::max());
  [[nodiscard]] StreamsState state() const;
  /// Waits until `reached(state)`; false after the timeout.
  bool waitFor(const std::function<bool(StreamsState)>& reached,
               std::chrono::milliseconds timeout) const;
  /// True once RUNNING; false after the timeout or where it stopped before.
  bool waitUntilRunning(std::chrono::milliseconds timeout = std::chrono::seconds(60)) const;
  /// Why the state is ERROR.
  [[nodiscard]] std::optional<Error> error() const;

  void setStateListener(std::function<void(StreamsState now, StreamsState before)> listener);
  /// Without one the client shuts down.
  void setUncaughtHandler(std::function<UncaughtResponse(const Error&)> handler);
  void setRestoreListener(RestoreListener listener);

  /// Deletes this application's local state. Errors: kState while it runs.
  Status cleanUp();
  [[nodiscard]] StreamsMetrics metrics() const;
  [[nodiscard]] std::vector<ThreadMetadata> threads() const;
  [[nodiscard]] const streams::Topology& topology() const;

  /// Interactive queries by type: see QueryableStore.
  template <class K, class V>
  [[nodiscard]] QueryableStore<K, V> store(std::string name) const;
  /// Runs `query` for every running local task that has the store, on the task's own
  /// thread between two records, and waits. Errors: kNotFound where no local
  /// task has such a store, kState while not running.
  Status query(const std::string& store,
               const std::function<void(streams::TaskId, streams::TaskStore&)>& query) const;

 private:
  class Impl;
  explicit Streams(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Runs a topology until Ctrl-C or SIGTERM, then closes cleanly. Arguments: --bootstrap
/// HOST:PORT[,...] (default localhost:9092), --application-id ID, --name=value for any Kafka
/// Streams key, --help. Returns the exit code: 0, 1 where the application failed, 2 where an
/// argument is wrong.
int run(const streams::Topology& topology, int argc, const char* const* argv);
/// `return run(builder, argc, argv);`
template <class Builder>
  requires requires(Builder& b) {
    { b.build() } -> std::convertible_to<streams::Topology>;
  }
int run(Builder& builder, int argc, const char* const* argv) {
  return run(builder.build(), argc, argv);
}

}  // namespace millrace
