// State stores as bytes: what typed stores above and RocksDB, memory and changelogs below agree on.
#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace millrace::streams {

enum class StoreKind : std::uint8_t {
  kKeyValue,             ///< value as it is
  kTimestampedKeyValue,  ///< ts8 || value; the changelog holds the value, its record the timestamp
  kWindow,               ///< key, window start -> value
  kTimestampedWindow,    ///< key, window start -> ts8 || value
  kSession,              ///< key, session end, session start -> value
};

/// Everything about a store that is not its types. What Kafka calls StoreBuilder and its supplier.
struct StoreSpec {
  std::string name;
  StoreKind kind = StoreKind::kTimestampedKeyValue;
  bool persistent = true;  ///< RocksDB; else memory
  bool caching = true;     ///< a typed write-back cache in front, where the cache size is not 0
  bool logging = true;     ///< a changelog topic
  std::map<std::string, std::string> log_config =
      {};                     ///< overrides of the changelog topic's configs
  Millis retention_ms = 0;    ///< window and session stores
  Millis window_size_ms = 0;  ///< window stores
  /// Distance of two segments of a persistent window store: max(retention / 2, 60 000). A put older
  /// than the oldest live segment is dropped.
  Millis segment_interval_ms = 0;
  bool retain_duplicates = false;

  [[nodiscard]] bool timestamped() const {
    return kind == StoreKind::kTimestampedKeyValue || kind == StoreKind::kTimestampedWindow;
  }
  [[nodiscard]] bool windowed() const {
    return kind == StoreKind::kWindow || kind == StoreKind::kTimestampedWindow;
  }
};

/// Walks entries in key order. Views live until the next call of next().
class KeyValueIterator {
 public:
  virtual ~KeyValueIterator() = default;
  [[nodiscard]] virtual bool valid() const = 0;
  virtual void next() = 0;
  [[nodiscard]] virtual BytesView key() const = 0;
  [[nodiscard]] virtual BytesView value() const = 0;
  /// Why the walk ended early; ok where it did not.
  [[nodiscard]] virtual Status status() const { return {}; }
};

/// Walks (key, window start, value), by key then start, or by start for one key.
class WindowIterator {
 public:
  virtual ~WindowIterator() = default;
  [[nodiscard]] virtual bool valid() const = 0;
  virtual void next() = 0;
  [[nodiscard]] virtual BytesView key() const = 0;
  [[nodiscard]] virtual Millis start() const = 0;
  [[nodiscard]] virtual BytesView value() const = 0;
  [[nodiscard]] virtual Status status() const { return {}; }
};

/// Bytes to bytes, ordered by unsigned bytes of the key. One thread writes (the task's).
class KeyValueStore {
 public:
  virtual ~KeyValueStore() = default;
  /// True and the value in `out` (its capacity is reused) where the key exists.
  [[nodiscard]] virtual Result<bool> get(BytesView key, Bytes& out) = 0;
  /// nullopt deletes. `timestamp` is that of the changelog record; for timestamped stores `value`
  /// starts with the same eight bytes.
  [[nodiscard]] virtual Status put(BytesView key, std::optional<BytesView> value,
                                   Millis timestamp) = 0;
  /// [from, to], both inclusive, nullopt = open.
  [[nodiscard]] virtual std::unique_ptr<KeyValueIterator> range(std::optional<BytesView> from,
                                                                std::optional<BytesView> to) = 0;
  /// Keys that begin with `prefix`.
  [[nodiscard]] virtual std::unique_ptr<KeyValueIterator> prefixScan(BytesView prefix) = 0;
  [[nodiscard]] virtual std::int64_t approximateEntries() = 0;
};

/// What a put into a window store did.
enum class WindowPut : std::uint8_t { kStored, kExpired };

/// (key, window start) to bytes, with a retention measured by the store's own stream time: the
/// largest start put so far. Reads never show a window whose start is older than that time -
/// retention + 1.
class WindowStore {
 public:
  virtual ~WindowStore() = default;
  [[nodiscard]] virtual Result<bool> fetch(BytesView key, Millis start, Bytes& out) = 0;
  /// kExpired: the window was too old and nothing was written; the caller counts a dropped record.
  [[nodiscard]] virtual Result<WindowPut> put(BytesView key, Millis start,
                                              std::optional<BytesView> value, Millis timestamp) = 0;
  /// Windows of one key with start in [from, to], by start (backward: descending).
  [[nodiscard]] virtual std::unique_ptr<WindowIterator> fetch(BytesView key, Millis from, Millis to,
                                                              bool backward = false) = 0;
  /// Windows of all keys with start in [from, to], by key then start.
  [[nodiscard]] virtual std::unique_ptr<WindowIterator> fetchAll(Millis from, Millis to) = 0;
  /// The store's stream time; -1 before the first put.
  [[nodiscard]] virtual Millis observedStreamTime() const = 0;
};

/// Walks sessions of one key or all.
class SessionIterator {
 public:
  virtual ~SessionIterator() = default;
  [[nodiscard]] virtual bool valid() const = 0;
  virtual void next() = 0;
  [[nodiscard]] virtual BytesView key() const = 0;
  [[nodiscard]] virtual Millis start() const = 0;
  [[nodiscard]] virtual Millis end() const = 0;
  [[nodiscard]] virtual BytesView value() const = 0;
  [[nodiscard]] virtual Status status() const { return {}; }
};

/// (key, session end, session start) to bytes; retention by session end.
class SessionStore {
 public:
  virtual ~SessionStore() = default;
  /// nullopt removes the session.
  [[nodiscard]] virtual Result<WindowPut> put(BytesView key, Millis start, Millis end,
                                              std::optional<BytesView> value, Millis timestamp) = 0;
  /// Sessions of `key` with end >= earliest_end and start <= latest_start, by end then start.
  [[nodiscard]] virtual std::unique_ptr<SessionIterator> find(BytesView key, Millis earliest_end,
                                                              Millis latest_start) = 0;
  [[nodiscard]] virtual std::unique_ptr<SessionIterator> all() = 0;
};

/// Hands a task its bytes stores: already opened, restored, and logging to their changelogs. Owns
/// them, and outlives the task. Each is asked for once, in the order of the topology.
class StoreProvider {
 public:
  virtual ~StoreProvider() = default;
  [[nodiscard]] virtual Result<KeyValueStore*> keyValue(const StoreSpec& spec) = 0;
  [[nodiscard]] virtual Result<WindowStore*> window(const StoreSpec& spec) = 0;
  [[nodiscard]] virtual Result<SessionStore*> session(const StoreSpec& spec) = 0;
};

}  // namespace millrace::streams
