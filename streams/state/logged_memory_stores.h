// Stores in memory that log what they change: `.memory = true` with a changelog.
#pragma once

#include "streams/memory_stores.h"
#include "streams/state/managed_store.h"

#include <memory>

namespace millrace::streams {

class LoggedKeyValueStore final : public ManagedStore, public KeyValueStore {
 public:
  using ManagedStore::ManagedStore;
  void setChangelog(ChangelogWriter* changelog) override { changelog_ = changelog; }
  void restore(BytesView key, std::optional<BytesView> value, Millis timestamp) override;
  Result<bool> logged(BytesView key, Bytes& value, Millis& timestamp) override;

  Result<bool> get(BytesView key, Bytes& out) override { return store_.get(key, out); }
  Status put(BytesView key, std::optional<BytesView> value, Millis timestamp) override;
  std::unique_ptr<KeyValueIterator> range(std::optional<BytesView> from,
                                          std::optional<BytesView> to) override {
    return store_.range(from, to);
  }
  std::unique_ptr<KeyValueIterator> prefixScan(BytesView prefix) override {
    return store_.prefixScan(prefix);
  }
  std::int64_t approximateEntries() override { return store_.approximateEntries(); }

 private:
  MemoryKeyValueStore store_;
  ChangelogWriter* changelog_ = nullptr;
};

class LoggedWindowStore final : public ManagedStore, public WindowStore {
 public:
  explicit LoggedWindowStore(const StoreSpec& spec)
      : ManagedStore(spec),
        store_(spec.retention_ms, spec.segment_interval_ms, spec.retain_duplicates) {}
  void setChangelog(ChangelogWriter* changelog) override { changelog_ = changelog; }
  void restore(BytesView key, std::optional<BytesView> value, Millis timestamp) override;
  Result<bool> logged(BytesView key, Bytes& value, Millis& timestamp) override;

  Result<bool> fetch(BytesView key, Millis start, Bytes& out) override {
    return store_.fetch(key, start, out);
  }
  Result<WindowPut> put(BytesView key, Millis start, std::optional<BytesView> value,
                        Millis timestamp) override;
  std::unique_ptr<WindowIterator> fetch(BytesView key, Millis from, Millis to,
                                        bool backward) override {
    return store_.fetch(key, from, to, backward);
  }
  std::unique_ptr<WindowIterator> fetchAll(Millis from, Millis to) override {
    return store_.fetchAll(from, to);
  }
  Millis observedStreamTime() const override { return store_.observedStreamTime(); }

 private:
  MemoryWindowStore store_;
  ChangelogWriter* changelog_ = nullptr;
  std::int32_t sequence_ = 0;
  Bytes scratch_;
};

}  // namespace millrace::streams
