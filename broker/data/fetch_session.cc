#include "broker/data/fetch_session.h"

#include <fmt/format.h>

#include <limits>

namespace millrace::broker {

namespace {
constexpr std::int32_t kInitialEpoch = 0;
constexpr std::int32_t kFinalEpoch = -1;
constexpr Millis kEvictionMs = 120'000;  // Kafka's MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS

std::int32_t nextEpoch(std::int32_t epoch) {
  return epoch == std::numeric_limits<std::int32_t>::max() ? 1 : epoch + 1;
}
}  // namespace

std::size_t FetchSessionCache::KeyHash::operator()(const Key& k) const noexcept {
  const std::size_t topic = std::hash<Uuid>{}(k.topic_id) ^ std::hash<std::string>{}(k.topic_name);
  return topic * 31 + static_cast<std::size_t>(k.partition);
}

void FetchSessionCache::put(Session& session, FetchPartition want) {
  Key key = keyOf(want);
  const auto found = session.index.find(key);
  if (found != session.index.end()) {
    found->second->want = std::move(want);
    return;
  }
  session.partitions.push_back({std::move(want), -1, -1});
  session.index.emplace(std::move(key), std::prev(session.partitions.end()));
}

Result<FetchContext> FetchSessionCache::begin(FetchSessionRequest request, Millis now) {
  const std::lock_guard lock(mutex_);
  if (request.epoch != kInitialEpoch && request.epoch != kFinalEpoch) {
    return beginIncremental(std::move(request), now);
  }
  sessions_.erase(request.session_id);
  FetchContext context;
  context.partitions = std::move(request.partitions);
  context.wants_session = request.epoch == kInitialEpoch;
  context.by_topic_id = request.by_topic_id;
  return context;
}

Result<FetchContext> FetchSessionCache::beginIncremental(FetchSessionRequest request, Millis now) {
  const auto found = sessions_.find(request.session_id);
  if (found == sessions_.end()) {
    return fail(Errc::kFetchSessionIdNotFound,
                fmt::format("no fetch session {}", request.session_id));
  }
  Session& session = found->second;
  if (session.epoch != request.epoch) {
    return fail(Errc::kInvalidFetchSessionEpoch,
                fmt::format("fetch session {} expects epoch {}, not {}", request.session_id,
                            session.epoch, request.epoch));
  }
  if (session.by_topic_id != request.by_topic_id) {
    return fail(Errc::kFetchSessionTopicIdError,
                "a fetch session cannot change between names and topic ids");
  }
  for (auto& want : request.partitions) put(session, std::move(want));
  for (const auto& gone : request.forgotten) {
    const auto at = session.index.find(keyOf(gone));
    if (at == session.index.end()) continue;
    session.partitions.erase(at->second);
    session.index.erase(at);
  }
  FetchContext context;
  context.by_topic_id = request.by_topic_id;
  if (session.partitions.empty()) {  // nothing left to remember: Kafka ends the session
    sessions_.erase(found);
    return context;
  }
  session.epoch = nextEpoch(session.epoch);
  session.used_ms = now;
  context.session_id = request.session_id;
  context.incremental = true;
  context.partitions.reserve(session.partitions.size());
  for (const auto& cached : session.partitions) context.partitions.push_back(cached.want);
  return context;
}

std::int32_t FetchSessionCache::finish(const FetchContext& context,
                                       const std::vector<FetchSessionResult>& results, Millis now,
                                       std::vector<bool>& mention) {
  mention.assign(context.partitions.size(), true);
  if (!context.incremental && !context.wants_session) return 0;
  const std::lock_guard lock(mutex_);
  if (!context.incremental) return create(context, results, now);
  const auto found = sessions_.find(context.session_id);
  if (found == sessions_.end()) return context.session_id;  // evicted meanwhile: mention everything
  Session& session = found->second;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const auto at = session.index.find(keyOf(context.partitions[i]));
    if (at == session.index.end()) continue;  // forgotten by a later request
    Cached& cached = *at->second;
    const FetchSessionResult& result = results[i];
    mention[i] = result.has_records || result.is_special ||
                 cached.high_watermark != result.high_watermark ||
                 cached.log_start_offset != result.log_start_offset;
    // A forced mention next time: an error must be repeated until it is gone.
    cached.high_watermark = result.is_special ? -1 : result.high_watermark;
    cached.log_start_offset = result.log_start_offset;
    if (result.has_records) {
      session.partitions.splice(session.partitions.end(), session.partitions, at->second);
    }
  }
  return context.session_id;
}

std::int32_t FetchSessionCache::create(const FetchContext& context,
                                       const std::vector<FetchSessionResult>& results, Millis now) {
  if (context.partitions.empty() || !makeRoom(context.partitions.size(), now)) return 0;
  std::int32_t id = 0;
  while (id == 0 || sessions_.contains(id)) {
    id = static_cast<std::int32_t>(random_.next() & std::numeric_limits<std::int32_t>::max());
  }
  Session& session = sessions_[id];
  session.by_topic_id = context.by_topic_id;
  session.created_ms = session.used_ms = now;
  for (std::size_t i = 0; i < context.partitions.size(); ++i) {
    put(session, context.partitions[i]);
    Cached& cached = *session.index.at(keyOf(context.partitions[i]));
    cached.high_watermark = results[i].is_special ? -1 : results[i].high_watermark;
    cached.log_start_offset = results[i].log_start_offset;
  }
  return id;
}

/// A full cache gives a place up when its least recently used session is stale, or when an old
/// session is smaller than the newcomer, for which a session saves more.
bool FetchSessionCache::makeRoom(std::size_t newcomer_size, Millis now) {
  if (slots_ == 0) return false;
  if (sessions_.size() < slots_) return true;
  auto oldest = sessions_.begin();
  auto smallest = sessions_.end();
  for (auto it = sessions_.begin(); it != sessions_.end(); ++it) {
    if (it->second.used_ms < oldest->second.used_ms) oldest = it;
    const bool is_old = now - it->second.created_ms > kEvictionMs;
    if (!is_old) continue;
    if (smallest == sessions_.end() ||
        it->second.partitions.size() < smallest->second.partitions.size()) {
      smallest = it;
    }
  }
  if (now - oldest->second.used_ms > kEvictionMs) {
    sessions_.erase(oldest);
    return true;
  }
  if (smallest == sessions_.end() || smallest->second.partitions.size() >= newcomer_size)
    return false;
  sessions_.erase(smallest);
  return true;
}

std::size_t FetchSessionCache::size() const {
  const std::lock_guard lock(mutex_);
  return sessions_.size();
}

}  // namespace millrace::broker
