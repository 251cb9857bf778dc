#include "streams/state/persistent_stores.h"

#include "base/varint.h"

#include <algorithm>
#include <limits>

namespace millrace::streams {
namespace {

template <class T>
void appendBe(Bytes& out, T value) {
  char buffer[sizeof(T)];
  storeBe(buffer, value);
  out.append(buffer, sizeof(T));
}

void windowKey(Bytes& out, BytesView key, Millis start, std::int32_t sequence) {
  out.assign(key);
  appendBe(out, start);
  appendBe(out, sequence);
}

/// Rows of a walk whose key has exactly `key_size` bytes before the suffix (0: any) and whose time
/// lies in [from, to]. Keys of other lengths interleave, because a key's end is not marked.
struct WindowFilter {
  std::size_t key_size = 0;
  bool any_key = false;
  Millis from = 0;
  Millis to = 0;

  [[nodiscard]] bool accepts(BytesView row) const {
    constexpr std::size_t suffix = PersistentWindowStore::kSuffix;
    if (row.size() < suffix || (!any_key && row.size() != key_size + suffix)) return false;
    const auto start = loadBe<Millis>(row.data() + row.size() - suffix);
    return start >= from && start <= to;
  }
};

class ForwardWindows final : public WindowIterator {
 public:
  ForwardWindows(std::unique_ptr<KeyValueIterator> rows, WindowFilter filter)
      : rows_(std::move(rows)), filter_(filter) {
    skip();
  }
  bool valid() const override { return rows_->valid(); }
  void next() override {
    rows_->next();
    skip();
  }
  BytesView key() const override {
    const BytesView row = rows_->key();
    return row.substr(0, row.size() - PersistentWindowStore::kSuffix);
  }
  Millis start() const override {
    const BytesView row = rows_->key();
    return loadBe<Millis>(row.data() + row.size() - PersistentWindowStore::kSuffix);
  }
  BytesView value() const override { return rows_->value(); }
  Status status() const override { return rows_->status(); }

 private:
  void skip() {
    while (rows_->valid() && !filter_.accepts(rows_->key())) rows_->next();
  }
  std::unique_ptr<KeyValueIterator> rows_;
  WindowFilter filter_;
};

/// The windows of one key are few: collected, then walked from the last.
class BackwardWindows final : public WindowIterator {
 public:
  explicit BackwardWindows(ForwardWindows forward) {
    for (; forward.valid(); forward.next()) {
      rows_.push_back({Bytes(forward.key()), forward.start(), Bytes(forward.value())});
    }
    status_ = forward.status();
  }
  bool valid() const override { return !rows_.empty(); }
  void next() override { rows_.pop_back(); }
  BytesView key() const override { return rows_.back().key; }
  Millis start() const override { return rows_.back().start; }
  BytesView value() const override { return rows_.back().value; }
  Status status() const override { return status_; }

 private:
  struct Row {
    Bytes key;
    Millis start;
    Bytes value;
  };
  std::vector<Row> rows_;
  Status status_;
};

/// Sessions of a walk, by end then start, of one key (key_size) or of all.
class Sessions final : public SessionIterator {
 public:
  Sessions(std::unique_ptr<KeyValueIterator> rows, std::size_t key_size, bool any_key,
           Millis earliest_end, Millis latest_start)
      : rows_(std::move(rows)),
        key_size_(key_size),
        any_key_(any_key),
        earliest_end_(earliest_end),
        latest_start_(latest_start) {
    skip();
  }
  bool valid() const override { return rows_->valid(); }
  void next() override {
    rows_->next();
    skip();
  }
  BytesView key() const override {
    const BytesView row = rows_->key();
    return row.substr(0, row.size() - PersistentSessionStore::kSuffix);
  }
  Millis start() const override { return at(sizeof(Millis)); }
  Millis end() const override { return at(PersistentSessionStore::kSuffix); }
  BytesView value() const override { return rows_->value(); }
  Status status() const override { return rows_->status(); }

