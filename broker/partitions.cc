#include "broker/partitions.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/net/blocking_pool.h"
#include "broker/fan_out.h"
#include "broker/group_commit.h"
#include "broker/held_work.h"
#include "broker/partition.h"
#include "broker/partitions_impl.h"
#include "log/compaction.h"
#include "log/log_manager.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace millrace::broker {

namespace {

log::TopicPartition nameOf(const std::string& topic, std::int32_t partition) {
  return {topic, PartitionIndex(partition)};
}

bool contains(const std::vector<std::int32_t>& list, std::int32_t value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

/// Why a coordinator's partition is not on this shard.
std::unexpected<Error> missing(const PartitionStore& store, const TopicIdPartition& id) {
  if (store.whyMissing(id) == Errc::kKafkaStorageError)
    return fail(Errc::kKafkaStorageError, "its data directory is offline");
  return fail(Errc::kUnknownTopicOrPartition, "no such partition here");
}

std::unexpected<Error> wentAway() {
  return fail(Errc::kUnknownTopicOrPartition, "the partition went away");
}

Error storageError(const Error& cause, const std::string& partition) {
  if (cause.code != Errc::kIo && cause.code != Errc::kDiskFull && cause.code != Errc::kCorruptData)
    return cause;
  return Error{Errc::kKafkaStorageError, fmt::format("{}: {}", partition, cause.toString())};
}

}  // namespace

PartitionStore::PartitionStore(ShardPool& shards, BlockingPool& blocking, log::LogManager& logs,
                               const Config& config, const Clock& clock, std::int32_t node_id)
    : impl_(std::make_unique<Impl>(shards, blocking, logs, config, clock, node_id)) {}

PartitionStore::~PartitionStore() = default;

Shard& PartitionStore::shardOf(const TopicIdPartition& id) const {
  return impl_->shards.at(impl_->shardIndexOf(id));
}

Partition* PartitionStore::find(const TopicIdPartition& id) {
  PartitionMap& map = impl_->mapHere();
  const auto found = map.find(id);
  return found == map.end() ? nullptr : found->second.get();
}

void PartitionStore::Impl::planTopic(const MetadataImage& image, const TopicImage& topic,
                                     std::vector<Plan>& plans) const {
  const PartitionSettings common = topics.common(image, topic);
  for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
    const PartitionImage& p = topic.partitions[i];
    if (!contains(p.replicas, node_id)) continue;
    const auto index = static_cast<std::int32_t>(i);
    Plan plan{
        {topic.id, index}, nameOf(topic.name, index), common, directoryOf(p, node_id), nullptr};
    plan.settings.leader_epoch = LeaderEpoch(p.leader_epoch);
    plan.settings.in_sync_replicas = static_cast<std::int32_t>(p.isr.size());
    plans.push_back(std::move(plan));
  }
}

void PartitionStore::Impl::planRemoval(const TopicImage& topic,
                                       std::vector<TopicIdPartition>& removed,
                                       std::vector<log::TopicPartition>& gone) {
  for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
    const auto index = static_cast<std::int32_t>(i);
    if (known.erase({topic.id, index}) == 0) continue;  // of another node
    removed.push_back({topic.id, index});
    gone.push_back(nameOf(topic.name, index));
  }
}

std::vector<Plan> PartitionStore::Impl::plan(const MetadataImage& image,
                                             const MetadataChanges& changes) {
  std::set<Uuid> planned;
  std::vector<Plan> plans;
  const auto add = [&](const TopicPtr& topic) {
    if (topic && planned.insert(topic->id).second) planTopic(image, *topic, plans);
  };
  bool broker_changed = first_apply;
  for (const auto& resource : changes.configs)
    broker_changed |= resource.type == ConfigResourceType::kBroker;
  if (broker_changed) topics.follow(image);
  for (const auto& topic : changes.topics) add(image.topic(topic->id));
  for (const auto& resource : changes.configs) {
    if (resource.type == ConfigResourceType::kTopic) add(image.topic(resource.name));
  }
  if (broker_changed) image.topics.forEach([&](const auto&, const TopicPtr& topic) { add(topic); });
  for (const auto& p : plans) {
    flush_ms = std::min(flush_ms, p.settings.log.flush_ms);
  }
  if (flush_ms != kNever) flush_asked.wakeAll();
  return plans;
}

