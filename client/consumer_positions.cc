// Where to start and where things are: committed offsets, resets, lookups by time.
#include "base/log.h"
#include "client/cluster_queries.h"
#include "client/consumer_core.h"
#include "client/deadline.h"

#include <fmt/format.h>

namespace millrace::client {
namespace {

Error nowhereToStart(const TopicPartition& tp) {
  return Error{Errc::kNotFound, fmt::format("NO_OFFSET_FOR_PARTITION {}: nothing is committed and "
                                            "auto.offset.reset is none: seek, or set a policy",
                                            tp.toString())};
}

}  // namespace

/// Starts what is missing to have a position everywhere.
Status ConsumerCore::updatePositions() {
  std::vector<TopicPartition> without;
  std::vector<TopicPartition> to_reset;
  const Millis now_ms = monotonicNow();
  for (auto& [tp, p] : positions_.all()) {
    if (p.offset || p.looking_up || p.not_before_ms > now_ms) continue;
    (p.reset ? to_reset : without).push_back(tp);
  }
  if (!without.empty() && !group_.empty()) {
    askCommitted(without);
  } else {
    for (const TopicPartition& tp : without) {
      PartitionPosition& p = *positions_.find(tp);
      if (!positions_.applyCommitted(p, std::nullopt, systemClock().wallMs())) {
        return std::unexpected(nowhereToStart(tp));
      }
      to_reset.push_back(tp);
    }
  }
  if (!to_reset.empty()) askOffsets(to_reset);
  return {};
}

void ConsumerCore::askCommitted(const std::vector<TopicPartition>& partitions) {
  if (committed_asking_) return;
  if (!coordinator_) return askCoordinator();
  committed_asking_ = true;
  std::map<TopicPartition, std::uint64_t> asked;
  for (const TopicPartition& tp : partitions) asked[tp] = positions_.find(tp)->incarnation;
  callCoordinator(offsetFetchCall(group_, partitions, true, config_.common.request_timeout_ms),
                  guarded([asked](ConsumerCore& core, Result<Reply> reply) {
                    core.onCommitted(asked, std::move(reply));
                  }));
}

void ConsumerCore::onCommitted(const std::map<TopicPartition, std::uint64_t>& asked,
                               Result<Reply> reply) {
  committed_asking_ = false;
  const auto offsets = reply ? readOffsetFetch(*reply) : std::unexpected(reply.error());
  if (!offsets) {
    const Error& error = offsets.error();
    const bool moved = error.code == Errc::kNotCoordinator ||
                       error.code == Errc::kCoordinatorNotAvailable ||
                       error.code == Errc::kNetworkException;
    if (moved) coordinatorLost();
    if (!isRetriable(error.code)) error_ = error;
    for (const auto& [tp, incarnation] : asked) {
      PartitionPosition* p = positions_.find(tp);
      if (p != nullptr) p->not_before_ms = monotonicNow() + config_.common.retry_backoff_ms;
    }
    return;
  }
  std::vector<TopicPartition> to_reset;
  for (const auto& [tp, incarnation] : asked) {
    PartitionPosition* p = positions_.find(tp);
    if (p == nullptr || p->incarnation != incarnation || !p->needsCommitted()) continue;
    const auto it = offsets->find(tp);
    std::optional<OffsetAndMetadata> found;
    if (it != offsets->end()) found = it->second;
    if (!positions_.applyCommitted(*p, found, systemClock().wallMs())) {
      error_ = nowhereToStart(tp);
    } else if (!p->offset) {
      to_reset.push_back(tp);
    }
  }
  if (!to_reset.empty()) askOffsets(to_reset);
  sendFetches();
}

void ConsumerCore::askOffsets(const std::vector<TopicPartition>& partitions) {
  const auto image = base_.metadata->image();
  std::map<NodeId, std::vector<OffsetQuery>> by_leader;
  bool leaderless = false;
  for (const TopicPartition& tp : partitions) {
    const PartitionMeta* meta = image->partition(tp.topic, tp.partition);
    if (meta == nullptr || meta->leader < 0) {
      leaderless = true;
      continue;
    }
    PartitionPosition& p = *positions_.find(tp);
    p.looking_up = true;
    by_leader[meta->leader].push_back(OffsetQuery{tp, *p.reset, meta->leader_epoch});
  }
  if (leaderless) base_.metadata->requestUpdate();
  for (const auto& [leader, queries] : by_leader) {
    std::map<TopicPartition, std::uint64_t> asked;
    for (const OffsetQuery& q : queries) {
      asked[q.partition] = positions_.find(q.partition)->incarnation;
    }
    base_.transport->call(leader,
                          listOffsetsCall(queries, positions_.options().read_committed,
                                          config_.common.request_timeout_ms),
                          guarded([asked](ConsumerCore& core, Result<Reply> reply) {
                            core.onOffsets(asked, std::move(reply));
                          }));
  }
}

void ConsumerCore::onOffsets(const std::map<TopicPartition, std::uint64_t>& asked,
                             Result<Reply> reply) {
  const auto answers =
      reply ? readListOffsets(*reply) : std::map<TopicPartition, Result<OffsetAndTimestamp>>();
  bool refresh = !reply;
  for (const auto& [tp, incarnation] : asked) {
    PartitionPosition* p = positions_.find(tp);
    if (p == nullptr || p->incarnation != incarnation || !p->reset) continue;
    p->looking_up = false;
    const auto it = answers.find(tp);
    if (it != answers.end() && it->second) {
      if (it->second->offset >= 0) {
        positions_.seek(*p, it->second->offset, it->second->leader_epoch.value_or(-1));
      } else {
        positions_.reset(*p, -1);  // no record is that young: the end
      }
      continue;
    }
    const Errc code = it == answers.end() ? Errc::kNetworkException : it->second.error().code;
    if (!isRetriable(code)) {
      p->error = it->second.error();
      continue;
    }
    refresh = refresh || needsMetadataRefresh(code);
    p->not_before_ms = monotonicNow() + config_.common.retry_backoff_ms;
  }
  if (refresh) base_.metadata->requestUpdate();
  sendFetches();
}

Status ConsumerCore::seek(const TopicPartition& tp, std::int64_t offset, std::int32_t epoch) {
  if (offset < 0) return fail(Errc::kInvalidRequest, "seek: the offset is negative");
  const std::lock_guard lock(mutex_);
  PartitionPosition* p = positions_.find(tp);
  if (p == nullptr) {
    return fail(Errc::kState, fmt::format("seek: {} is not assigned", tp.toString()));
  }
  positions_.seek(*p, offset, epoch);
  sendFetches();
  return {};
}

Status ConsumerCore::seekToTimestamp(const std::vector<TopicPartition>& partitions,
                                     std::int64_t timestamp) {
  const std::lock_guard lock(mutex_);
  const auto targets = partitions.empty() ? owned() : partitions;
  for (const TopicPartition& tp : targets) {
    PartitionPosition* p = positions_.find(tp);
    if (p == nullptr) {
      return fail(Errc::kState, fmt::format("seek: {} is not assigned", tp.toString()));
    }
    positions_.reset(*p, timestamp);
  }
  return updatePositions();
}

Result<std::int64_t> ConsumerCore::position(const TopicPartition& tp, Duration timeout) {
  const TimePoint deadline = deadlineOf(timeout);
  Lock lock(mutex_);
  for (;;) {
    if (closed_) return fail(Errc::kClosed, "the consumer is closed");
    const PartitionPosition* p = positions_.find(tp);
    if (p == nullptr) {
      return fail(Errc::kState, fmt::format("position: {} is not assigned", tp.toString()));
    }
    if (p->offset) return *p->offset;
    if (auto error = takeError()) return std::unexpected(std::move(*error));
    MILLRACE_CHECK_OK(updatePositions());
    if (std::chrono::steady_clock::now() >= deadline) {
      return fail(Errc::kTimeout, fmt::format("no position for {} in time", tp.toString()));
    }
    waitChange(lock, deadline);
  }
}

std::optional<std::int64_t> ConsumerCore::currentLag(const TopicPartition& tp) const {
  const std::lock_guard lock(mutex_);
  const PartitionPosition* p = positions_.find(tp);
  if (p == nullptr || !p->offset || p->high_watermark < 0) return std::nullopt;
  const std::int64_t end = positions_.options().read_committed ? p->last_stable : p->high_watermark;
  return std::max<std::int64_t>(end - *p->offset, 0);
}

Result<std::map<TopicPartition, std::optional<OffsetAndTimestamp>>> ConsumerCore::lookup(
    const std::map<TopicPartition, std::int64_t>& timestamps, Duration timeout) {
  base_.runtime->handOver();
  MILLRACE_TRY(auto found,
               askOffsetsBlocking(base_, config_.common, timestamps,
                                  config_.values.getString("isolation.level") == "read_committed",
                                  deadlineOf(timeout)));
  std::map<TopicPartition, std::optional<OffsetAndTimestamp>> out;
  for (auto& [tp, result] : found) {
    if (!result) return std::unexpected(std::move(result).error());
    out[tp] = result->offset < 0 ? std::nullopt : std::optional(*result);
  }
  return out;
}

Result<std::map<std::string, std::vector<PartitionInfo>>> ConsumerCore::topics(
    std::optional<std::vector<std::string>> names, Duration timeout) {
  base_.runtime->handOver();
  MILLRACE_TRY(const ClusterImage image,
               askCluster(base_, std::move(names), millisUntil(deadlineOf(timeout))));
  std::map<std::string, std::vector<PartitionInfo>> out;
  for (const auto& topic : image.topics) {
    if (topic->error != Errc::kNone) continue;
    auto& partitions = out[topic->name];
    for (const PartitionMeta& p : topic->partitions) {
      partitions.push_back(
          PartitionInfo{TopicPartition{topic->name, p.index}, p.leader, p.replicas, p.in_sync});
    }
  }
  return out;
}

}  // namespace millrace::client
