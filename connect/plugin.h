// What a connector plugin includes: two base classes, and a macro that makes the shared object's
// one entry point. Header-only: a plugin links nothing of Millrace.
//
//   class RowsSource : public SourceTask { ... Result<std::vector<SourceRecord>> poll() override;
//   }; MILLRACE_CONNECTOR(RowsSource, {.name = "rows", .version = "1.0", .config = rowsConfig()})
#pragma once

#include "base/config.h"
#include "connect/record.h"

#include <concepts>
#include <type_traits>

namespace millrace::connect {

/// The checked configuration of a connector or task: the connector's own keys with their types.
class Settings {
 public:
  virtual ~Settings() = default;
  /// The value of a key that the connector declared; null for others.
  [[nodiscard]] virtual const ConfigValue& get(std::string_view key) const = 0;
  /// Everything that was given, as text, undeclared keys included.
  [[nodiscard]] virtual const Properties& all() const = 0;

  [[nodiscard]] std::string text(std::string_view key) const { return as<std::string>(key); }
  [[nodiscard]] std::int64_t number(std::string_view key) const { return as<std::int64_t>(key); }
  [[nodiscard]] bool flag(std::string_view key) const { return as<bool>(key); }
  [[nodiscard]] double real(std::string_view key) const { return as<double>(key); }
  [[nodiscard]] std::vector<std::string> list(std::string_view key) const {
    return as<std::vector<std::string>>(key);
  }
  [[nodiscard]] bool isNull(std::string_view key) const {
    return std::holds_alternative<std::monostate>(get(key));
  }

