// Typed keys over the bytes stores: the same table store works for keys and for windowed keys.
#pragma once

#include <memory>

#include "dsl/key_hash.h"
#include "dsl/serde.h"
#include "streams/context.h"
#include "streams/store.h"

namespace millrace::dsl {

/// Key-value stores: the key's own bytes.
template <class Key>
class StoreAccess {
 public:
  explicit StoreAccess(SerdeOf<Key> serde) : serde_(std::move(serde)) {}
  [[nodiscard]] Status open(streams::StoreProvider& provider, const streams::StoreSpec& spec) {
    MILLRACE_TRY(store_, provider.keyValue(spec));
    return {};
  }
  [[nodiscard]] Result<bool> get(const Key& key, Bytes& out) {
    serialize(key);
    return store_->get(bytes_, out);
  }
  [[nodiscard]] Result<streams::WindowPut> put(const Key& key, std::optional<BytesView> value, Millis timestamp) {
    serialize(key);
    auto status = store_->put(bytes_, value, timestamp);
    if (!status) return std::unexpected(std::move(status).error());
    return streams::WindowPut::kStored;
  }
  [[nodiscard]] static std::uint64_t hash(const Key& key) { return hashKey(key); }
  [[nodiscard]] static bool same(const Key& a, const Key& b) { return sameKey(a, b); }
  /// Calls `each(key, value bytes)` for every row, in key order.
  template <class Each>
  [[nodiscard]] Status forEach(Each each) {
    auto rows = store_->range(std::nullopt, std::nullopt);
    for (; rows->valid(); rows->next()) {
      Key key{};
      MILLRACE_CHECK_OK(serde_.deserialize(rows->key(), key));
      each(std::move(key), rows->value());
    }
    return rows->status();
  }
  /// Reads that miss put the row into the cache, as Kafka's CachingKeyValueStore does.
  static constexpr bool kCachesReads = true;

 private:
  void serialize(const Key& key) {
    bytes_.clear();
    serde_.serialize(key, bytes_);
  }
  SerdeOf<Key> serde_;
  streams::KeyValueStore* store_ = nullptr;
  Bytes bytes_;
};

/// Window stores: key and window start.
template <class K>
class StoreAccess<Windowed<K>> {
 public:
  explicit StoreAccess(SerdeOf<K> serde) : serde_(std::move(serde)) {}
  [[nodiscard]] Status open(streams::StoreProvider& provider, const streams::StoreSpec& spec) {
    size_ms_ = spec.window_size_ms;
    MILLRACE_TRY(store_, provider.window(spec));
    return {};
  }
  [[nodiscard]] Result<bool> get(const Windowed<K>& key, Bytes& out) {
    serialize(key.key);
    return store_->fetch(bytes_, key.window.start, out);
  }
  [[nodiscard]] Result<streams::WindowPut> put(const Windowed<K>& key, std::optional<BytesView> value,
                                               Millis timestamp) {
    serialize(key.key);
    return store_->put(bytes_, key.window.start, value, timestamp);
  }
  [[nodiscard]] static std::uint64_t hash(const Windowed<K>& key) {
    return mixHash(hashKey(key.key) + static_cast<std::uint64_t>(key.window.start));
  }
  [[nodiscard]] static bool same(const Windowed<K>& a, const Windowed<K>& b) {
    return a.window.start == b.window.start && sameKey(a.key, b.key);
  }
  template <class Each>
  [[nodiscard]] Status forEach(Each each) {
    auto rows = store_->fetchAll(0, std::numeric_limits<Millis>::max());
    for (; rows->valid(); rows->next()) {
      Windowed<K> key{};
      MILLRACE_CHECK_OK(serde_.deserialize(rows->key(), key.key));
      key.window = {rows->start(), endOf(rows->start())};
      each(std::move(key), rows->value());
    }
    return rows->status();
  }
  [[nodiscard]] Millis endOf(Millis start) const {
    constexpr Millis kMax = std::numeric_limits<Millis>::max();
    return start > kMax - size_ms_ ? kMax : start + size_ms_;
  }
  [[nodiscard]] streams::WindowStore& store() { return *store_; }
  static constexpr bool kCachesReads = false;

 private:
  void serialize(const K& key) {
    bytes_.clear();
    serde_.serialize(key, bytes_);
  }
  SerdeOf<K> serde_;
  streams::WindowStore* store_ = nullptr;
  Millis size_ms_ = 0;
  Bytes bytes_;
};

/// The serde that a store's key needs: a windowed key's inner one.
template <class Key>
struct KeySerdeOf {
  using Type = SerdeOf<Key>;
};
template <class K>
struct KeySerdeOf<Windowed<K>> {
  using Type = SerdeOf<K>;
};

}  // namespace millrace::dsl
