// Prefetching: one fetch under way per broker, its answer checked and unpacked before anybody is
// woken.
#include "base/log.h"
#include "client/consumer_core.h"
#include "client/deadline.h"
#include "protocol/messages/fetch_request.h"
#include "protocol/messages/fetch_response.h"

#include <fmt/format.h>

namespace millrace::client {
namespace {

using protocol::FetchRequest;
using protocol::FetchResponse;

/// Bytes from which unpacking an answer is worth a second thread.
constexpr std::size_t kLargeAnswer = 32 << 10;

void fillFetch(FetchRequest& r, const FetchPlan& plan, std::int16_t version) {
  r.session_id = version >= 7 ? plan.session_id : 0;
  r.session_epoch = version >= 7 ? plan.session_epoch : -1;
  for (const auto& [tp, wish] : plan.to_send) {
    if (r.topics.empty() || r.topics.back().topic.view() != tp.topic) {
      FetchRequest::FetchTopic topic;
      topic.topic = Text(tp.topic);
      topic.topic_id = wish.topic_id;
      r.topics.push_back(std::move(topic));
    }
    FetchRequest::FetchPartition p;
    p.partition = tp.partition;
    p.current_leader_epoch = wish.leader_epoch;
    p.fetch_offset = wish.offset;
    p.partition_max_bytes = wish.max_bytes;
    r.topics.back().partitions.push_back(std::move(p));
  }
  if (version < 7) return;
  for (const auto& [tp, id] : plan.forgotten) {
    auto& forgotten = r.forgotten_topics_data;
    if (forgotten.empty() || forgotten.back().topic.view() != tp.topic ||
        forgotten.back().topic_id != id) {
      FetchRequest::ForgottenTopic topic;
      topic.topic = Text(tp.topic);
      topic.topic_id = id;
      forgotten.push_back(std::move(topic));
    }
    forgotten.back().partitions.push_back(tp.partition);
  }
}

FetchedBytes describeRecords(const FetchResponse::PartitionData& p) {
  FetchedBytes bytes;
  bytes.records = p.records.bytes();
  bytes.partition = p.partition_index;
  if (p.aborted_transactions) {
    for (const auto& t : *p.aborted_transactions) {
      bytes.aborted.emplace_back(t.producer_id, t.first_offset);
    }
  }
  return bytes;
}

}  // namespace

/// What a fetch asked for, to match its answer with the positions of then.
struct ConsumerCore::AskedFetch {
  NodeId node = kAnyNode;
  std::map<TopicPartition, std::pair<std::uint64_t, std::int64_t>> partitions;
  std::map<Uuid, std::string> names;
  std::map<std::string, std::shared_ptr<const std::string>> topics;
};

/// One partition of an answer, decoded.
struct ConsumerCore::FetchedPartition {
  TopicPartition tp;
  Errc code = Errc::kNone;
  std::int64_t asked_offset = 0;
  std::uint64_t incarnation = 0;
  std::int64_t high_watermark = -1;
  std::int64_t last_stable = -1;
  std::size_t bytes = 0;
  DecodedFetch decoded;
};

void ConsumerCore::sendFetches() {
  if (closed_) return;
  const auto image = base_.metadata->image();
  int leaderless = 0;
  const Millis now_ms = monotonicNow();
  for (auto& [node, wishes] : positions_.wishes(*image, now_ms, leaderless)) {
    NodeFetch& fetch = fetches_[node];
    if (fetch.in_flight || fetch.not_before_ms > now_ms) continue;
    fetch.not_before_ms = 0;
    sendFetch(node, fetch, wishes);
  }
  if (leaderless > 0) base_.metadata->requestUpdate();
}

void ConsumerCore::sendFetch(NodeId node, NodeFetch& fetch, const FetchWishes& wishes) {
  auto asked = std::make_shared<AskedFetch>();
  asked->node = node;
  for (const auto& [tp, wish] : wishes) {
    asked->partitions[tp] = {positions_.find(tp)->incarnation, wish.offset};
    asked->names[wish.topic_id] = tp.topic;
    auto& name = topic_names_[tp.topic];
    if (!name) name = std::make_shared<const std::string>(tp.topic);
    asked->topics[tp.topic] = name;
  }
  auto plan = std::make_shared<FetchPlan>(fetch.session.plan(wishes));
  const Config& c = config_.values;
  FetchRequest head;
  head.max_wait_ms = c.getInt("fetch.max.wait.ms");
  head.min_bytes = c.getInt("fetch.min.bytes");
  head.max_bytes = c.getInt("fetch.max.bytes");
  head.isolation_level = positions_.options().read_committed ? 1 : 0;
  Call call = makeCall<FetchRequest, FetchResponse>(
      {4, plan->by_id ? std::int16_t{17} : std::int16_t{12}},
      config_.common.request_timeout_ms + head.max_wait_ms,
      [head = std::move(head), plan, rack = c.getString("client.rack")](FetchRequest& r,
                                                                        std::int16_t version) {
        r = head;
        if (version >= 11) r.rack_id = Text(rack);
        fillFetch(r, *plan, version);
      });
  fetch.in_flight = true;
  base_.transport->call(
      node, std::move(call),
      [weak = weak_from_this(), runtime = base_.runtime, asked](Result<Reply> reply) mutable {
        auto take = [weak, asked, r = std::move(reply)]() mutable {
          const auto self = weak.lock();
          if (self) self->onFetchAnswer(asked, std::move(r));
        };
        // Unpacking is this client's work, not that of a broker in this process.
        if (runtime->runsHere()) return take();
        runtime->post(std::move(take));
      });
}

/// Checks and unpacks an answer, without the lock: the costly part.
std::vector<ConsumerCore::FetchedPartition> ConsumerCore::decodeAnswer(
    const AskedFetch& asked, const std::shared_ptr<Reply>& reply) {
  std::vector<FetchedPartition> fetched;
  for (auto& topic : static_cast<FetchResponse*>(reply->body.get())->responses) {
    std::string name = topic.topic.str();
    if (name.empty()) {
      const auto it = asked.names.find(topic.topic_id);
      if (it == asked.names.end()) continue;
      name = it->second;
    }
    for (auto& p : topic.partitions) {
      const auto it = asked.partitions.find(TopicPartition{name, p.partition_index});
      if (it == asked.partitions.end()) continue;
      FetchedPartition one;
      one.tp = it->first;
      one.code = fromWire(p.error_code);
      one.incarnation = it->second.first;
      one.asked_offset = it->second.second;
      one.high_watermark = p.high_watermark;
      one.last_stable = p.last_stable_offset;
      one.bytes = p.records.size();
      one.decoded.next_offset = one.asked_offset;
      const Status loaded = p.records.load();
      if (!loaded) {
        one.decoded.error = loaded.error();
      } else if (one.code == Errc::kNone && one.bytes > 0) {
        FetchedBytes bytes = describeRecords(p);
        bytes.owner = reply;
        bytes.topic = asked.topics.at(name);
        bytes.fetch_offset = one.asked_offset;
        bytes.check_crcs = config_.values.getBool("check.crcs");
        bytes.read_committed = positions_.options().read_committed;
        one.decoded = decodeFetch(bytes);
      }
      fetched.push_back(std::move(one));
    }
  }
  return fetched;
}

/// Decodes, then applies under the lock and asks for more.
void ConsumerCore::onFetchAnswer(const std::shared_ptr<AskedFetch>& asked, Result<Reply> reply) {
  std::vector<FetchedPartition> fetched;
  Errc error = Errc::kNetworkException;
  std::int32_t session_id = 0;
  if (reply) {
    const auto kept = std::make_shared<Reply>(std::move(*reply));
    error = fromWire(body<FetchResponse>(*kept).error_code);
    session_id = body<FetchResponse>(*kept).session_id;
    fetched = decodeAnswer(*asked, kept);
  } else {
    MILLRACE_LOG_DEBUG("fetch from {}: {}", asked->node, reply.error().toString());
  }
  std::size_t bytes = 0;
  for (const FetchedPartition& one : fetched) bytes += one.bytes;
  base_.runtime->preferOwnThread(bytes >= kLargeAnswer);
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    NodeFetch& fetch = fetches_[asked->node];
    fetch.in_flight = false;
    if (!reply) {
      fetch.session.onFailure();
      fetch.not_before_ms = monotonicNow() + config_.common.retry_backoff_ms;
      base_.metadata->requestUpdate();
    } else if (!fetch.session.onAnswer(error, session_id)) {
      MILLRACE_LOG_DEBUG("fetch from {}: {}", asked->node, errorName(error));
      if (needsMetadataRefresh(error)) base_.metadata->requestUpdate();
      const bool session_only =
          error == Errc::kFetchSessionIdNotFound || error == Errc::kInvalidFetchSessionEpoch;
      if (!session_only) {
        fetch.not_before_ms = monotonicNow() + config_.common.retry_backoff_ms;
      }
    } else {
      for (FetchedPartition& one : fetched) applyFetch(std::move(one));
    }
    sendFetches();
  }
  tellCaller();
}

