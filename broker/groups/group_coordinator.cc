#include "broker/groups/group_coordinator.h"

#include "base/config.h"
#include "base/log.h"
#include "base/random.h"
#include "broker/groups/group_loader.h"
#include "record/builder.h"

#include <chrono>

namespace millrace::broker {
namespace {

constexpr std::uint32_t kLoadBytes = 4 << 20;
constexpr std::int64_t kMsPerMinute = 60'000;

/// A random version 4 uuid in its usual text, as Java's clients see in member ids.
std::string newMemberSuffix() {
  RandomSource& random = systemRandom();
  const std::uint64_t high = (random.next() & ~0xF000ULL) | 0x4000ULL;
  const std::uint64_t low = (random.next() & ~(3ULL << 62)) | (2ULL << 62);
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xFFFF,
                     high & 0xFFFF, low >> 48, low & 0xFFFFFFFFFFFFULL);
}

SteadyTime after(Millis ms) {
  return std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
}

}  // namespace

CoordinatorConfig CoordinatorConfig::of(const Config& broker) {
  CoordinatorConfig c;
  c.groups.min_session_timeout_ms = broker.getInt("group.min.session.timeout.ms");
  c.groups.max_session_timeout_ms = broker.getInt("group.max.session.timeout.ms");
  c.groups.initial_rebalance_delay_ms = broker.getInt("group.initial.rebalance.delay.ms");
  c.groups.max_size = broker.getInt("group.max.size");
  c.offsets.retention_ms = broker.getLong("offsets.retention.minutes") * kMsPerMinute;
  c.offsets.max_metadata_bytes = broker.getInt("offset.metadata.max.bytes");
  c.expiry_interval_ms = broker.getLong("offsets.retention.check.interval.ms");
  return c;
}

Errc appendErrorToAnswer(Errc error) {
  switch (error) {
    case Errc::kUnknownTopicOrPartition:
    case Errc::kNotEnoughReplicas:
    case Errc::kNotEnoughReplicasAfterAppend:
    case Errc::kRequestTimedOut: return Errc::kCoordinatorNotAvailable;
    case Errc::kNotLeaderOrFollower:
    case Errc::kKafkaStorageError: return Errc::kNotCoordinator;
    case Errc::kMessageTooLarge:
    case Errc::kRecordListTooLarge:
    case Errc::kInvalidFetchSize: return Errc::kUnknownServerError;
    default: return toWire(error);
  }
}

GroupCoordinator::GroupCoordinator(TopicIdPartition partition, CoordinatorConfig config,
                                   PartitionStore& store, const Clock& clock, Shard& shard)
    : partition_(partition),
      config_(config),
      store_(store),
      clock_(clock),
      shard_(shard),
      machine_(config.groups, newMemberSuffix),
      offsets_(config.offsets, machine_) {}

Millis GroupCoordinator::now() {
  const Millis monotonic = clock_.monotonicMs();
  machine_.setWallOffset(clock_.wallMs() - monotonic);
  return monotonic;
}

void GroupCoordinator::start() {
  spawn(gate_, shard_, "load group offsets", load(shared_from_this()));
}

void GroupCoordinator::resign() {
  status_ = Errc::kNotCoordinator;
  perform(machine_.resign(Errc::kNotCoordinator));
  timer_wake_.close();
}

Task<> GroupCoordinator::load(Self self) {
  GroupLoader loader(self->machine_, self->offsets_);
  const auto bounds = co_await self->store_.bounds(self->partition_);
  Offset next = bounds ? bounds->start : Offset{0};
  Status loaded;
  while (bounds && loaded && self->status_ == Errc::kCoordinatorLoadInProgress &&
         next < bounds->end) {
    const auto read = co_await self->store_.read(self->partition_, next, kLoadBytes);
    if (!read) {
      loaded = std::unexpected(read.error());
    } else if (read->next_offset == next) {
      break;
    } else {
      loaded = loader.load(read->batches);
      next = read->next_offset;
    }
  }
  if (!bounds) loaded = std::unexpected(bounds.error());
  if (self->status_ != Errc::kCoordinatorLoadInProgress) co_return;
  if (!loaded) {
    MILLRACE_LOG_ERROR("groups of {}-{} cannot be loaded: {}", kOffsetsTopic,
                       self->partition_.partition, loaded.error().toString());
    self->status_ = Errc::kNotCoordinator;
    co_return;
  }
  self->machine_.startSessions(self->now());
  self->status_ = Errc::kNone;
  self->next_expiry_ms_ = self->now() + self->config_.expiry_interval_ms;
  spawn(self->gate_, self->shard_, "group timers", runTimers(self));
}