 private:
  template <class T>
  [[nodiscard]] T as(std::string_view key) const {
    const T* const value = std::get_if<T>(&get(key));
    return value != nullptr ? *value : T();
  }
};

/// What the worker offers a source task. Valid from start() until the task is destroyed.
class SourceContext {
 public:
  virtual ~SourceContext() = default;
  /// The offset that was stored last for a source partition; nullopt where none was.
  [[nodiscard]] virtual std::optional<SourceMap> storedOffset(const SourceMap& partition) = 0;
  /// A line in the worker's log.
  virtual void log(std::string_view message) = 0;
};

/// Reads from somewhere. Calls come from the task's own thread, but for stop(). Errors fail the
/// task; a retriable code (isRetriable) from poll is tried again within errors.retry.timeout.
class SourceTask {
 public:
  virtual ~SourceTask() = default;
  virtual Status start(const Settings& settings, SourceContext& context) = 0;
  /// Some records, or none after waiting about a second at most.
  virtual Result<std::vector<SourceRecord>> poll() = 0;
  /// True once there will never be more records: a worker that runs once ends then.
  [[nodiscard]] virtual bool finished() const { return false; }
  /// The records delivered so far are acknowledged and their offsets stored.
  virtual Status commit() { return {}; }
  /// Makes a waiting poll return soon. From another thread; poll is not called again.
  virtual void stop() {}
};

/// What the worker offers a sink task.
class SinkContext {
 public:
  virtual ~SinkContext() = default;
  /// Goes on reading a partition from this offset instead of the committed one.
  virtual void seek(const TopicPartitionKey& partition, std::int64_t offset) = 0;
  virtual void pause(const std::vector<TopicPartitionKey>& partitions) = 0;
  virtual void resume(const std::vector<TopicPartitionKey>& partitions) = 0;
  /// Asks for a commit after this put.
  virtual void requestCommit() = 0;
  /// Hands a bad record to the error handling (log, dead-letter topic). False where the connector
  /// tolerates no errors: the task must fail instead.
  virtual bool report(const SinkRecord& record, const Error& error) = 0;
  virtual void log(std::string_view message) = 0;
};

/// Writes to somewhere. Calls come from the task's own thread, but for stop().
class SinkTask {
 public:
  virtual ~SinkTask() = default;
  virtual Status start(const Settings& settings, SinkContext& context) = 0;
  /// A retriable error: the same records are given again after a pause.
  virtual Status put(const std::vector<SinkRecord>& records) = 0;
  /// Everything put so far must be safe when this returns.
  virtual Status flush(const SinkOffsets& offsets) {
    (void)offsets;
    return {};
  }
  /// The offsets that may be committed; default: flush, then all of them.
  virtual Result<SinkOffsets> preCommit(const SinkOffsets& offsets) {
    Status flushed = flush(offsets);
    if (!flushed) return std::unexpected(std::move(flushed).error());
    return offsets;
  }
  virtual Status open(const std::vector<TopicPartitionKey>& partitions) {
    (void)partitions;
    return {};
  }
  virtual void close(const std::vector<TopicPartitionKey>& partitions) { (void)partitions; }
  virtual void stop() {}
};

enum class ConnectorKind : std::uint32_t { kSource = 1, kSink = 2 };

/// What a connector says of itself.
struct ConnectorInfo {
  std::string_view name;     ///< as connector.class names it
  std::string_view version;  ///< shown in status
  std::vector<ConfigKey> config = {};
};

/// One connector of a plugin. Task classes may have
///   static Result<std::vector<Properties>> taskConfigs(const Properties&, int max_tasks)
/// to split their work; without it there is one task.
struct ConnectorFactory {
  ConnectorKind kind = ConnectorKind::kSource;
  ConnectorInfo info;
  std::unique_ptr<SourceTask> (*make_source)() = nullptr;
  std::unique_ptr<SinkTask> (*make_sink)() = nullptr;
  Result<std::vector<Properties>> (*task_configs)(const Properties&, int) = nullptr;
};

template <class Task>
concept SplitsWork = requires(const Properties& config) {
  { Task::taskConfigs(config, 1) } -> std::same_as<Result<std::vector<Properties>>>;
};

/// `connectorOf<RowsSource>({.name = "rows", ...})`
template <class Task>
[[nodiscard]] ConnectorFactory connectorOf(ConnectorInfo info) {
  static_assert(std::derived_from<Task, SourceTask> || std::derived_from<Task, SinkTask>,
                "a connector's task derives from SourceTask or SinkTask");
  ConnectorFactory factory;
  factory.info = std::move(info);
  if constexpr (std::derived_from<Task, SourceTask>) {
    factory.make_source = [] { return std::unique_ptr<SourceTask>(std::make_unique<Task>()); };
  } else {
    factory.kind = ConnectorKind::kSink;
    factory.make_sink = [] { return std::unique_ptr<SinkTask>(std::make_unique<Task>()); };
  }
  if constexpr (SplitsWork<Task>) factory.task_configs = &Task::taskConfigs;
  return factory;
}

/// Raised with every change of the classes above.
inline constexpr std::uint32_t kPluginVersion = 1;
/// Plugins of another C++ library cannot share objects with us.
#if defined(_GLIBCXX_RELEASE)
inline constexpr const char* kPluginRuntime = "libstdc++ cxx11 abi";
#else
inline constexpr const char* kPluginRuntime = "other C++ library";
#endif

/// What the entry point returns: plain C data up to `factories`, so that any version can be told.
struct PluginTable {
  std::uint32_t version = kPluginVersion;
  std::uint32_t factory_size = sizeof(ConnectorFactory);
  const char* runtime = kPluginRuntime;
  std::size_t count = 0;
  const ConnectorFactory* factories = nullptr;
};

/// Name and type of the entry point.
inline constexpr const char* kPluginEntry = "millrace_connect_plugin";
using PluginEntry = const PluginTable* (*)();

}  // namespace millrace::connect

/// Several connectors in one shared object:
/// `MILLRACE_CONNECTORS(connectorOf<A>({...}), connectorOf<B>({...}))`
#define MILLRACE_CONNECTORS(...)                                                               \
  extern "C" __attribute__((visibility("default"))) const ::millrace::connect::PluginTable*    \
  millrace_connect_plugin() {                                                                  \
    static const ::std::vector<::millrace::connect::ConnectorFactory> kFactories{__VA_ARGS__}; \
    static const ::millrace::connect::PluginTable kTable{.count = kFactories.size(),           \
                                                         .factories = kFactories.data()};      \
    return &kTable;                                                                            \
  }

/// The shared object's one entry point, for one connector.
#define MILLRACE_CONNECTOR(Task, ...) \
  MILLRACE_CONNECTORS(::millrace::connect::connectorOf<Task>(__VA_ARGS__))
