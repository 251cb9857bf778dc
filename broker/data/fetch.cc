#include "broker/data/fetch.h"

#include "base/clock.h"
#include "broker/data/fetch_job.h"
#include "broker/data/fetch_wait.h"
#include "broker/request_budget.h"
#include "broker/services.h"

#include <chrono>
#include <memory>

namespace millrace::broker {

namespace {

/// Interrupts a wait when the client goes away; lets go of the session when the wait is over.
class SessionHook {
 public:
  SessionHook(Session& session, std::function<void()> call) : session_(session) {
    if (!session.closed) at_ = session.on_close.insert(session.on_close.end(), std::move(call));
  }
  ~SessionHook() {
    if (!session_.closed) session_.on_close.erase(at_);
  }
  SessionHook(const SessionHook&) = delete;
  SessionHook& operator=(const SessionHook&) = delete;

 private:
  Session& session_;
  std::list<std::function<void()>>::iterator at_;
};

FetchSessionRequest sessionRequest(const protocol::FetchRequest& request, bool by_id) {
  FetchSessionRequest out;
  out.session_id = request.session_id;
  out.epoch = request.session_epoch;
  out.by_topic_id = by_id;
  const auto nameTopic = [by_id](const Text& name, const Uuid& id) {
    FetchTopic topic;
    if (by_id) {
      topic.id = id;
    } else {
      topic.name = name.str();
    }
    return std::make_shared<const FetchTopic>(std::move(topic));
  };
  for (const auto& topic : request.topics) {
    const auto named = nameTopic(topic.topic, topic.topic_id);
    for (const auto& p : topic.partitions) {
      out.partitions.push_back({named, p.partition, p.current_leader_epoch, p.fetch_offset,
                                p.last_fetched_epoch, p.log_start_offset, p.partition_max_bytes});
    }
  }
  for (const auto& topic : request.forgotten_topics_data) {
    const auto named = nameTopic(topic.topic, topic.topic_id);
    for (const std::int32_t p : topic.partitions) {
      auto& gone = out.forgotten.emplace_back();
      gone.topic = named;
      gone.partition = p;
    }
  }
  return out;
}

FetchOptions optionsOf(const Services& services, const RequestContext& context,
                       const protocol::FetchRequest& request) {
  const std::int32_t replica =
      context.version >= 15 ? request.replica_state.replica_id : request.replica_id;
  FetchOptions options;
  options.min_bytes = request.min_bytes;
  options.max_bytes = std::min(request.max_bytes, services.fetch_max_bytes);
  options.committed_only = request.isolation_level == 1;
  options.as_replica = replica >= 0;
  options.by_topic_id = context.version >= 13;
  return options;
}

}  // namespace

Task<protocol::FetchResponse> handleFetch(Services& services, RequestContext context,
                                          protocol::FetchRequest request) {
  const FetchOptions options = optionsOf(services, context, request);
  auto begun = services.fetch_sessions->begin(sessionRequest(request, options.by_topic_id),
                                              context.received_ms);
  if (!begun) {
    protocol::FetchResponse refusal;
    refusal.error_code = static_cast<std::int16_t>(begun.error().code);
    co_return refusal;
  }
  const auto job = std::make_shared<FetchJob>(services, std::move(*begun), options);
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(request.max_wait_ms);
  bool may_wait = request.max_wait_ms > 0 && options.min_bytes > 0;
  for (;;) {
    may_wait = may_wait && !context.session->closed;
    const auto wait = std::make_shared<FetchWait>(*services.shards, *context.shard, job,
                                                  may_wait ? options.min_bytes : 0);
    Wake wake = Wake::kNotified;
    if (!wait->begin()) {
      const SessionHook hook(*context.session, [wait] { wait->interrupt(); });
      if (may_wait) parks(context);
      wake = co_await wait->park(may_wait ? deadline : SteadyTime::max());
    }
    if (wake == Wake::kCancelled) co_return protocol::FetchResponse{};  // nobody is left to read it
    if (context.session->closed) break;
    if (wake != Wake::kTimedOut && (!may_wait || job->isComplete())) break;
    // At the deadline the client gets whatever is there by now.
    if (wake == Wake::kTimedOut) may_wait = false;
    job->reset();
  }
  context.reply->shard = ShardAffinity::placeOf(job->shards());
  co_return job->answer(*services.fetch_sessions, services.clock->monotonicMs());
}

}  // namespace millrace::broker
