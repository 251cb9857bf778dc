// The store interfaces over rows in RocksDB, with Kafka's key layouts.
#pragma once

#include "streams/state/managed_store.h"
#include "streams/state/rows.h"
#include "streams/store.h"

#include <memory>
#include <string>

namespace millrace::streams {

class PersistentStore : public ManagedStore {
 public:
  PersistentStore(StoreSpec spec, TaskDatabase& database, std::size_t family)
      : ManagedStore(std::move(spec)), rows_(database, family) {}

  [[nodiscard]] Rows& rows() { return rows_; }
  void setChangelog(ChangelogWriter* changelog) override { rows_.setChangelog(changelog); }
  void restore(BytesView key, std::optional<BytesView> value, Millis timestamp) override;
  Result<bool> logged(BytesView key, Bytes& value, Millis& timestamp) override;
  /// The largest time that was put, which decides what has expired; -1 before the first.
  [[nodiscard]] Millis observedTime() const { return observed_time_; }
  void setObservedTime(Millis time);

 protected:
  /// Bytes of the timestamp in front of a value, which the changelog does not hold.
  [[nodiscard]] std::size_t valuePrefix() const { return spec_.timestamped() ? sizeof(Millis) : 0; }
  /// Kafka keeps rows by segment: a row is too old once its whole segment is.
  [[nodiscard]] bool isExpired(Millis time) const;
  /// Reads show nothing older.
  [[nodiscard]] Millis oldestVisible() const { return observed_time_ - spec_.retention_ms + 1; }
  void observe(Millis time);

  Rows rows_;
  Millis observed_time_ = -1;
  Bytes scratch_;
};

class PersistentKeyValueStore final : public PersistentStore, public KeyValueStore {
 public:
  using PersistentStore::PersistentStore;
  Result<bool> get(BytesView key, Bytes& out) override { return rows_.get(key, out); }
  Status put(BytesView key, std::optional<BytesView> value, Millis timestamp) override;
  std::unique_ptr<KeyValueIterator> range(std::optional<BytesView> from,
                                          std::optional<BytesView> to) override;
  std::unique_ptr<KeyValueIterator> prefixScan(BytesView prefix) override;
  std::int64_t approximateEntries() override { return rows_.approximateRows(); }
};

/// Rows: key || start8 || seq4. The sequence is 0 unless the store retains duplicates.
class PersistentWindowStore final : public PersistentStore, public WindowStore {
 public:
  using PersistentStore::PersistentStore;
  static constexpr std::size_t kSuffix = sizeof(Millis) + sizeof(std::int32_t);

  Result<bool> fetch(BytesView key, Millis start, Bytes& out) override;
  Result<WindowPut> put(BytesView key, Millis start, std::optional<BytesView> value,
                        Millis timestamp) override;
  std::unique_ptr<WindowIterator> fetch(BytesView key, Millis from, Millis to,
                                        bool backward) override;
  std::unique_ptr<WindowIterator> fetchAll(Millis from, Millis to) override;
  Millis observedStreamTime() const override { return observed_time_; }
  void restore(BytesView key, std::optional<BytesView> value, Millis timestamp) override;

 private:
  std::int32_t sequence_ = 0;
};

/// Rows: key || end8 || start8.
class PersistentSessionStore final : public PersistentStore, public SessionStore {
 public:
  using PersistentStore::PersistentStore;
  static constexpr std::size_t kSuffix = 2 * sizeof(Millis);

  Result<WindowPut> put(BytesView key, Millis start, Millis end, std::optional<BytesView> value,
                        Millis timestamp) override;
  std::unique_ptr<SessionIterator> find(BytesView key, Millis earliest_end,
                                        Millis latest_start) override;
  std::unique_ptr<SessionIterator> all() override;
  void restore(BytesView key, std::optional<BytesView> value, Millis timestamp) override;
};

/// The family that a store of this kind needs.
[[nodiscard]] TaskDatabase::Family familyOf(const StoreSpec& spec);
[[nodiscard]] std::unique_ptr<PersistentStore> makePersistentStore(const StoreSpec& spec,
                                                                   TaskDatabase& database,
                                                                   std::size_t family);

}  // namespace millrace::streams
