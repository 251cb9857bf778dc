#include "streams/memory_stores.h"

#include <algorithm>
#include <vector>

namespace millrace::streams {
namespace {

/// Entries copied when the walk began: later changes of the store do not disturb it.
class CopiedKeyValues final : public KeyValueIterator {
 public:
  explicit CopiedKeyValues(std::vector<std::pair<Bytes, Bytes>> entries)
      : entries_(std::move(entries)) {}
  [[nodiscard]] bool valid() const override { return at_ < entries_.size(); }
  void next() override { ++at_; }
  [[nodiscard]] BytesView key() const override { return entries_[at_].first; }
  [[nodiscard]] BytesView value() const override { return entries_[at_].second; }

 private:
  std::vector<std::pair<Bytes, Bytes>> entries_;
  std::size_t at_ = 0;
};

struct WindowEntry {
  Bytes key;
  Millis start;
  Bytes value;
};

class CopiedWindows final : public WindowIterator {
 public:
  explicit CopiedWindows(std::vector<WindowEntry> entries) : entries_(std::move(entries)) {}
  [[nodiscard]] bool valid() const override { return at_ < entries_.size(); }
  void next() override { ++at_; }
  [[nodiscard]] BytesView key() const override { return entries_[at_].key; }
  [[nodiscard]] Millis start() const override { return entries_[at_].start; }
  [[nodiscard]] BytesView value() const override { return entries_[at_].value; }

 private:
  std::vector<WindowEntry> entries_;
  std::size_t at_ = 0;
};

}  // namespace

Result<bool> MemoryKeyValueStore::get(BytesView key, Bytes& out) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return false;
  out.assign(found->second);
  return true;
}

Status MemoryKeyValueStore::put(BytesView key, std::optional<BytesView> value, Millis timestamp) {
  (void)timestamp;  // only changelogs need it
  const auto found = entries_.find(key);
  if (found != entries_.end()) {
    if (value)
      found->second.assign(*value);
    else
      entries_.erase(found);
  } else if (value) {
    entries_.emplace(Bytes(key), Bytes(*value));
  }
  return {};
}

std::unique_ptr<KeyValueIterator> MemoryKeyValueStore::range(std::optional<BytesView> from,
                                                             std::optional<BytesView> to) {
  const auto begin = from ? entries_.lower_bound(*from) : entries_.begin();
  const auto end = to ? entries_.upper_bound(*to) : entries_.end();
  if (from && to && *to < *from)
    return std::make_unique<CopiedKeyValues>(std::vector<std::pair<Bytes, Bytes>>{});
  return std::make_unique<CopiedKeyValues>(std::vector<std::pair<Bytes, Bytes>>(begin, end));
}

std::unique_ptr<KeyValueIterator> MemoryKeyValueStore::prefixScan(BytesView prefix) {
  std::vector<std::pair<Bytes, Bytes>> entries;
  for (auto at = entries_.lower_bound(prefix);
       at != entries_.end() && at->first.starts_with(prefix); ++at) {
    entries.emplace_back(*at);
  }
  return std::make_unique<CopiedKeyValues>(std::move(entries));
}

std::int64_t MemoryKeyValueStore::approximateEntries() {
  return static_cast<std::int64_t>(entries_.size());
}

MemoryWindowStore::MemoryWindowStore(Millis retention_ms, Millis segment_interval_ms,
                                     bool retain_duplicates)
    : retention_ms_(retention_ms),
      segment_interval_ms_(segment_interval_ms),
      retain_duplicates_(retain_duplicates) {}

bool MemoryWindowStore::expired(Millis start) const {
  if (segment_interval_ms_ == 0) return start <= stream_time_ - retention_ms_;
  return start / segment_interval_ms_ < (stream_time_ - retention_ms_) / segment_interval_ms_;
}

void MemoryWindowStore::dropExpired() {
  while (!windows_.empty() && windows_.begin()->first < oldestVisible())
    windows_.erase(windows_.begin());
}

Result<bool> MemoryWindowStore::fetch(BytesView key, Millis start, Bytes& out) {
  if (start < oldestVisible()) return false;
  const auto window = windows_.find(start);
  if (window == windows_.end()) return false;
  const auto row = window->second.lower_bound({Bytes(key), 0});
  if (row == window->second.end() || row->first.first != key) return false;
  out.assign(row->second);
  return true;
}

Result<WindowPut> MemoryWindowStore::put(BytesView key, Millis start,
                                         std::optional<BytesView> value, Millis timestamp) {
  (void)timestamp;
  stream_time_ = std::max(stream_time_, start);
  if (expired(start)) return WindowPut::kExpired;
  dropExpired();
  if (start < oldestVisible())
    return WindowPut::kStored;  // in a live segment, but no read will show it
  if (retain_duplicates_) {
    if (!value) return WindowPut::kStored;  // a null cannot say which duplicate it deletes
    sequence_ = (sequence_ + 1) & 0x7FFF'FFFFU;
  }
  Row row{Bytes(key), sequence_};
  if (value) {
    windows_[start][std::move(row)].assign(*value);
    return WindowPut::kStored;
  }
  const auto window = windows_.find(start);
  if (window == windows_.end()) return WindowPut::kStored;
  window->second.erase(row);
  if (window->second.empty()) windows_.erase(window);
  return WindowPut::kStored;
}

std::unique_ptr<WindowIterator> MemoryWindowStore::fetch(BytesView key, Millis from, Millis to,
                                                         bool backward) {
  std::vector<WindowEntry> entries;
  const auto end = windows_.upper_bound(to);
  const Row first{Bytes(key), 0};
  for (auto window = windows_.lower_bound(std::max(from, oldestVisible()));
       window != windows_.end() && window != end; ++window) {
    auto row = window->second.lower_bound(first);
    for (; row != window->second.end() && row->first.first == key; ++row) {
      entries.push_back({row->first.first, window->first, row->second});
    }
  }
  if (backward) std::reverse(entries.begin(), entries.end());
  return std::make_unique<CopiedWindows>(std::move(entries));
}

std::unique_ptr<WindowIterator> MemoryWindowStore::fetchAll(Millis from, Millis to) {
  std::vector<WindowEntry> entries;
  const auto end = windows_.upper_bound(to);
  for (auto window = windows_.lower_bound(std::max(from, oldestVisible()));
       window != windows_.end() && window != end; ++window) {
    for (const auto& [row, value] : window->second)
      entries.push_back({row.first, window->first, value});
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const WindowEntry& a, const WindowEntry& b) { return a.key < b.key; });
  return std::make_unique<CopiedWindows>(std::move(entries));
}

Result<KeyValueStore*> MemoryStoreProvider::keyValue(const StoreSpec& spec) {
  auto& store = key_value_[spec.name];
  store = std::make_unique<MemoryKeyValueStore>();
  return store.get();
}

Result<WindowStore*> MemoryStoreProvider::window(const StoreSpec& spec) {
  auto& store = window_[spec.name];
  store = std::make_unique<MemoryWindowStore>(
      spec.retention_ms, spec.persistent ? spec.segment_interval_ms : 0, spec.retain_duplicates);
  return store.get();
}

Result<SessionStore*> MemoryStoreProvider::session(const StoreSpec& spec) {
  return fail(Errc::kState, "no session stores yet: " + spec.name);
}

}  // namespace millrace::streams
