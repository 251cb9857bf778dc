// Where to start and where things are: committed offsets, resets, lookups by time.
#include <fmt/format.h>

#include "base/log.h"
#include "client/consumer_core.h"
#include "protocol/messages/metadata_request.h"
#include "protocol/messages/metadata_response.h"

namespace millrace::client {
namespace {

Millis monotonicNow() { return systemClock().monotonicMs(); }

Millis millisUntil(std::chrono::steady_clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  return std::max<Millis>(left.count(), 0);
}

Error nowhereToStart(const TopicPartition& tp) {
  return Error{Errc::kNotFound,
               fmt::format("NO_OFFSET_FOR_PARTITION {}: nothing is committed and "
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
  base_.transport->call(
      *coordinator_, offsetFetchCall(group_, partitions, true, config_.common.request_timeout_ms),
      guarded([asked](ConsumerCore& core, Result<Reply> reply) {
        core.committed_asking_ = false;
        auto offsets = reply ? readOffsetFetch(*reply) : std::unexpected(reply.error());
        if (!offsets) {
          const Error& error = offsets.error();
          const bool moved = error.code == Errc::kNotCoordinator ||
                             error.code == Errc::kCoordinatorNotAvailable ||
                             error.code == Errc::kNetworkException;
          if (moved) core.coordinatorLost();
          if (!isRetriable(error.code)) core.error_ = error;
          for (const auto& [tp, incarnation] : asked) {
            PartitionPosition* p = core.positions_.find(tp);
            if (p != nullptr) p->not_before_ms = monotonicNow() + core.config_.common.retry_backoff_ms;
          }
          return;
        }
        std::vector<TopicPartition> to_reset;
        for (const auto& [tp, incarnation] : asked) {
          PartitionPosition* p = core.positions_.find(tp);
          if (p == nullptr || p->incarnation != incarnation || !p->needsCommitted()) continue;
          const auto it = offsets->find(tp);
          std::optional<OffsetAndMetadata> found;
          if (it != offsets->end()) found = it->second;
          if (!core.positions_.applyCommitted(*p, found, systemClock().wallMs())) {
            core.error_ = nowhereToStart(tp);
          } else if (!p->offset) {
            to_reset.push_back(tp);
          }
        }
        if (!to_reset.empty()) core.askOffsets(to_reset);
        core.sendFetches();
      }));
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
  const std::int64_t end =
      positions_.options().read_committed ? p->last_stable : p->high_watermark;
  return std::max<std::int64_t>(end - *p->offset, 0);
}

Result<std::map<TopicPartition, std::optional<OffsetAndTimestamp>>> ConsumerCore::lookup(
    const std::map<TopicPartition, std::int64_t>& timestamps, Duration timeout) {
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
  MILLRACE_TRY(const ClusterImage image,
               askCluster(base_, std::move(names), millisUntil(deadlineOf(timeout))));
  std::map<std::string, std::vector<PartitionInfo>> out;
  for (const auto& [name, topic] : image.topics) {
    if (topic.error != Errc::kNone) continue;
    auto& partitions = out[name];
    for (const PartitionMeta& p : topic.partitions) {
      partitions.push_back(
          PartitionInfo{TopicPartition{name, p.index}, p.leader, p.replicas, p.in_sync});
    }
  }
  return out;
}

Result<ClusterImage> askCluster(ClientBase& base, std::optional<std::vector<std::string>> topics,
                                Millis timeout_ms) {
  const bool all = !topics.has_value();
  const Millis give_up_ms = monotonicNow() + timeout_ms;
  for (;;) {
    Call call = makeCall<protocol::MetadataRequest, protocol::MetadataResponse>(
        {4, 13}, std::max<Millis>(give_up_ms - monotonicNow(), 1),
        [topics](protocol::MetadataRequest& r, std::int16_t) {
          r.allow_auto_topic_creation = false;
          if (!topics) {
            r.topics = std::nullopt;
            return;
          }
          for (const std::string& name : *topics) {
            protocol::MetadataRequest::MetadataRequestTopic topic;
            topic.name = Text(name);
            r.topics->push_back(std::move(topic));
          }
        });
    auto reply = callAndWait(*base.transport, kAnyNode, std::move(call));
    if (reply) {
      ClusterImage image = mergeMetadata({}, body<protocol::MetadataResponse>(*reply), all);
      base.transport->setNodes(image.nodes);
      return image;
    }
    if (!isRetriable(reply.error().code) || monotonicNow() + 100 >= give_up_ms) {
      return std::unexpected(reply.error());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // the caller's own thread
  }
}

Result<std::map<TopicPartition, Result<OffsetAndTimestamp>>> askOffsetsBlocking(
    ClientBase& base, const CommonConfig& config,
    const std::map<TopicPartition, std::int64_t>& timestamps, bool read_committed,
    std::chrono::steady_clock::time_point deadline) {
  std::map<TopicPartition, Result<OffsetAndTimestamp>> out;
  std::map<TopicPartition, std::int64_t> left = timestamps;
  while (!left.empty()) {
    std::set<std::string> names;
    for (const auto& [tp, timestamp] : left) names.insert(tp.topic);
    MILLRACE_TRY(const ClusterImage image,
                 askCluster(base, std::vector<std::string>(names.begin(), names.end()),
                            std::max<Millis>(millisUntil(deadline), 1)));
    std::map<NodeId, std::vector<OffsetQuery>> by_leader;
    for (const auto& [tp, timestamp] : left) {
      const PartitionMeta* meta = image.partition(tp.topic, tp.partition);
      if (meta == nullptr || meta->leader < 0) {
        out.insert_or_assign(tp, fail(Errc::kUnknownTopicOrPartition,
                                      fmt::format("{} does not exist or has no leader",
                                                  tp.toString())));
        continue;
      }
      by_leader[meta->leader].push_back(OffsetQuery{tp, timestamp, meta->leader_epoch});
    }
    for (const auto& [leader, queries] : by_leader) {
      const Millis limit = std::min(config.request_timeout_ms, millisUntil(deadline) + 1);
      auto reply =
          callAndWait(*base.transport, leader, listOffsetsCall(queries, read_committed, limit));
      if (!reply) {
        for (const OffsetQuery& q : queries) {
          out.insert_or_assign(q.partition, std::unexpected(reply.error()));
        }
        continue;
      }
      for (auto& [tp, result] : readListOffsets(*reply)) out.insert_or_assign(tp, std::move(result));
    }
    std::erase_if(left, [&](const auto& entry) {
      const auto it = out.find(entry.first);
      return it != out.end() && (it->second || !isRetriable(it->second.error().code));
    });
    if (left.empty() || millisUntil(deadline) <= config.retry_backoff_ms) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(config.retry_backoff_ms));
  }
  return out;
}

}  // namespace millrace::client
