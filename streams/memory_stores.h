// Stores in memory: for `.memory = true`, for tests, and for the driver.
#pragma once

#include "streams/store.h"

#include <map>
#include <string>
#include <utility>

namespace millrace::streams {

class MemoryKeyValueStore final : public KeyValueStore {
 public:
  [[nodiscard]] Result<bool> get(BytesView key, Bytes& out) override;
  [[nodiscard]] Status put(BytesView key, std::optional<BytesView> value,
                           Millis timestamp) override;
  [[nodiscard]] std::unique_ptr<KeyValueIterator> range(std::optional<BytesView> from,
                                                        std::optional<BytesView> to) override;
  [[nodiscard]] std::unique_ptr<KeyValueIterator> prefixScan(BytesView prefix) override;
  [[nodiscard]] std::int64_t approximateEntries() override;

 private:
  std::map<Bytes, Bytes, std::less<>> entries_;
};

/// With a segment interval it drops and keeps old windows as a persistent store does, by whole
/// segments; without one as Kafka's in-memory store does, exactly at the retention.
class MemoryWindowStore final : public WindowStore {
 public:
  MemoryWindowStore(Millis retention_ms, Millis segment_interval_ms, bool retain_duplicates);
  [[nodiscard]] Result<bool> fetch(BytesView key, Millis start, Bytes& out) override;
  [[nodiscard]] Result<WindowPut> put(BytesView key, Millis start, std::optional<BytesView> value,
                                      Millis timestamp) override;
  [[nodiscard]] std::unique_ptr<WindowIterator> fetch(BytesView key, Millis from, Millis to,
                                                      bool backward) override;
  [[nodiscard]] std::unique_ptr<WindowIterator> fetchAll(Millis from, Millis to) override;
  [[nodiscard]] Millis observedStreamTime() const override { return stream_time_; }

 private:
  using Row = std::pair<Bytes, std::uint32_t>;  // key, and a number that keeps duplicates apart
  [[nodiscard]] Millis oldestVisible() const { return stream_time_ - retention_ms_ + 1; }
  [[nodiscard]] bool expired(Millis start) const;
  void dropExpired();

  Millis retention_ms_;
  Millis segment_interval_ms_;
  bool retain_duplicates_;
  Millis stream_time_ = -1;
  std::uint32_t sequence_ = 0;
  std::map<Millis, std::map<Row, Bytes>> windows_;
};

/// Owns memory stores by name, persistent ones included: what the test driver uses.
class MemoryStoreProvider final : public StoreProvider {
 public:
  [[nodiscard]] Result<KeyValueStore*> keyValue(const StoreSpec& spec) override;
  [[nodiscard]] Result<WindowStore*> window(const StoreSpec& spec) override;
  [[nodiscard]] Result<SessionStore*> session(const StoreSpec& spec) override;

 private:
  std::map<std::string, std::unique_ptr<KeyValueStore>> key_value_;
  std::map<std::string, std::unique_ptr<WindowStore>> window_;
};

}  // namespace millrace::streams