void ConsumerCore::applyFetch(FetchedPartition one) {
  PartitionPosition* p = positions_.find(one.tp);
  if (p == nullptr || p->incarnation != one.incarnation) return;
  if (one.code != Errc::kNone) return onFetchError(one.tp, *p, one.code);
  p->not_before_ms = 0;
  p->high_watermark = one.high_watermark;
  p->last_stable = one.last_stable;
  positions_.addFetched(one.tp, one.incarnation, one.asked_offset, std::move(one.decoded),
                        one.bytes);
}

void ConsumerCore::onFetchError(const TopicPartition& tp, PartitionPosition& p, Errc code) {
  if (code == Errc::kOffsetOutOfRange) {
    const auto timestamp = positions_.options().reset.timestamp(systemClock().wallMs());
    if (timestamp) {
      MILLRACE_LOG_INFO("{}: offset {} is out of range, resetting by auto.offset.reset",
                        tp.toString(), p.fetch_offset);
      if (p.prefetched.empty()) positions_.reset(p, *timestamp);
      return;
    }
    p.error = Error{code, fmt::format("{}: offset {} is no longer (or not yet) there and "
                                      "auto.offset.reset is none: seek",
                                      tp.toString(), p.fetch_offset)};
    return;
  }
  const bool temporary = isRetriable(code) || code == Errc::kUnknownServerError;
  if (!temporary) {
    p.error = Error{code, fmt::format("{}: {}", tp.toString(), errorMessage(code))};
    return;
  }
  MILLRACE_LOG_DEBUG("fetch of {}: {}", tp.toString(), errorName(code));
  p.not_before_ms = monotonicNow() + config_.common.retry_backoff_ms;
  if (needsMetadataRefresh(code) || code == Errc::kUnknownLeaderEpoch) {
    base_.metadata->requestUpdate();
  }
}

}  // namespace millrace::client
