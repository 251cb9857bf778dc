#include "streams/state/logged_memory_stores.h"

#include "base/assert.h"
#include "base/varint.h"
#include "streams/state/persistent_stores.h"

#include <algorithm>

namespace millrace::streams {
namespace {

constexpr std::size_t kTime = sizeof(Millis);

/// The value as the store holds it: with its timestamp in front where the store has timestamps.
Bytes stored(const StoreSpec& spec, BytesView value, Millis timestamp) {
  Bytes out(spec.timestamped() ? kTime : 0, '\0');
  if (spec.timestamped()) storeBe(out.data(), timestamp);
  return out.append(value);
}

Result<bool> takePrefix(const StoreSpec& spec, Result<bool> found, Bytes& value,
                        Millis& timestamp) {
  if (!found || !*found || !spec.timestamped()) return found;
  timestamp = loadBe<Millis>(value.data());
  value.erase(0, kTime);
  return true;
}

std::optional<BytesView> strip(const StoreSpec& spec, std::optional<BytesView> value) {
  if (value && spec.timestamped()) value->remove_prefix(kTime);
  return value;
}

}  // namespace

void LoggedKeyValueStore::restore(BytesView key, std::optional<BytesView> value, Millis timestamp) {
  const Status status = value ? store_.put(key, stored(spec_, *value, timestamp), timestamp)
                              : store_.put(key, std::nullopt, timestamp);
  MILLRACE_ASSERT(status.has_value(), "memory does not fail");
}

Result<bool> LoggedKeyValueStore::logged(BytesView key, Bytes& value, Millis& timestamp) {
  return takePrefix(spec_, store_.get(key, value), value, timestamp);
}

Status LoggedKeyValueStore::put(BytesView key, std::optional<BytesView> value, Millis timestamp) {
  MILLRACE_CHECK_OK(store_.put(key, value, timestamp));
  return changelog_ == nullptr ? Status{} : changelog_->append(key, strip(spec_, value), timestamp);
}

void LoggedWindowStore::restore(BytesView key, std::optional<BytesView> value, Millis timestamp) {
  constexpr std::size_t suffix = PersistentWindowStore::kSuffix;
  if (key.size() < suffix) return;
  const char* const tail = key.data() + key.size() - suffix;
  sequence_ = std::max(sequence_, loadBe<std::int32_t>(tail + kTime));
  const BytesView inner = key.substr(0, key.size() - suffix);
  const auto start = loadBe<Millis>(tail);
  const auto done = value ? store_.put(inner, start, stored(spec_, *value, timestamp), timestamp)
                          : store_.put(inner, start, std::nullopt, timestamp);
  MILLRACE_ASSERT(done.has_value(), "memory does not fail");
}

Result<bool> LoggedWindowStore::logged(BytesView key, Bytes& value, Millis& timestamp) {
  constexpr std::size_t suffix = PersistentWindowStore::kSuffix;
  if (key.size() < suffix) return false;
  const auto start = loadBe<Millis>(key.data() + key.size() - suffix);
  return takePrefix(spec_, store_.fetch(key.substr(0, key.size() - suffix), start, value), value,
                    timestamp);
}

Result<WindowPut> LoggedWindowStore::put(BytesView key, Millis start,
                                         std::optional<BytesView> value, Millis timestamp) {
  MILLRACE_TRY(const WindowPut done, store_.put(key, start, value, timestamp));
  if (done == WindowPut::kExpired || changelog_ == nullptr) return done;
  if (spec_.retain_duplicates && !value) return done;
  if (spec_.retain_duplicates) sequence_ = sequence_ == INT32_MAX ? 0 : sequence_ + 1;
  char suffix[PersistentWindowStore::kSuffix];
  storeBe(suffix, start);
  storeBe(suffix + kTime, sequence_);
  scratch_.assign(key).append(suffix, sizeof(suffix));
  MILLRACE_CHECK_OK(changelog_->append(scratch_, strip(spec_, value), timestamp));
  return done;
}

}  // namespace millrace::streams