Task<Status> PartitionStore::apply(ImagePtr image, MetadataChanges changes) {
  Impl& impl = *impl_;
  std::vector<Plan> plans = impl.plan(*image, changes);
  std::vector<TopicIdPartition> removed;
  std::vector<log::TopicPartition> gone;
  for (const auto& topic : changes.deleted) impl.planRemoval(*topic, removed, gone);
  if (!removed.empty()) {  // the shards let go before the files do
    auto drop = [&impl, &removed](int shard) {
      for (const auto& id : removed) {
        impl.maps[static_cast<std::size_t>(shard)].erase(id);
        impl.offline[static_cast<std::size_t>(shard)].erase(id);
      }
    };
    const std::vector<int> all = impl.allShards();
    co_await onShards(impl.shards, all, std::ref(drop));
  }
  auto work = [&impl, &plans, &gone, &image] {
    Status status = impl.first_apply ? impl.setStraysAside(*image) : Status{};
    Status opened = impl.openLogs(plans, gone);
    return status ? opened : status;
  };
  Status status;
  if (!plans.empty() || !gone.empty() || impl.first_apply) {
    status = co_await runBlocking(impl.blocking, std::ref(work));
  }
  impl.first_apply = false;
  for (const auto& plan : plans) impl.known.insert(plan.id);
  auto install = [&impl, &plans](int shard) { impl.install(plans, shard); };
  std::set<int> concerned;
  for (const auto& plan : plans) concerned.insert(impl.shardIndexOf(plan.id));
  const std::vector<int> indexes(concerned.begin(), concerned.end());
  co_await onShards(impl.shards, indexes, std::ref(install));
  co_return status;
}

Status PartitionStore::Impl::openLogs(std::vector<Plan>& plans,
                                      const std::vector<log::TopicPartition>& gone) {
  Status first_error;
  const auto note = [&first_error](Status status) {
    if (status) return;
    MILLRACE_LOG_ERROR("{}", status.error().toString());
    if (first_error) first_error = std::move(status);
  };
  for (const auto& name : gone) {
    // One that never came into being, on a directory that is offline, is not there.
    Status removed = logs.remove(name, clock.wallMs());
    if (!removed && removed.error().code != Errc::kNotFound) note(std::move(removed));
  }
  // Before a topic of the same name can come: its logs must not find these.
  note(logs.syncRemovals());
  if (!gone.empty()) askForRemovals();
  std::size_t failed = 0;
  for (auto& plan : plans) {
    Status opened = openLog(plan);
    // What went offline under the broker was told of then.
    if (opened || known.contains(plan.id)) continue;
    if (failed++ > 0) continue;  // one of many tells what there is to know
    note(std::move(opened));
  }
  if (failed > 1) MILLRACE_LOG_ERROR("{} partitions cannot be opened", failed);
  return first_error;
}

Status PartitionStore::Impl::openLog(Plan& plan) {
  auto log = logs.create(plan.name, plan.id.topic_id, plan.settings.log, plan.directory);
  if (!log && log.error().code == Errc::kInconsistentTopicId) {
    // A topic of that name was deleted and made again while this broker was away.
    MILLRACE_CHECK_OK(logs.remove(plan.name, clock.wallMs()));
    log = logs.create(plan.name, plan.id.topic_id, plan.settings.log, plan.directory);
  }
  if (!log) return std::unexpected(storageError(log.error(), plan.name.toString()));
  plan.log = *log;
  return {};
}

/// Logs on disk that the metadata does not know, or knows with another topic id: their topic was
/// deleted just before a crash, or it is the metadata that is lost. Nothing is deleted by that
/// (Kafka's LogManager.asyncDelete, isStray).
Status PartitionStore::Impl::setStraysAside(const MetadataImage& image) {
  for (const auto& [name, log] : logs.all()) {
    if (name.topic == kMetadataTopic) continue;
    const TopicPtr topic = image.topic(name.topic);
    const bool other = topic && !log->topicId().isZero() && log->topicId() != topic->id;
    const bool exists = topic && topic->partition(name.partition.value()) != nullptr;
    if (exists && !other) continue;
    const Uuid id = log->topicId();
    MILLRACE_TRY(const std::string aside, logs.setAside(name));
    if (!aside.empty())
      MILLRACE_LOG_WARN("{} of topic id {} is not in the metadata: its log is set aside as {}",
                        name.toString(), id.toString(), aside);
  }
  return {};
}