 private:
  [[nodiscard]] Millis at(std::size_t from_end) const {
    const BytesView row = rows_->key();
    return loadBe<Millis>(row.data() + row.size() - from_end);
  }
  [[nodiscard]] bool accepts() const {
    const std::size_t size = rows_->key().size();
    if (size < PersistentSessionStore::kSuffix) return false;
    if (!any_key_ && size != key_size_ + PersistentSessionStore::kSuffix) return false;
    return end() >= earliest_end_ && start() <= latest_start_;
  }
  void skip() {
    while (rows_->valid() && !accepts()) rows_->next();
  }

  std::unique_ptr<KeyValueIterator> rows_;
  std::size_t key_size_;
  bool any_key_;
  Millis earliest_end_;
  Millis latest_start_;
};

Millis segmentOf(Millis time, Millis interval) { return interval > 0 ? time / interval : time; }

}  // namespace

void PersistentStore::restore(BytesView key, std::optional<BytesView> value, Millis timestamp) {
  if (!value || !spec_.timestamped()) return rows_.apply(key, value);
  scratch_.clear();
  appendBe(scratch_, timestamp);
  scratch_.append(*value);
  rows_.apply(key, scratch_);
}

Result<bool> PersistentStore::logged(BytesView key, Bytes& value, Millis& timestamp) {
  MILLRACE_TRY(const bool found, rows_.get(key, value));
  if (!found || !spec_.timestamped()) return found;
  if (value.size() < sizeof(Millis))
    return fail(Errc::kCorruptData, "a row of " + spec_.name + " has no timestamp");
  timestamp = loadBe<Millis>(value.data());
  value.erase(0, sizeof(Millis));
  return true;
}

bool PersistentStore::isExpired(Millis time) const {
  const Millis interval = spec_.segment_interval_ms;
  return segmentOf(time, interval) < segmentOf(observed_time_ - spec_.retention_ms, interval);
}

void PersistentStore::observe(Millis time) {
  if (time > observed_time_) setObservedTime(time);
}

void PersistentStore::setObservedTime(Millis time) {
  observed_time_ = time;
  if (spec_.retention_ms > 0) rows_.expireBefore(oldestVisible());
}

Status PersistentKeyValueStore::put(BytesView key, std::optional<BytesView> value,
                                    Millis timestamp) {
  return rows_.put(key, value, timestamp, valuePrefix());
}

std::unique_ptr<KeyValueIterator> PersistentKeyValueStore::range(std::optional<BytesView> from,
                                                                 std::optional<BytesView> to) {
  return rows_.walk(from.value_or(BytesView{}), to ? after(*to) : Bytes{});
}

std::unique_ptr<KeyValueIterator> PersistentKeyValueStore::prefixScan(BytesView prefix) {
  return rows_.walk(prefix, afterPrefix(prefix));
}

Result<bool> PersistentWindowStore::fetch(BytesView key, Millis start, Bytes& out) {
  if (start < oldestVisible()) return false;
  windowKey(scratch_, key, start, 0);
  return rows_.get(scratch_, out);
}

Result<WindowPut> PersistentWindowStore::put(BytesView key, Millis start,
                                             std::optional<BytesView> value, Millis timestamp) {
  if (!value && spec_.retain_duplicates)
    return WindowPut::kStored;  // duplicates are never deleted one by one
  observe(start);
  if (isExpired(start)) return WindowPut::kExpired;
  if (spec_.retain_duplicates) sequence_ = sequence_ == INT32_MAX ? 0 : sequence_ + 1;
  windowKey(scratch_, key, start, sequence_);
  MILLRACE_CHECK_OK(rows_.put(scratch_, value, timestamp, valuePrefix()));
  return WindowPut::kStored;
}

std::unique_ptr<WindowIterator> PersistentWindowStore::fetch(BytesView key, Millis from, Millis to,
                                                             bool backward) {
  const WindowFilter filter{key.size(), false, std::max({from, oldestVisible(), Millis{0}}), to};
  Bytes lower;
  Bytes upper;
  windowKey(lower, key, filter.from, 0);
  windowKey(upper, key, std::max(to, Millis{0}), std::numeric_limits<std::int32_t>::max());
  ForwardWindows forward(rows_.walk(lower, after(upper)), filter);
  if (backward) return std::make_unique<BackwardWindows>(std::move(forward));
  return std::make_unique<ForwardWindows>(std::move(forward));
}

std::unique_ptr<WindowIterator> PersistentWindowStore::fetchAll(Millis from, Millis to) {
  const WindowFilter filter{0, true, std::max({from, oldestVisible(), Millis{0}}), to};
  return std::make_unique<ForwardWindows>(rows_.walk({}, {}), filter);
}

void PersistentWindowStore::restore(BytesView key, std::optional<BytesView> value,
                                    Millis timestamp) {
  if (key.size() < kSuffix) return;  // no row of this store: a foreign record in the changelog
  const auto start = loadBe<Millis>(key.data() + key.size() - kSuffix);
  observe(start);
  if (isExpired(start)) return;
  if (spec_.retain_duplicates) {
    sequence_ =
        std::max(sequence_, loadBe<std::int32_t>(key.data() + key.size() - sizeof(std::int32_t)));
  }
  PersistentStore::restore(key, value, timestamp);
}

Result<WindowPut> PersistentSessionStore::put(BytesView key, Millis start, Millis end,
                                              std::optional<BytesView> value, Millis timestamp) {
  observe(end);
  if (isExpired(end)) return WindowPut::kExpired;
  scratch_.assign(key);
  appendBe(scratch_, end);
  appendBe(scratch_, start);
  MILLRACE_CHECK_OK(rows_.put(scratch_, value, timestamp, valuePrefix()));
  return WindowPut::kStored;
}

std::unique_ptr<SessionIterator> PersistentSessionStore::find(BytesView key, Millis earliest_end,
                                                              Millis latest_start) {
  const Millis earliest = std::max({earliest_end, oldestVisible(), Millis{0}});
  Bytes lower(key);
  appendBe(lower, earliest);
  return std::make_unique<Sessions>(rows_.walk(lower, afterPrefix(key)), key.size(), false,
                                    earliest, latest_start);
}

std::unique_ptr<SessionIterator> PersistentSessionStore::all() {
  return std::make_unique<Sessions>(rows_.walk({}, {}), 0, true, oldestVisible(),
                                    std::numeric_limits<Millis>::max());
}

void PersistentSessionStore::restore(BytesView key, std::optional<BytesView> value,
                                     Millis timestamp) {
  if (key.size() < kSuffix) return;
  const auto end = loadBe<Millis>(key.data() + key.size() - kSuffix);
  observe(end);
  if (!isExpired(end)) PersistentStore::restore(key, value, timestamp);
}

TaskDatabase::Family familyOf(const StoreSpec& spec) {
  TaskDatabase::Family family{.name = spec.name};
  family.expires = (spec.windowed() || spec.kind == StoreKind::kSession) && spec.retention_ms > 0;
  family.time_offset =
      spec.windowed() ? PersistentWindowStore::kSuffix : PersistentSessionStore::kSuffix;
  return family;
}

std::unique_ptr<PersistentStore> makePersistentStore(const StoreSpec& spec, TaskDatabase& database,
                                                     std::size_t family) {
  if (spec.windowed()) return std::make_unique<PersistentWindowStore>(spec, database, family);
  if (spec.kind == StoreKind::kSession)
    return std::make_unique<PersistentSessionStore>(spec, database, family);
  return std::make_unique<PersistentKeyValueStore>(spec, database, family);
}

}  // namespace millrace::streams
