#include "broker/partition.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace millrace::broker {

Partition::Partition(std::string name, log::PartitionLog& log, PartitionSettings settings)
    : name_(std::move(name)), log_(&log), settings_(settings) {}

Partition::~Partition() { dismissWatchers(); }

void Partition::dismissWatchers() {
  const auto watchers = std::move(watchers_);
  watchers_.clear();
  for (const auto& watcher : watchers) watcher->gone();
}

std::expected<log::AppendInfo, log::AppendFailure> Partition::append(const record::BatchView& batch,
                                                                     Acks acks,
                                                                     record::AppendOrigin origin,
                                                                     Millis now_ms) {
  if (acks == Acks::kAll && settings_.in_sync_replicas < settings_.min_in_sync_replicas) {
    return std::unexpected(log::AppendFailure{
        Error{Errc::kNotEnoughReplicas,
              fmt::format("{} has {} in-sync replicas, min.insync.replicas is {}", name_,
                          settings_.in_sync_replicas, settings_.min_in_sync_replicas)},
        {}});
  }
  log::AppendOptions options;
  options.leader_epoch = settings_.leader_epoch;
  options.now_ms = now_ms;
  options.origin = origin;
  auto appended = log_->append(batch, options);
  if (!appended || appended->duplicate) return appended;
  if (meter_ != nullptr) meter_->add(appended->bytes);
  if (appended->round != 0) return appended;
  // The only replica: what it has is committed.
  log_->setHighWatermark(log_->endOffset());
  notify(static_cast<std::int64_t>(appended->bytes));
  return appended;
}

void Partition::committed(Offset end, std::int64_t bytes) {
  if (end > log_->highWatermark()) log_->setHighWatermark(end);
  notify(bytes);
}

void Partition::notify(std::int64_t bytes) {
  if (watchers_.empty()) return;
  std::erase_if(watchers_, [bytes](const auto& watcher) { return watcher->grown(bytes); });
}

void Partition::watch(std::shared_ptr<GrowthWatcher> watcher) {
  if (watchers_.size() >= sweep_at_) {
    std::erase_if(watchers_, [](const auto& w) { return w->isDone(); });
    sweep_at_ = std::max<std::size_t>(8, 2 * watchers_.size());
  }
  watchers_.push_back(std::move(watcher));
}

Errc Partition::checkEpoch(std::int32_t current_leader_epoch) const {
  if (current_leader_epoch < 0 || current_leader_epoch == settings_.leader_epoch.value())
    return Errc::kNone;
  return current_leader_epoch < settings_.leader_epoch.value() ? Errc::kFencedLeaderEpoch
                                                               : Errc::kUnknownLeaderEpoch;
}

Status Partition::update(PartitionSettings settings) {
  log_->setConfig(settings.log);
  const bool new_epoch = settings.leader_epoch > settings_.leader_epoch;
  settings_ = settings;
  return new_epoch ? log_->startEpoch(settings_.leader_epoch) : Status{};
}

Status Partition::moveTo(log::PartitionLog& log) {
  log::PartitionLog& before = *std::exchange(log_, &log);
  log.setConfig(settings_.log);
  log.setHighWatermark(before.highWatermark());
  const auto latest = log.latestEpoch();
  if (!latest || *latest < settings_.leader_epoch)
    MILLRACE_CHECK_OK(log.startEpoch(settings_.leader_epoch));
  return before.leaveJournal();
}

}  // namespace millrace::broker