void PartitionStore::Impl::install(std::vector<Plan>& plans, int shard) {
  PartitionMap& map = maps[static_cast<std::size_t>(shard)];
  for (auto& plan : plans) {
    if (shardIndexOf(plan.id) != shard) continue;
    if (plan.log == nullptr) {
      map.erase(plan.id);
      offline[static_cast<std::size_t>(shard)].insert(plan.id);
      continue;
    }
    offline[static_cast<std::size_t>(shard)].erase(plan.id);
    auto& partition = map[plan.id];
    Status status;
    if (partition) {
      status = partition->update(plan.settings);
    } else {
      plan.log->setConfig(plan.settings.log);
      const auto latest = plan.log->latestEpoch();
      if (!latest || *latest < plan.settings.leader_epoch)
        status = plan.log->startEpoch(plan.settings.leader_epoch);
      plan.log->setHighWatermark(plan.log->endOffset());
      partition = std::make_unique<Partition>(plan.name.toString(), *plan.log, plan.settings);
      partition->countInto(meters[static_cast<std::size_t>(shard)]);
    }
    if (!status) MILLRACE_LOG_ERROR("{}: {}", plan.name.toString(), status.error().toString());
  }
}

GroupCommits& PartitionStore::commits() { return impl_->commits; }

Task<Result<Appended>> PartitionStore::append(TopicIdPartition id, Bytes batch) {
  CommitTicket ticket;
  bool flush_due = false;
  auto append = [this, &id, &batch, &ticket, &flush_due]() -> Result<Appended> {
    Partition* partition = find(id);
    if (partition == nullptr) return missing(*this, id);
    MILLRACE_TRY(const auto view, record::BatchView::parse(batch));
    auto done = partition->append(view, Acks::kAll, record::AppendOrigin::kCoordinator,
                                  impl_->clock.wallMs());
    if (!done) return std::unexpected(storageError(done.error().error, partition->name()));
    ticket = impl_->commits.note(partition->log().journal(), id, *done);
    flush_due = partition->isFlushDue();
    return Appended{done->base_offset, done->last_offset, partition->leaderEpoch()};
  };
  HeldWork held;
  Result<Appended> appended = Appended{};
  auto work = [this, &id, &append, &held, &appended] {
    whenOpen(id, held, [&append, &appended] { appended = append(); });
  };
  co_await onShard(shardOf(id), std::ref(work));
  if (held.any()) {
    co_await shielded();
    co_await held.wait();
    co_await unshielded();
  }
  if (flush_due) {
    std::vector<TopicIdPartition> due = {id};
    const Status flushed = co_await flush(std::move(due));
    if (!flushed) co_return std::unexpected(flushed.error());
  }
  if (ticket.commit == nullptr) co_return appended;
  std::vector<CommitTicket> tickets(1, ticket);
  const Status durable = co_await commits().committed(std::move(tickets));
  if (!durable) co_return std::unexpected(durable.error());
  co_return appended;
}

Task<Result<BatchBytes>> PartitionStore::read(TopicIdPartition id, Offset from,
                                              std::uint32_t max_bytes) {
  auto find_slices = [this, &id, from, max_bytes]() -> Result<log::ReadResult> {
    Partition* partition = find(id);
    if (partition == nullptr) return missing(*this, id);
    return partition->log().read(from, max_bytes, log::Isolation::kHighWatermark);
  };
  auto found = co_await onShard(shardOf(id), std::ref(find_slices));
  if (!found) co_return std::unexpected(std::move(found).error());
  auto load = [&found]() -> Result<BatchBytes> {
    BatchBytes out;
    out.next_offset = found->next_offset;
    out.batches.resize(found->size);
    std::size_t at = 0;
    for (const auto& slice : found->slices) {
      MILLRACE_TRY(const auto n,
                   slice.file->read(slice.position, out.batches.data() + at, slice.size));
      if (n != slice.size) return fail(Errc::kCorruptData, slice.file->path() + " ends early");
      at += n;
    }
    return out;
  };
  if (found->slices.empty()) co_return BatchBytes{{}, from};
  co_return co_await runBlocking(impl_->blocking, std::ref(load));
}

