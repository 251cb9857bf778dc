// The state of a table in one task: typed rows with timestamps, a write-back cache, a bytes store
// below.
#pragma once

#include "dsl/entry_pool.h"
#include "dsl/hash_index.h"
#include "dsl/store_access.h"
#include "streams/topology.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

namespace millrace::dsl {

using streams::Change;
using streams::Headers;
using streams::ProcessorContext;
using streams::RecordMeta;

/// Where a store's updates go when its cache is flushed: the node that owns the store.
template <class Key, class V>
class FlushListener {
 public:
  virtual ~FlushListener() = default;
  virtual void flushed(const Key& key, const Change<V>& change, RecordMeta meta) = 0;
};

/// A row as a reader sees it. `value` is null where there is no row; valid until the next call of
/// the store.
template <class V>
struct Row {
  const V* value = nullptr;
  Millis timestamp = -1;
};

/// Key to (value, timestamp). With a cache, rows are changed in place as objects and serialised
/// once a flush; the owner's children then see the newest value, and the value from before the
/// flush as the old one (Kafka's CachingKeyValueStore and CachingWindowStore). Without, every put
/// is written through and the owner forwards.
template <class Key, class V>
class TableStore final : public streams::TaskStore {
 public:
  struct Entry {
    Key key;
    std::optional<V> value = {};
    Millis timestamp = -1;  // of the value; of the deleting record where there is none
    std::unique_ptr<const Headers> headers = {};
    std::uint64_t last_write = 0;
    std::uint64_t last_use = 0;
    std::uint32_t charged_bytes = 0;
    bool dirty = false;
    bool live = false;
  };

  TableStore(const streams::StoreSpec& spec, typename KeySerdeOf<Key>::Type key_serde,
             SerdeOf<V> value_serde)
      : spec_(spec), access_(std::move(key_serde)), value_serde_(std::move(value_serde)) {}
  ~TableStore() override {
    if (context_ != nullptr) context_->cache().used_bytes -= charged_;
  }

  Status init(ProcessorContext& context, streams::StoreProvider& provider) override {
    context_ = &context;
    cached_ = spec_.caching && context.cache().max_bytes > 0;
    return access_.open(provider, spec_);
  }

  /// The owner, at its init. `send_old`: somebody below wants the old values.
  void setListener(FlushListener<Key, V>* listener, bool send_old) {
    listener_ = listener;
    send_old_ = send_old;
  }
  [[nodiscard]] bool cached() const { return cached_; }
  [[nodiscard]] const streams::StoreSpec& spec() const { return spec_; }

  [[nodiscard]] Row<V> get(const Key& key) {
    if (cached_) {
      const std::uint64_t hash = access_.hash(key);
      if (Entry* entry = find(hash, key)) return rowOf(*entry);
      if (!load(key, reading_)) return {};
      if (!access_.cachesReads()) return rowOf(reading_);
      Entry& entry = insert(hash, key);
      entry.value = std::move(reading_.value);
      entry.timestamp = reading_.timestamp;
      charge(entry);
      return rowOf(entry);
    }
    return load(key, reading_) ? rowOf(reading_) : Row<V>{};
  }

  /// The row to be changed in place, empty where there is none; then commit() it. At most one is
  /// open.
  [[nodiscard]] Entry& open(const Key& key) {
    if (!cached_) {
      writing_.key = key;
      (void)load(key, writing_);
      return writing_;
    }
    const std::uint64_t hash = access_.hash(key);
    if (Entry* entry = find(hash, key)) return *entry;
    Entry& entry = insert(hash, key);
    (void)load(key, entry);
    return entry;
  }
  /// As open(), for a row that will be overwritten: the store below is not read.
  [[nodiscard]] Entry& openBlind(const Key& key) {
    if (!cached_) {
      writing_.key = key;
      return writing_;
    }
    const std::uint64_t hash = access_.hash(key);
    if (Entry* entry = find(hash, key)) return *entry;
    return insert(hash, key);
  }
  /// Writes an opened row: into the cache, or through. `meta`: of the record that changed it;
  /// entry.timestamp is set by the caller where there is a value.
  void commit(Entry& entry, RecordMeta meta) {
    if (!entry.value) entry.timestamp = meta.timestamp;
    if (!cached_) return (void)write(entry);
    entry.headers =
        meta.headers == nullptr ? nullptr : std::make_unique<const Headers>(*meta.headers);
    entry.last_write = entry.last_use = ++clock_;
    if (!entry.dirty) {
      entry.dirty = true;
      dirty_.push_back(&entry);
    }
    charge(entry);
  }