Task<> GroupCoordinator::runTimers(Self self) {
  for (;;) {
    const Millis next = std::min(self->machine_.nextDeadline().value_or(self->next_expiry_ms_),
                                 self->next_expiry_ms_);
    const Millis wait_ms = next - self->now();
    if (wait_ms > 0) {
      const Wake wake = co_await self->timer_wake_.park(after(wait_ms));
      if (wake == Wake::kCancelled) co_return;
    }
    self->perform(self->machine_.tick(self->now()));
    if (self->now() < self->next_expiry_ms_) continue;
    self->next_expiry_ms_ = self->now() + self->config_.expiry_interval_ms;
    co_await self->expireOffsets();
  }
}

Task<Result<Appended>> GroupCoordinator::append(std::vector<GroupRecord> records) {
  record::BatchBuilder builder;
  const Millis timestamp = clock_.wallMs();
  for (const GroupRecord& r : records) {
    const std::optional<BytesView> value =
        r.value ? std::optional<BytesView>(*r.value) : std::nullopt;
    builder.append(timestamp, r.key, value);
  }
  auto batch = builder.build();
  if (!batch) co_return std::unexpected(batch.error());
  co_return co_await store_.append(partition_, std::move(*batch));
}

Task<> GroupCoordinator::appendAndReport(Self self, GroupActions::Append append) {
  const auto appended = co_await self->append(std::move(append.records));
  if (!appended) {
    MILLRACE_LOG_WARN("group records of {}-{}: {}", kOffsetsTopic, self->partition_.partition,
                      appended.error().toString());
  }
  const Errc outcome = appended ? Errc::kNone : appendErrorToAnswer(appended.error().code);
  self->perform(self->machine_.appended(append.ticket, outcome, self->now()));
}

void GroupCoordinator::perform(GroupActions actions) {
  for (auto& [token, response] : actions.joins) answer(joins_, token, std::move(response));
  for (auto& [token, response] : actions.syncs) answer(syncs_, token, std::move(response));
  for (auto& append : actions.appends) {
    spawn(gate_, shard_, "group append", appendAndReport(shared_from_this(), std::move(append)));
  }
  timer_wake_.wakeAll();
}

template <class Response>
void GroupCoordinator::answer(ParkedByToken<Response>& parked, Token token, Response response) {
  const auto found = parked.find(token);
  if (found == parked.end()) return;
  found->second->answer = std::move(response);
  found->second->waiting.wakeAll();
  parked.erase(found);
}

template <class Response>
Task<Response> GroupCoordinator::park(Self, std::shared_ptr<Parked<Response>> slot,
                                      Response cancelled) {
  while (!slot->answer) {
    const Wake wake = co_await slot->waiting.park(SteadyTime::max());
    if (wake == Wake::kCancelled && !slot->answer) co_return cancelled;
  }
  co_return std::move(*slot->answer);
}

Task<protocol::JoinGroupResponse> GroupCoordinator::join(JoinEvent event) {
  const Self self = shared_from_this();
  if (status_ != Errc::kNone) co_return joinError(event.member_id, status_);
  const Token token = next_token_++;
  auto slot = std::make_shared<Parked<protocol::JoinGroupResponse>>();
  joins_.emplace(token, slot);
  perform(machine_.join(event, token, now()));
  auto cancelled = joinError(event.member_id, Errc::kRebalanceInProgress);
  co_return co_await park(self, slot, std::move(cancelled));
}

Task<protocol::SyncGroupResponse> GroupCoordinator::sync(SyncEvent event) {
  const Self self = shared_from_this();
  if (status_ != Errc::kNone) {
    // Kafka: a client that hears of loading here cannot retry a sync; it rejoins.
    const bool loading = status_ == Errc::kCoordinatorLoadInProgress;
    co_return syncError(loading ? Errc::kRebalanceInProgress : status_);
  }
  const Token token = next_token_++;
  auto slot = std::make_shared<Parked<protocol::SyncGroupResponse>>();
  syncs_.emplace(token, slot);
  perform(machine_.sync(event, token, now()));
  auto cancelled = syncError(Errc::kRebalanceInProgress);
  co_return co_await park(self, slot, std::move(cancelled));
}