Task<Result<PartitionStore::Bounds>> PartitionStore::bounds(TopicIdPartition id) {
  auto work = [this, &id]() -> Result<Bounds> {
    Partition* partition = find(id);
    if (partition == nullptr) return missing(*this, id);
    return Bounds{partition->log().startOffset(), partition->log().highWatermark()};
  };
  co_return co_await onShard(shardOf(id), std::ref(work));
}

Task<std::vector<DirtyLog>> PartitionStore::dueForCompaction() {
  // Only what is on disk is compacted.
  co_await flushRolled(true);
  std::vector<std::vector<DirtyLog>> found(impl_->maps.size());
  auto collect = [this, &found](int shard) {
    const auto s = static_cast<std::size_t>(shard);
    const Millis now = impl_->clock.wallMs();
    for (auto& [id, partition] : impl_->maps[s]) {
      if (!partition->log().config().cleanup_compact || impl_->isMoving(id)) continue;
      const auto need = partition->log().compactionNeed(now);
      // A log that cannot be looked at is tried once: the run tells what is wrong with it.
      if (!need || need->due) found[s].push_back({id, need ? need->dirty_ratio : 1});
    }
  };
  const std::vector<int> shards = impl_->allShards();
  co_await onShards(impl_->shards, shards, std::ref(collect));
  std::vector<DirtyLog> due;
  for (const auto& some : found) due.insert(due.end(), some.begin(), some.end());
  co_return due;
}

Task<Status> PartitionStore::compactionFailed(TopicIdPartition id, std::string directory,
                                              Error cause) {
  bool here = false;
  auto tell = [this, &id, &directory, &cause, &here] {
    Partition* partition = find(id);
    // Not one that has moved to another directory meanwhile.
    here = partition != nullptr && partition->log().directory() == directory;
    if (here) partition->log().workFailed(cause);
  };
  co_await onShard(shardOf(id), std::ref(tell));
  if (!here) co_return wentAway();
  co_return std::unexpected(std::move(cause));
}

Task<Status> PartitionStore::compact(TopicIdPartition id, log::CompactionLimits limits) {
  Result<log::CompactionPlan> plan = wentAway();
  auto prepare = [this, &id, &plan] {
    Partition* partition = impl_->isMoving(id) ? nullptr : find(id);
    if (partition == nullptr) return;
    plan = partition->log().prepareCompaction(impl_->clock.wallMs());
    if (!plan) partition->log().workFailed(plan.error());
  };
  co_await onShard(shardOf(id), std::ref(prepare));
  if (!plan) co_return std::unexpected(plan.error());
  auto run = [&plan, &limits] { return log::runCompaction(*plan, limits); };
  const Result<log::CompactionOutcome> outcome =
      co_await runBlocking(impl_->blocking, std::ref(run));
  if (!outcome) {
    Error cause = outcome.error();
    co_return co_await compactionFailed(id, plan->directory, std::move(cause));
  }
  // Gaps that compaction leaves must not look like what a crash leaves: nothing above the recovery
  // point in the checkpoint file is ever compacted.
  auto settle = [this] { return impl_->logs.writeCheckpoints(); };
  const Status settled = co_await runBlocking(impl_->blocking, std::ref(settle));
  if (!settled) co_return settled;
  Status placed;
  auto place = [this, &id, &plan, &outcome, &placed] {
    Partition* partition = find(id);
    // A log that changes its place is looked at again.
    placed = partition != nullptr && isOpen(id) ? partition->log().compacted(*plan, *outcome)
                                                : Status(wentAway());
    impl_->noteLeftovers(id);
  };
  co_await onShard(shardOf(id), std::ref(place));
  impl_->askForRemovals();
  if (placed) {
    MILLRACE_LOG_INFO("{}: compacted up to offset {}: kept {} records, dropped {}", plan->directory,
                      outcome->cleaned_to.value(), outcome->records_kept, outcome->records_dropped);
  }
  co_return placed;
}

Task<> PartitionStore::close() {
  auto drop = [this](int shard) { impl_->maps[static_cast<std::size_t>(shard)].clear(); };
  const std::vector<int> all = impl_->allShards();
  co_await onShards(impl_->shards, all, std::ref(drop));
  auto quiesce = [this] { impl_->commits.quiesce(); };
  co_await runBlocking(impl_->blocking, std::ref(quiesce));
}

}  // namespace millrace::broker