  void flushCache() override {
    if (dirty_.empty()) return;
    std::vector<Entry*> batch = std::move(dirty_);
    dirty_.clear();
    flushBatch(batch);
    if (context_->failed()) return;
    for (Entry* entry : batch) {
      if (!entry->value && !entry->dirty) remove(*entry);
    }
  }

  /// Every row, cached ones included, in no order: for tests and queries.
  template <class Each>
  [[nodiscard]] Status forEach(Each each) {
    auto status = access_.forEach([&](Key key, BytesView bytes) {
      if (find(access_.hash(key), key) != nullptr) return;
      decode(bytes, reading_);
      each(key, *reading_.value, reading_.timestamp);
    });
    entries_.forEach([&](const Entry& entry) {
      if (entry.live && entry.value) each(entry.key, *entry.value, entry.timestamp);
    });
    return status;
  }
  [[nodiscard]] StoreAccess<Key>& access() { return access_; }

 private:
  static constexpr std::size_t kEntryOverhead = 24;  // in the hash index

  [[nodiscard]] static Row<V> rowOf(const Entry& entry) {
    return entry.value ? Row<V>{&*entry.value, entry.timestamp} : Row<V>{};
  }
  [[nodiscard]] Entry* find(std::uint64_t hash, const Key& key) {
    const std::uint32_t found =
        index_.find(hash, [&](std::uint32_t i) { return access_.same(entries_[i].key, key); });
    if (found == HashIndex::kNone) return nullptr;
    entries_[found].last_use = ++clock_;
    return &entries_[found];
  }
  Entry& insert(std::uint64_t hash, const Key& key) {
    if (context_->cache().used_bytes > context_->cache().max_bytes) evict();
    const std::uint32_t number = entries_.take();
    Entry& entry = entries_[number];
    entry = Entry{.key = key, .last_use = ++clock_, .live = true};
    index_.insert(hash, number);
    return entry;
  }
  void remove(Entry& entry) {
    const std::uint64_t hash = access_.hash(entry.key);
    const std::uint32_t number =
        index_.find(hash, [&](std::uint32_t i) { return &entries_[i] == &entry; });
    index_.erase(hash, number);
    charged_ -= static_cast<std::int64_t>(entry.charged_bytes);
    context_->cache().used_bytes -= static_cast<std::int64_t>(entry.charged_bytes);
    entry = Entry{};
    entries_.giveBack(number);
  }
  void charge(Entry& entry) {
    const std::size_t bytes = sizeof(Entry) + kEntryOverhead + heapBytes(entry.key) +
                              (entry.value ? heapBytes(*entry.value) : 0);
    const std::int64_t more =
        static_cast<std::int64_t>(bytes) - static_cast<std::int64_t>(entry.charged_bytes);
    entry.charged_bytes = static_cast<std::uint32_t>(bytes);
    charged_ += more;
    context_->cache().used_bytes += more;
  }
  /// In the order of the last writes, as Kafka's list of dirty keys.
  void flushBatch(std::vector<Entry*>& batch) {
    std::sort(batch.begin(), batch.end(),
              [](const Entry* a, const Entry* b) { return a->last_write < b->last_write; });
    for (Entry* entry : batch) entry->dirty = false;
    flushing_ =
        true;  // children may read this store: nothing is evicted until the batch is through
    for (Entry* entry : batch) {
      flush(*entry);
      if (context_->failed()) break;
    }
    flushing_ = false;
  }
  /// Kafka evicts one entry at a time and flushes all dirty ones with it. Here a quarter of the
  /// entries go at once, the least recently used, so that the search for them costs little per
  /// entry, and only those are flushed: a row that is written often stays and goes down once a
  /// commit.
  void evict() {
    if (flushing_) return;
    std::vector<Entry*> leaving;
    entries_.forEach([&](Entry& entry) {
      if (entry.live) leaving.push_back(&entry);
    });
    const auto count =
        static_cast<std::ptrdiff_t>(std::min(leaving.size(), leaving.size() / 4 + 1));
    std::nth_element(leaving.begin(), leaving.begin() + count, leaving.end(),
                     [](const Entry* a, const Entry* b) { return a->last_use < b->last_use; });
    leaving.resize(static_cast<std::size_t>(count));
    std::vector<Entry*> unwritten;
    std::copy_if(leaving.begin(), leaving.end(), std::back_inserter(unwritten),
                 [](const Entry* entry) { return entry->dirty; });
    flushBatch(unwritten);
    if (context_->failed()) return;
    std::erase_if(dirty_, [](const Entry* entry) { return !entry->dirty; });
    for (Entry* entry : leaving) {
      if (!entry->dirty) remove(*entry);
    }
  }

