// Typed keys over the bytes stores: the same table store works for keys and for windowed keys.
#pragma once

#include "dsl/key_hash.h"
#include "dsl/serde.h"
#include "streams/context.h"
#include "streams/store.h"

#include <limits>
#include <memory>

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
  [[nodiscard]] Result<streams::WindowPut> put(const Key& key, std::optional<BytesView> value,
                                               Millis timestamp) {
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
  [[nodiscard]] static constexpr bool cachesReads() { return true; }

 private:
  void serialize(const Key& key) {
    bytes_.clear();
    serde_.serialize(key, bytes_);
  }
  SerdeOf<Key> serde_;
  streams::KeyValueStore* store_ = nullptr;
  Bytes bytes_;
};

/// The serdes of a windowed key: of the inner key for window stores, of the whole one for key-value
/// stores.
template <class K>
struct WindowedKeySerde {
  WindowedKeySerde(SerdePtr<K> given)
      : inner(std::move(given)) {}  // NOLINT(google-explicit-constructor)
  WindowedKeySerde(SerdePtr<Windowed<K>> given)
      : whole(std::move(given)) {}  // NOLINT(google-explicit-constructor)
  SerdeOf<K> inner;
  SerdeOf<Windowed<K>> whole;
};

/// Windowed keys: in a window store by key and start, or in a key-value store (a derived table) by
/// their own bytes.
template <class K>
class StoreAccess<Windowed<K>> {
 public:
  explicit StoreAccess(WindowedKeySerde<K> serde) : serde_(std::move(serde)) {}
  [[nodiscard]] Status open(streams::StoreProvider& provider, const streams::StoreSpec& spec) {
    size_ms_ = spec.window_size_ms;
    if (spec.windowed()) {
      MILLRACE_TRY(windows_, provider.window(spec));
    } else {
      MILLRACE_TRY(rows_, provider.keyValue(spec));
    }
    return {};
  }
  [[nodiscard]] Result<bool> get(const Windowed<K>& key, Bytes& out) {
    serialize(key);
    return windows_ != nullptr ? windows_->fetch(bytes_, key.window.start, out)
                               : rows_->get(bytes_, out);
  }
  [[nodiscard]] Result<streams::WindowPut> put(const Windowed<K>& key,
                                               std::optional<BytesView> value, Millis timestamp) {
    serialize(key);
    if (windows_ != nullptr) return windows_->put(bytes_, key.window.start, value, timestamp);
    auto status = rows_->put(bytes_, value, timestamp);
    if (!status) return std::unexpected(std::move(status).error());
    return streams::WindowPut::kStored;
  }
  [[nodiscard]] static std::uint64_t hash(const Windowed<K>& key) {
    return mixHash(hashKey(key.key) + static_cast<std::uint64_t>(key.window.start));
  }
  [[nodiscard]] static bool same(const Windowed<K>& a, const Windowed<K>& b) {
    return a.window.start == b.window.start && sameKey(a.key, b.key);
  }
  template <class Each>
  [[nodiscard]] Status forEach(Each each) {
    return windows_ != nullptr ? forEachWindow(std::move(each)) : forEachRow(std::move(each));
  }
  /// Null for a key-value store.
  [[nodiscard]] streams::WindowStore* windowStore() { return windows_; }
  [[nodiscard]] bool cachesReads() const { return windows_ == nullptr; }

 private:
  template <class Each>
  [[nodiscard]] Status forEachWindow(Each each) {
    auto rows = windows_->fetchAll(0, std::numeric_limits<Millis>::max());
    for (; rows->valid(); rows->next()) {
      Windowed<K> key{};
      MILLRACE_CHECK_OK(serde_.inner.deserialize(rows->key(), key.key));
      key.window = {rows->start(), endOf(rows->start())};
      each(std::move(key), rows->value());
    }
    return rows->status();
  }
  template <class Each>
  [[nodiscard]] Status forEachRow(Each each) {
    auto rows = rows_->range(std::nullopt, std::nullopt);
    for (; rows->valid(); rows->next()) {
      Windowed<K> key{};
      MILLRACE_CHECK_OK(serde_.whole.deserialize(rows->key(), key));
      each(std::move(key), rows->value());
    }
    return rows->status();
  }
  [[nodiscard]] Millis endOf(Millis start) const {
    constexpr Millis kMax = std::numeric_limits<Millis>::max();
    return start > kMax - size_ms_ ? kMax : start + size_ms_;
  }
  void serialize(const Windowed<K>& key) {
    bytes_.clear();
    if (windows_ != nullptr)
      serde_.inner.serialize(key.key, bytes_);
    else
      serde_.whole.serialize(key, bytes_);
  }
  WindowedKeySerde<K> serde_;
  streams::WindowStore* windows_ = nullptr;
  streams::KeyValueStore* rows_ = nullptr;
  Millis size_ms_ = 0;
  Bytes bytes_;
};

/// What a store needs to write its keys.
template <class Key>
struct KeySerdeOf {
  using Type = SerdeOf<Key>;
};
template <class K>
struct KeySerdeOf<Windowed<K>> {
  using Type = WindowedKeySerde<K>;
};

}  // namespace millrace::dsl
