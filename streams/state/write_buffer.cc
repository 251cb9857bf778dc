#include "streams/state/write_buffer.h"

#include "base/varint.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace millrace::streams {
namespace {

constexpr std::size_t kChunkBytes = 256 << 10;
constexpr std::size_t kFirstTableSize = 256;

std::uint64_t hashOf(BytesView key) { return std::hash<BytesView>{}(key); }

/// The first eight bytes as a number: most comparisons of a sort end here.
std::uint64_t prefixOf(BytesView key) {
  char padded[8] = {};
  std::memcpy(padded, key.data(), std::min<std::size_t>(key.size(), 8));
  return loadBe<std::uint64_t>(padded);
}

}  // namespace

WriteBuffer::Entry** WriteBuffer::slot(BytesView key, std::uint64_t hash) {
  const std::size_t mask = table_.size() - 1;
  for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
    Entry* const entry = table_[i];
    if (entry == nullptr || (entry->hash == hash && entry->key() == key)) return &table_[i];
  }
}

const WriteBuffer::Entry* WriteBuffer::find(BytesView key) const {
  if (count_ == 0) return nullptr;
  const std::uint64_t hash = hashOf(key);
  const std::size_t mask = table_.size() - 1;
  for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
    const Entry* const entry = table_[i];
    if (entry == nullptr || (entry->hash == hash && entry->key() == key)) return entry;
  }
}

void WriteBuffer::put(BytesView key, std::optional<BytesView> value) {
  if (2 * (count_ + 1) > table_.size()) grow();
  const std::uint64_t hash = hashOf(key);
  Entry** const place = slot(key, hash);
  const std::size_t size = value ? value->size() : 0;
  const bool is_new = *place == nullptr;
  if (is_new || (*place)->capacity < size) {
    // Aggregates tend to grow: a replaced value gets some room.
    Entry* const entry = allocate(key, hash, is_new ? size : size + size / 2);
    if (ordered_) ordered_->insert_or_assign(is_new ? entry->key() : (*place)->key(), entry);
    count_ += is_new ? 1 : 0;
    *place = entry;
  }
  Entry& entry = **place;
  entry.deleted = !value.has_value();
  entry.value_size = static_cast<std::uint32_t>(size);
  if (size > 0) std::memcpy(entry.data() + entry.key_size, value->data(), size);
}

WriteBuffer::Entry* WriteBuffer::allocate(BytesView key, std::uint64_t hash,
                                          std::size_t value_capacity) {
  const std::size_t size = (sizeof(Entry) + key.size() + value_capacity + 7) / 8 * 8;
  if (size > chunk_left_) {
    const std::size_t chunk = std::max(size, kChunkBytes);
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(chunk));
    chunk_at_ = chunks_.back().get();
    chunk_left_ = chunk;
  }
  auto* const entry = new (chunk_at_) Entry{hash, static_cast<std::uint32_t>(key.size()), 0,
                                            static_cast<std::uint32_t>(value_capacity), false};
  if (!key.empty()) std::memcpy(entry->data(), key.data(), key.size());
  chunk_at_ += size;
  chunk_left_ -= size;
  bytes_ += size + 2 * sizeof(Entry*);
  return entry;
}

void WriteBuffer::grow() {
  std::vector<Entry*> old(table_.empty() ? kFirstTableSize : table_.size() * 2);
  old.swap(table_);
  const std::size_t mask = table_.size() - 1;
  for (Entry* const entry : old) {
    if (entry == nullptr) continue;
    std::size_t i = entry->hash & mask;
    while (table_[i] != nullptr) i = (i + 1) & mask;
    table_[i] = entry;
  }
}

const WriteBuffer::Ordered& WriteBuffer::ordered() {
  if (!ordered_) {
    ordered_.emplace();
    for (const Entry* entry : sorted())
      ordered_->emplace_hint(ordered_->end(), entry->key(), entry);
  }
  return *ordered_;
}

std::vector<const WriteBuffer::Entry*> WriteBuffer::sorted(
    const std::function<bool(BytesView)>& keep) const {
  std::vector<std::pair<std::uint64_t, const Entry*>> keyed;
  keyed.reserve(count_);
  for (const Entry* const entry : table_) {
    if (entry != nullptr && (!keep || keep(entry->key())))
      keyed.emplace_back(prefixOf(entry->key()), entry);
  }
  std::ranges::sort(keyed, [](const auto& a, const auto& b) {
    if (a.first != b.first) return a.first < b.first;
    return a.second->key() < b.second->key();
  });
  std::vector<const Entry*> entries;
  entries.reserve(keyed.size());
  for (const auto& [prefix, entry] : keyed) entries.push_back(entry);
  return entries;
}

void WriteBuffer::clear() {
  // A table that one large commit blew up is not kept for the small ones.
  if (table_.size() > 4 * std::max(kFirstTableSize, 2 * count_)) table_.resize(kFirstTableSize);
  std::ranges::fill(table_, nullptr);
  if (chunks_.size() > 1) chunks_.resize(1);
  chunk_at_ = chunks_.empty() ? nullptr : chunks_.front().get();
  chunk_left_ = chunks_.empty() ? 0 : kChunkBytes;
  count_ = 0;
  bytes_ = 0;
  if (ordered_) ordered_->clear();
}

}  // namespace millrace::streams
