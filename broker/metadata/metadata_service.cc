#include "broker/metadata/metadata_service.h"

#include "base/log.h"
#include "base/net/blocking_pool.h"
#include "base/net/gate.h"
#include "base/net/shard.h"
#include "base/net/shield.h"
#include "base/net/waiter.h"
#include "broker/metadata/metadata_log.h"
#include "log/log_manager.h"
#include "protocol/messages/alter_configs_request.h"
#include "protocol/messages/alter_configs_response.h"
#include "protocol/messages/create_partitions_request.h"
#include "protocol/messages/create_partitions_response.h"
#include "protocol/messages/create_topics_request.h"
#include "protocol/messages/create_topics_response.h"
#include "protocol/messages/delete_topics_request.h"
#include "protocol/messages/delete_topics_response.h"
#include "protocol/messages/incremental_alter_configs_request.h"
#include "protocol/messages/incremental_alter_configs_response.h"

#include <fmt/core.h>

#include <chrono>
#include <latch>

namespace millrace::broker {
namespace {

/// No deadline: the wait ends by a wake or by cancellation.
SteadyTime never() { return SteadyTime::max(); }

/// A failure of the log instead of a decision: every entry of the answer says so.
template <class Entries>
void failEntries(Entries& entries, const Error& error) {
  for (auto& entry : entries) {
    if (entry.error_code != 0) continue;
    entry.error_code = static_cast<std::int16_t>(toWire(error.code));
    entry.error_message = error.detail;
  }
}
void failAll(protocol::CreateTopicsResponse& r, const Error& e) { failEntries(r.topics, e); }
void failAll(protocol::DeleteTopicsResponse& r, const Error& e) { failEntries(r.responses, e); }
void failAll(protocol::CreatePartitionsResponse& r, const Error& e) { failEntries(r.results, e); }
void failAll(protocol::IncrementalAlterConfigsResponse& r, const Error& e) {
  failEntries(r.responses, e);
}
void failAll(protocol::AlterConfigsResponse& r, const Error& e) { failEntries(r.responses, e); }

/// Everything that an image holds, as changes from nothing.
MetadataChanges allOf(const MetadataImage& image) {
  MetadataChanges changes;
  image.topics.forEach(
      [&](const std::string&, const TopicPtr& topic) { changes.topics.push_back(topic); });
  image.configs.forEach([&](const ConfigResource& resource, const ConfigMapPtr&) {
    changes.configs.push_back(resource);
  });
  return changes;
}

}  // namespace

struct MetadataService::Impl {
  Impl(const Clock& c, Shard& s)
      : clock(c), shard(s), image(std::make_shared<const MetadataImage>()), cache(image) {}

  /// Held by whoever changes the image; others wait their turn.
  class Lock {
   public:
    Lock() = default;
    explicit Lock(Impl* owner) : owner_(owner) {}
    Lock(Lock&& o) noexcept : owner_(std::exchange(o.owner_, nullptr)) {}
    Lock& operator=(Lock&& o) noexcept {
      std::swap(owner_, o.owner_);
      return *this;
    }
    ~Lock() {
      if (!owner_) return;
      owner_->busy = false;
      owner_->turn.wakeOne();
    }
    explicit operator bool() const { return owner_ != nullptr; }

   private:
    Impl* owner_ = nullptr;
  };

  /// How a change ended; its requester waits for it.
  struct Completion {
    bool done = false;
    Status status;
    WaitList waiting;
  };

  Task<Lock> acquire();
  /// Appends and applies; the image is the next one when this returns.
  Result<MetadataDelta::Outcome> append(const MetadataRecords& records);
  /// Makes an appended change durable and visible. Runs in the service's own gate, so that a client
  /// that disconnects cannot leave a change half done.
  Task<void> finish(MetadataDelta::Outcome outcome, Lock lock,
                    std::shared_ptr<Completion> completion);
  Task<Status> flush();
  Task<Status> commit(MetadataDelta::Outcome outcome, Lock lock);
  template <class Response, class Decide>
  Task<Response> change(Decide decide);
  Task<Result<std::int64_t>> takeProducerId();
  /// What `settle` says, which runs while no other change is under way.
  Task<Status> settleFirst(std::function<Task<Result<MetadataRecords>>()> settle);
  Task<Result<MetadataRecords>> withdrawFrom(std::vector<Uuid> online,
                                             std::function<Task<void>()> settle);
  Task<Result<MetadataRecords>> settlePlaces(
      std::function<Task<Result<std::vector<ReplicaPlace>>>()> settle);
  /// bootstrap.checkpoint and quorum-state, in the background: each costs two fsyncs, and all that
  /// they say stands in the log, too.
  void writeFormatFiles(Millis now_ms);