  /// Fills value and timestamp from the bytes store; no value where there is no row.
  bool load(const Key& key, Entry& entry) {
    const Result<bool> found = access_.get(key, value_bytes_);
    if (!found) {
      context_->fail(found.error());
    } else if (*found) {
      return decode(value_bytes_, entry);
    }
    entry.value.reset();
    return false;
  }
  bool decode(BytesView bytes, Entry& entry) {
    if (spec_.timestamped() && bytes.size() < sizeof(Millis)) {
      context_->fail({Errc::kCorruptData, "a row of store " + spec_.name + " is too short"});
      return false;
    }
    entry.timestamp = -1;
    if (spec_.timestamped()) {
      entry.timestamp = loadBe<Millis>(bytes.data());
      bytes.remove_prefix(sizeof(Millis));
    }
    if (!entry.value) entry.value.emplace();
    auto status = value_serde_.deserialize(bytes, *entry.value);
    if (!status)
      context_->fail(
          {Errc::kCorruptData, "a row of store " + spec_.name + ": " + status.error().detail});
    return status.has_value();
  }
  /// Writes a row to the bytes store.
  bool write(const Entry& entry) {
    std::optional<BytesView> bytes;
    if (entry.value) {
      value_bytes_.assign(spec_.timestamped() ? sizeof(Millis) : 0, '\0');
      if (spec_.timestamped()) storeBe(value_bytes_.data(), entry.timestamp);
      value_serde_.serialize(*entry.value, value_bytes_);
      bytes = value_bytes_;
    }
    const auto put = access_.put(entry.key, bytes, entry.timestamp);
    if (!put)
      context_->fail(put.error());
    else if (*put == streams::WindowPut::kExpired)
      context_->drop();
    return put.has_value();
  }
  /// The newest value goes down, and the change since the last flush to the owner's children. A row
  /// that came and went between two flushes is not seen at all.
  void flush(Entry& entry) {
    const bool want_old = listener_ != nullptr && (send_old_ || !entry.value);
    const bool has_old = want_old && load(entry.key, reading_old_);
    if (listener_ != nullptr && !entry.value && !has_old) return;
    if (!write(entry) || listener_ == nullptr) return;
    const V* old_value = send_old_ && has_old ? &*reading_old_.value : nullptr;
    listener_->flushed(entry.key, {entry.value ? &*entry.value : nullptr, old_value},
                       {entry.timestamp, entry.headers.get()});
  }

  streams::StoreSpec spec_;
  StoreAccess<Key> access_;
  SerdeOf<V> value_serde_;
  ProcessorContext* context_ = nullptr;
  FlushListener<Key, V>* listener_ = nullptr;
  bool send_old_ = false;
  bool cached_ = false;
  bool flushing_ = false;
  std::uint64_t clock_ = 0;
  std::int64_t charged_ = 0;
  HashIndex index_;
  EntryPool<Entry> entries_;
  std::vector<Entry*> dirty_;
  Entry reading_;
  Entry reading_old_;
  Entry writing_;
  Bytes value_bytes_;
};

/// Makes a table's store in each task.
template <class Key, class V>
class TableStoreBuilder final : public streams::StoreBuilder {
 public:
  TableStoreBuilder(streams::StoreSpec spec, typename KeySerdeOf<Key>::Type key_serde,
                    SerdeOf<V> value_serde)
      : StoreBuilder(std::move(spec)),
        key_serde_(std::move(key_serde)),
        value_serde_(std::move(value_serde)) {}
  [[nodiscard]] std::unique_ptr<streams::TaskStore> make() const override {
    return std::make_unique<TableStore<Key, V>>(spec_, key_serde_, value_serde_);
  }

 private:
  typename KeySerdeOf<Key>::Type key_serde_;
  SerdeOf<V> value_serde_;
};

}  // namespace millrace::dsl