Errc GroupCoordinator::heartbeat(const std::string& group_id, const std::string& member_id,
                                 const std::optional<std::string>& instance_id,
                                 std::int32_t generation) {
  // While it loads, the group is taken to be well: it will be known soon (as in Kafka).
  if (status_ == Errc::kCoordinatorLoadInProgress) return Errc::kNone;
  if (status_ != Errc::kNone) return status_;
  return machine_.heartbeat(group_id, member_id, instance_id, generation, now());
}

GroupCoordinator::Left GroupCoordinator::leave(const std::string& group_id,
                                               const std::vector<GroupMachine::Leaving>& members) {
  if (status_ != Errc::kNone) return {status_, {}};
  auto [errors, actions] = machine_.leave(group_id, members, now());
  perform(std::move(actions));
  return {Errc::kNone, std::move(errors)};
}

Task<std::vector<OffsetToCommit>> GroupCoordinator::commit(CommitEvent event,
                                                           std::vector<OffsetToCommit> offsets) {
  const Self self = shared_from_this();
  if (status_ != Errc::kNone) {
    for (auto& o : offsets) {
      if (o.error == Errc::kNone) o.error = status_;
    }
    co_return offsets;
  }
  const Millis at = now();
  offsets_.prepareCommit(event, offsets, at, clock_.wallMs());
  std::vector<GroupRecord> records;
  for (const auto& o : offsets) {
    if (o.error == Errc::kNone)
      records.push_back(offsetRecord(event.group_id, o.topic, o.partition, o.offset));
  }
  if (records.empty()) co_return offsets;
  const auto appended = co_await append(std::move(records));
  std::int64_t record_offset = appended ? appended->base_offset.value() : -1;
  for (auto& o : offsets) {
    if (o.error != Errc::kNone) continue;
    if (!appended) {
      o.error = appendErrorToAnswer(appended.error().code);
    } else {
      offsets_.apply(event.group_id, o, record_offset++);
    }
  }
  co_return offsets;
}

Task<std::vector<OffsetToCommit>> GroupCoordinator::deleteOffsets(
    std::string group_id, std::vector<OffsetToCommit> offsets) {
  const Self self = shared_from_this();
  std::vector<GroupRecord> records;
  for (auto& o : offsets) {
    if (o.error != Errc::kNone) continue;
    o.error = status_ != Errc::kNone ? status_ : offsets_.mayDelete(group_id, o.topic);
    if (o.error == Errc::kNone && offsets_.find(group_id, o.topic, o.partition)) {
      records.push_back(offsetTombstone(group_id, o.topic, o.partition));
    }
  }
  if (records.empty()) co_return offsets;
  const auto appended = co_await append(std::move(records));
  for (auto& o : offsets) {
    if (o.error != Errc::kNone) continue;
    if (!appended) {
      o.error = appendErrorToAnswer(appended.error().code);
    } else {
      offsets_.erase(group_id, o.topic, o.partition);
    }
  }
  co_return offsets;
}

Task<Errc> GroupCoordinator::deleteGroup(std::string group_id) {
  const Self self = shared_from_this();
  if (status_ != Errc::kNone) co_return status_;
  const Errc refused = offsets_.mayDeleteGroup(group_id);
  if (refused != Errc::kNone) co_return refused;
  const auto appended = co_await append(offsets_.groupTombstones(group_id));
  if (!appended) co_return appendErrorToAnswer(appended.error().code);
  offsets_.eraseGroup(group_id);
  co_return Errc::kNone;
}

Task<> GroupCoordinator::dropTopics(std::vector<std::string> topics) {
  const Self self = shared_from_this();
  for (const std::string& topic : topics) {
    const OffsetStore::Expired gone = offsets_.offsetsOf(topic);
    if (gone.offsets.empty()) continue;
    const auto appended = co_await append(gone.tombstones());
    if (appended) offsets_.apply(gone);
  }
}

Task<> GroupCoordinator::expireOffsets() {
  const Self self = shared_from_this();
  const OffsetStore::Expired gone = offsets_.expired(clock_.wallMs());
  if (gone.offsets.empty() && gone.groups.empty()) co_return;
  const auto appended = co_await append(gone.tombstones());
  if (appended) offsets_.apply(gone);
}

}  // namespace millrace::broker
