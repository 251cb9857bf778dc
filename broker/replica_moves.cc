#include "broker/replica_moves.h"

#include "base/log.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/metadata/metadata_service.h"
#include "broker/partitions.h"
#include "log/log_manager.h"

#include <algorithm>
#include <map>

namespace millrace::broker {

namespace {

/// Copied at a time; then what there is to do is looked at anew.
constexpr std::uint64_t kPass = 256 << 20;
/// So little is missing that the rest can be copied while nobody appends.
constexpr std::uint64_t kCaughtUp = 1 << 20;
/// Kafka's ids of future replicas are as long as these.
constexpr std::size_t kFutureSuffix = std::string_view(".-future").size() + 32;
constexpr std::size_t kLongestName = 255;

int threadsOf(const Config& config) {
  constexpr std::string_view kThreads = "num.replica.alter.log.dirs.threads";
  const auto one_each = config.getList(config.isNull("log.dirs") ? "log.dir" : "log.dirs").size();
  return std::max(config.isNull(kThreads) ? static_cast<int>(one_each) : config.getInt(kThreads),
                  1);
}

constexpr double kUnlimited = -1;

/// What this node is given, else what all are.
double paceOf(const MetadataImage& image, std::int32_t node_id) {
  const ConfigKey& key =
      *brokerQuotaConfigDef().find("replica.alter.log.dirs.io.max.bytes.per.second");
  for (const std::string& name : {std::to_string(node_id), std::string()}) {
    const ConfigMapPtr settings = image.config(ConfigResourceType::kBroker, name);
    const auto given = settings->find(key.name);
    if (given == settings->end()) continue;
    const auto rate = ConfigDef::parseValue(key, given->second);
    if (rate) return static_cast<double>(std::get<std::int64_t>(*rate));
    MILLRACE_LOG_WARN("{}: no limit", rate.error().detail);
    return kUnlimited;
  }
  return kUnlimited;
}

}  // namespace

ReplicaMoves::ReplicaMoves(Services& services, const Config& config)
    : services_(services),
      threads_(threadsOf(config)),
      pace_(kUnlimited),
      pool_(threads_, "replica move") {}

void ReplicaMoves::start() { spawn(gate_, services_.shards->at(0), "replica moves", resume()); }

void ReplicaMoves::stop() {
  pace_.stop();
  gate_.closeAndWait();
  pool_.stop();
}

void ReplicaMoves::follow(const MetadataImage& image) {
  pace_.setRate(paceOf(image, services_.identity.node_id));
  // Of topics and directories that are gone.
  pace_.wake();
}

std::optional<TopicIdPartition> ReplicaMoves::idOf(const log::TopicPartition& name) const {
  const TopicPtr topic = services_.image->current()->topic(name.topic);
  if (!topic || topic->partition(name.partition.value()) == nullptr) return std::nullopt;
  return TopicIdPartition{topic->id, name.partition.value()};
}

Task<Result<std::vector<ReplicaPlace>>> ReplicaMoves::misplaced() {
  std::map<std::string, Uuid> ids;
  for (const auto& state : services_.logs->directoryStates()) ids[state.path] = state.id;
  std::vector<ReplicaPlace> places;
  const ImagePtr image = services_.image->current();
  for (const auto& info : services_.logs->describe()) {
    const TopicPtr topic = info.is_future ? nullptr : image->topic(info.tp.topic);
    const auto* const p = topic ? topic->partition(info.tp.partition.value()) : nullptr;
    if (p == nullptr || ids[info.directory].isZero()) continue;
    if (directoryOf(*p, services_.identity.node_id) != ids[info.directory])
      places.push_back({{topic->id, info.tp.partition.value()}, ids[info.directory]});
  }
  co_return places;
}

Task<> ReplicaMoves::resume() {
  auto look = [this] { return misplaced(); };
  const Status told = co_await services_.metadata->replicasMoved(look);
  if (!told) MILLRACE_LOG_ERROR("metadata log: {}", told.error().toString());
  for (auto& move : services_.logs->moves())
    if (const auto id = idOf(move.tp)) launch({*id, std::move(move)});
}

Errc ReplicaMoves::check(const Wanted& wanted) const {
  if (wanted.partition.toString().size() + kFutureSuffix > kLongestName)
    return Errc::kInvalidTopicException;
  const auto states = services_.logs->directoryStates();
  const auto to = std::ranges::find(states, wanted.directory, [](const auto& s) { return s.path; });
  if (to == states.end()) return Errc::kLogDirNotFound;
  if (!to->health) return Errc::kKafkaStorageError;
  return idOf(wanted.partition) ? Errc::kNone : Errc::kUnknownTopicOrPartition;
}

Task<Errc> ReplicaMoves::move(Wanted wanted) {
  auto run = [this, &wanted] { return begin(wanted); };
  co_return co_await onShardAsync(services_.shards->at(0), run);
}

Task<Errc> ReplicaMoves::begin(Wanted wanted) {
  Begun begun;
  auto ask = [this, &wanted, &begun] { return tryToBegin(&wanted, &begun); };
  const Status asked = co_await services_.metadata->replicasMoved(ask);
  if (!asked) co_return toWire(asked.error().code);
  // A move to elsewhere, which waits for its turn to read on, may be over.
  pace_.wake();
  const auto id = idOf(wanted.partition);
  if (begun.future != nullptr && id)
    launch({*id, {wanted.partition, wanted.directory, begun.future}});
  co_return begun.refused;
}

/// Not while its topic is deleted, its directory given up, or a copy takes its place.
Task<Result<std::vector<ReplicaPlace>>> ReplicaMoves::tryToBegin(const Wanted* wanted, Begun* out) {
  std::vector<ReplicaPlace> none;
  out->refused = check(*wanted);
  if (out->refused != Errc::kNone) co_return none;
  auto make = [this, wanted] {
    return services_.logs->beginMove(wanted->partition, wanted->directory);
  };
  auto begun = co_await runBlocking(*services_.blocking, std::ref(make));
  if (begun) {
    out->future = *begun;
    co_return none;
  }
  MILLRACE_LOG_WARN("{}: {}", wanted->partition.toString(), begun.error().toString());
  out->refused = begun.error().code == Errc::kNotFound ? Errc::kNotLeaderOrFollower
                                                       : toWire(begun.error().code);
  co_return none;
}

void ReplicaMoves::launch(Job job) {
  MILLRACE_LOG_INFO("{} moves to {}", job.move.tp.toString(), job.move.directory);
  spawn(gate_, services_.shards->at(0), "replica move", run(std::move(job)));
}

Task<> ReplicaMoves::run(Job job) {
  while (copying_ >= threads_) {
    const Wake wake = co_await turns_.park(SteadyTime::max());
    if (wake == Wake::kCancelled) co_return;
  }
  ++copying_;
  co_await services_.partitions->beginMove(job.id);
  const Status moved = co_await copy(job);
  const log::FutureLog& future = *job.move.future;
  const bool given_up = !moved && moved.error().code != Errc::kCancelled && !future.isCancelled();
  auto give_up = [this, &future, &moved] { services_.logs->moveFailed(future, moved.error()); };
  if (given_up) co_await runBlocking(*services_.blocking, std::ref(give_up));
  const bool unread = !moved && future.fault() == log::FutureLog::Fault::kSource;
  const Status read = unread ? moved : Status{};
  co_await services_.partitions->endMove(job.id, read);
  --copying_;
  turns_.wakeOne();
  const std::string name = job.move.tp.toString();
  if (moved) MILLRACE_LOG_INFO("{} has moved to {}", name, job.move.directory);
  if (given_up)
    MILLRACE_LOG_ERROR("{} does not move to {}: {}", name, job.move.directory,
                       moved.error().toString());
}

Task<Status> ReplicaMoves::copy(Job job) {
  log::FutureLog& future = *job.move.future;
  auto settle = [this, &job] { return takePlace(&job); };
  auto source = co_await services_.partitions->moveSource(job.id);
  while (source) {
    if (future.missing(*source) <= kCaughtUp) {
      const Status switched = co_await services_.metadata->replicasMoved(settle);
      if (switched || switched.error().code != Errc::kState) co_return switched;
    }
    auto pass = [this, &future, &source] { return future.copy(*source, kPass, pace_); };
    const Status copied = co_await runBlocking(pool_, std::ref(pass));
    auto now = co_await services_.partitions->moveSource(job.id);
    // Retention or compaction may have taken a file away.
    const bool in_vain =
        !copied && now && !source->holds(*now) && future.fault() == log::FutureLog::Fault::kSource;
    if (!copied && !in_vain) co_return copied;
    source = std::move(now);
  }
  co_return std::unexpected(source.error());
}

Task<Result<std::vector<ReplicaPlace>>> ReplicaMoves::takePlace(const Job* job) {
  const Status switched = co_await services_.partitions->switchLog(job->id, job->move.future);
  if (!switched) co_return std::unexpected(switched.error());
  const auto states = services_.logs->directoryStates();
  const auto to =
      std::ranges::find(states, job->move.directory, [](const auto& state) { return state.path; });
  std::vector<ReplicaPlace> places;
  if (to != states.end() && !to->id.isZero()) places.push_back({job->id, to->id});
  co_return places;
}

}  // namespace millrace::broker