  const Clock& clock;
  Shard& shard;
  MetadataOptions options;
  std::unique_ptr<MetadataLog> log;
  std::unique_ptr<Controller> controller;
  ImagePtr image;  ///< contains everything appended
  MetadataCache cache;
  std::vector<MetadataListener> listeners;
  bool busy = false;
  bool stopped = false;
  WaitList turn;
  Gate gate;
  ProducerIdBlock producer_ids;
  std::int64_t broker_epoch = -1;
  std::shared_ptr<std::latch> format_files = std::make_shared<std::latch>(1);
};

using Impl = MetadataService::Impl;

Task<Impl::Lock> Impl::acquire() {
  while (busy) {
    const Wake wake = co_await turn.park(never());
    if (wake == Wake::kCancelled) co_return Lock{};
  }
  busy = true;
  co_return Lock(this);
}

Result<MetadataDelta::Outcome> Impl::append(const MetadataRecords& records) {
  MILLRACE_TRY(const std::int64_t first, log->append(records, clock.wallMs()));
  MetadataDelta delta(*image);
  std::int64_t offset = first;
  for (const MetadataRecord& record : records) {
    const Status applied = delta.apply(record, offset++);
    // The controller decided on this very image: a record that does not fit it is a bug.
    MILLRACE_ASSERT(applied.has_value(), applied ? "" : applied.error().toString());
  }
  delta.setPosition(offset - 1, log->leaderEpoch());
  MetadataDelta::Outcome outcome = delta.finish();
  image = outcome.image;
  return outcome;
}

Task<Status> Impl::flush() {
  const log::FlushJob job = log->prepareFlush();
  auto run = [job] { return job.run(); };
  const Status status = co_await runBlocking(*options.blocking, run);
  log->flushed(job, status);
  co_return status;
}

Task<void> Impl::finish(MetadataDelta::Outcome outcome, Lock lock,
                        std::shared_ptr<Completion> completion) {
  const Lock held = std::move(lock);
  completion->status = co_await flush();
  if (!completion->status) {
    MILLRACE_LOG_ERROR("metadata log: {}", completion->status.error().toString());
  }
  for (const MetadataListener& listener : listeners) {
    co_await listener(outcome.image, outcome.changes);
  }
  cache.publish(outcome.image);
  completion->done = true;
  completion->waiting.wakeAll();
}

Task<Status> Impl::commit(MetadataDelta::Outcome outcome, Lock lock) {
  auto completion = std::make_shared<Completion>();
  const bool started = spawn(gate, shard, "metadata change",
                             finish(std::move(outcome), std::move(lock), completion));
  if (!started) co_return fail(Errc::kClosed, "the broker is stopping");
  while (!completion->done) {
    const Wake wake = co_await completion->waiting.park(never());
    if (wake == Wake::kCancelled) co_return fail(Errc::kCancelled, "the caller went away");
  }
  co_return completion->status;
}

template <class Response, class Decide>
Task<Response> Impl::change(Decide decide) {
  Lock lock = co_await acquire();
  Decision<Response> decision = decide(*controller, *image);
  if (!lock || stopped) {
    failAll(decision.response, Error{Errc::kNotController, "the broker is stopping"});
    co_return std::move(decision.response);
  }
  if (decision.records.empty()) co_return std::move(decision.response);
  auto outcome = append(decision.records);
  if (!outcome) {
    failAll(decision.response, outcome.error());
    co_return std::move(decision.response);
  }
  const Status status = co_await commit(std::move(*outcome), std::move(lock));
  if (!status) failAll(decision.response, status.error());
  co_return std::move(decision.response);
}

Task<Result<std::int64_t>> Impl::takeProducerId() {
  if (producer_ids.size == 0) {
    Lock lock = co_await acquire();
    if (!lock || stopped) co_return fail(Errc::kCoordinatorNotAvailable, "the broker is stopping");
    if (producer_ids.size == 0) {
      const auto decision = controller->allocateProducerIds(*image, options.controller.node_id);
      auto outcome = append(decision.records);
      if (!outcome) co_return std::unexpected(outcome.error());
      // Taken only when it is on disk: a lost block would be handed out twice.
      const Status status = co_await commit(std::move(*outcome), std::move(lock));
      if (!status) co_return std::unexpected(status.error());
      producer_ids = decision.response;
    }
  }
  --producer_ids.size;
  co_return producer_ids.first++;
}

Task<Status> Impl::settleFirst(std::function<Task<Result<MetadataRecords>>()> settle) {
  Lock lock = co_await acquire();
  if (!lock || stopped) co_return fail(Errc::kClosed, "the broker is stopping");
  // What is settled is written down, although the caller's gate may close meanwhile.
  co_await shielded();
  const Result<MetadataRecords> records = co_await settle();
  Status status;
  if (!records) {
    status = std::unexpected(records.error());
  } else if (!records->empty()) {
    auto outcome = append(*records);
    if (!outcome) status = std::unexpected(outcome.error());
    if (outcome) status = co_await commit(std::move(*outcome), std::move(lock));
  }
  co_await unshielded();
  co_return status;
}

Task<Result<MetadataRecords>> Impl::withdrawFrom(std::vector<Uuid> online,
                                                 std::function<Task<void>()> settle) {
  co_await settle();
  co_return controller->directoriesFailed(*image, options.controller.node_id, online);
}

Task<Result<MetadataRecords>> Impl::settlePlaces(
    std::function<Task<Result<std::vector<ReplicaPlace>>>()> settle) {
  const Result<std::vector<ReplicaPlace>> places = co_await settle();
  if (!places) co_return std::unexpected(places.error());
  co_return controller->replicasMoved(*image, options.controller.node_id, *places);
}

void Impl::writeFormatFiles(Millis now_ms) {
  options.blocking->submit([this, now_ms, done = format_files] {
    const Status bootstrap =
        writeBootstrapCheckpoint(options.logs->files(), options.directory, now_ms);
    const Status quorum = log->writeQuorumState();
    for (const Status* status : {&bootstrap, &quorum}) {
      if (!*status) MILLRACE_LOG_WARN("metadata: {}", status->error().toString());
    }
    done->count_down();
  });
}

MetadataService::MetadataService(const Clock& clock, Shard& shard)
    : impl_(std::make_unique<Impl>(clock, shard)) {}
MetadataService::~MetadataService() = default;

MetadataCache& MetadataService::cache() { return impl_->cache; }
void MetadataService::follow(MetadataListener listener) {
  impl_->listeners.push_back(std::move(listener));
}
std::int64_t MetadataService::brokerEpoch() const { return impl_->broker_epoch; }

Status MetadataService::open(MetadataOptions options) {
  Impl& s = *impl_;
  s.options = std::move(options);
  s.controller = std::make_unique<Controller>(s.options.controller, randomUuid);
  const Millis now = s.clock.wallMs();
  MetadataLog::Options log_options;
  log_options.logs = s.options.logs;
  log_options.directory_id = s.options.directory_id;
  log_options.directory = s.options.directory;
  log_options.node_id = s.options.controller.node_id;
  MILLRACE_TRY(s.log, MetadataLog::open(std::move(log_options)));
  auto base = std::make_shared<MetadataImage>();
  base->cluster_id = s.options.cluster_id;
  MetadataDelta delta(*base);
  MILLRACE_CHECK_OK(s.log->replay(delta));
  s.image = delta.finish().image;
  MILLRACE_CHECK_OK(s.log->becomeLeader(now));
  if (s.image->features.empty()) {
    MILLRACE_TRY(const auto outcome, s.append(s.controller->bootstrap()));
  }
  s.cache.publish(s.image);
  s.writeFormatFiles(now);
  return {};
}

Task<Status> MetadataService::start() {
  Impl& s = *impl_;
  const Impl::Lock lock = co_await s.acquire();
  BrokerImage self;
  self.id = s.options.controller.node_id;
  self.incarnation_id = randomUuid();
  self.endpoints = s.options.endpoints;
  self.rack = s.options.rack;
  self.log_dirs = s.options.online;
  if (self.log_dirs.empty()) self.log_dirs = {s.options.directory_id};
  s.broker_epoch = s.log->endOffset();
  auto registered = s.append(s.controller->registerBroker(self, s.broker_epoch));
  if (!registered) co_return std::unexpected(registered.error());
  auto unfenced = s.append(s.controller->unfenceBroker(*s.image, self.id));
  if (!unfenced) co_return std::unexpected(unfenced.error());
  const MetadataChanges changes = allOf(*s.image);
  for (const MetadataListener& listener : s.listeners) {
    co_await listener(s.image, changes);
  }
  s.cache.publish(s.image);
  co_return Status{};
}

Task<void> MetadataService::stop() {
  Impl& s = *impl_;
  {
    const Impl::Lock lock = co_await s.acquire();
    if (lock && s.log && !s.stopped && s.broker_epoch >= 0) {
      const MetadataRecords records =
          s.controller->fenceBroker(*s.image, s.options.controller.node_id);
      if (!records.empty()) {
        const auto fenced = s.append(records);
        if (!fenced) MILLRACE_LOG_WARN("metadata log: {}", fenced.error().toString());
      }
    }
    s.stopped = true;
  }
  s.turn.close();
  co_await s.gate.close();
  if (s.broker_epoch < 0) co_return;
  auto written = [done = s.format_files] { done->wait(); };
  co_await runBlocking(*s.options.blocking, written);
}

template <class Response, class Decide>
Task<Response> MetadataService::onOwnShard(Decide decide) {
  Impl* const s = impl_.get();
  auto run = [s, decide] { return s->change<Response>(decide); };
  co_return co_await onShardAsync(s->shard, run);
}

Task<protocol::CreateTopicsResponse> MetadataService::createTopics(
    protocol::CreateTopicsRequest request) {
  auto decide = [&request](const Controller& c, const MetadataImage& image) {
    return c.createTopics(image, request);
  };
  co_return co_await onOwnShard<protocol::CreateTopicsResponse>(decide);
}

Task<protocol::DeleteTopicsResponse> MetadataService::deleteTopics(
    protocol::DeleteTopicsRequest request, std::int16_t version) {
  auto decide = [&request, version](const Controller& c, const MetadataImage& image) {
    return c.deleteTopics(image, request, version);
  };
  co_return co_await onOwnShard<protocol::DeleteTopicsResponse>(decide);
}

Task<protocol::CreatePartitionsResponse> MetadataService::createPartitions(
    protocol::CreatePartitionsRequest request) {
  auto decide = [&request](const Controller& c, const MetadataImage& image) {
    return c.createPartitions(image, request);
  };
  co_return co_await onOwnShard<protocol::CreatePartitionsResponse>(decide);
}

Task<protocol::IncrementalAlterConfigsResponse> MetadataService::incrementalAlterConfigs(
    protocol::IncrementalAlterConfigsRequest request) {
  auto decide = [&request](const Controller& c, const MetadataImage& image) {
    return c.incrementalAlterConfigs(image, request);
  };
  co_return co_await onOwnShard<protocol::IncrementalAlterConfigsResponse>(decide);
}

Task<protocol::AlterConfigsResponse> MetadataService::alterConfigs(
    protocol::AlterConfigsRequest request) {
  auto decide = [&request](const Controller& c, const MetadataImage& image) {
    return c.alterConfigs(image, request);
  };
  co_return co_await onOwnShard<protocol::AlterConfigsResponse>(decide);
}

Task<Status> MetadataService::directoriesFailed(std::vector<Uuid> online,
                                                std::function<Task<void>()> settle) {
  Impl* const s = impl_.get();
  auto withdraw = [s, online, settle] { return s->withdrawFrom(online, settle); };
  auto run = [s, &withdraw] { return s->settleFirst(withdraw); };
  co_return co_await onShardAsync(s->shard, run);
}

Task<Status> MetadataService::replicasMoved(
    std::function<Task<Result<std::vector<ReplicaPlace>>>()> settle) {
  Impl* const s = impl_.get();
  auto places = [s, settle] { return s->settlePlaces(settle); };
  auto run = [s, &places] { return s->settleFirst(places); };
  co_return co_await onShardAsync(s->shard, run);
}

Task<Result<std::int64_t>> MetadataService::nextProducerId() {
  Impl* const s = impl_.get();
  auto run = [s] { return s->takeProducerId(); };
  co_return co_await onShardAsync(s->shard, run);
}

}  // namespace millrace::broker
