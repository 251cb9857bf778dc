#include "broker/group_commit.h"

#include "base/log.h"

#include <algorithm>
#include <memory>

namespace millrace::broker {

GroupCommit::GroupCommit(ShardPool& shards, BlockingPool& blocking, log::Journal& journal,
                         Settle settle)
    : shards_(shards),
      blocking_(blocking),
      journal_(journal),
      settle_(std::move(settle)),
      noted_(static_cast<std::size_t>(shards.size())) {}

GroupCommit::~GroupCommit() { quiesce(); }

void GroupCommit::note(const Noted& appended) {
  noted_[static_cast<std::size_t>(Shard::current()->index())].push_back(appended);
  begin();
}

void GroupCommit::begin() {
  {
    const std::lock_guard lock(mutex_);
    if (running_) return;
    running_ = true;
  }
  blocking_.submit([this] { run(); });
}

void GroupCommit::run() {
  for (;;) {
    const log::Journal::Committed done = journal_.commit();
    settleEverywhere(done);
    if (done.status && journal_.checkpointDue()) checkpointInBackground();
    const std::lock_guard lock(mutex_);
    // What gathers after this look finds running_ false and begins anew.
    if (journal_.hasGathered()) continue;
    running_ = false;
    idle_.notify_all();
    return;
  }
}

void GroupCommit::checkpointInBackground() {
  {
    const std::lock_guard lock(mutex_);
    if (checkpointing_) return;
    checkpointing_ = true;
  }
  blocking_.submit([this] {
    const Status done = journal_.checkpoint();
    if (!done) MILLRACE_LOG_ERROR("journal: {}", done.error().toString());
    const std::lock_guard lock(mutex_);
    checkpointing_ = false;
    idle_.notify_all();
  });
}

void GroupCommit::settleEverywhere(log::Journal::Committed done) {
  struct Progress {
    log::Journal::Committed done;
    std::atomic<int> left;
  };
  const auto progress = std::make_shared<Progress>(std::move(done), shards_.size());
  for (int i = 0; i < shards_.size(); ++i) {
    shards_.at(i).post([this, progress] {
      settleHere(progress->done.round, progress->done.status);
      if (progress->left.fetch_sub(1, std::memory_order_acq_rel) == 1) wakeWaiters(progress->done);
    });
  }
}

void GroupCommit::settleHere(Round round, const Status& status) {
  auto& noted = noted_[static_cast<std::size_t>(Shard::current()->index())];
  const auto later = std::ranges::upper_bound(noted, round, {}, &Noted::round);
  for (auto one = noted.begin(); one != later; ++one) settle_(*one, status);
  noted.erase(noted.begin(), later);
}

void GroupCommit::wakeWaiters(const log::Journal::Committed& done) {
  std::vector<Waiter> ready;
  {
    const std::lock_guard lock(mutex_);
    settled_ = std::max(settled_, done.round);
    if (!done.status && done.round < failed_) {
      failed_ = done.round;
      failure_ = done.status;
    }
    const auto rest = std::ranges::partition(
        waiters_, [&done](const Waiter& waiter) { return waiter.round > done.round; });
    std::ranges::move(rest, std::back_inserter(ready));
    waiters_.erase(rest.begin(), rest.end());
  }
  for (Waiter& waiter : ready) waiter.resume();
}

Task<Status> GroupCommit::wait(Round round) {
  auto start = [this, round](Resume resume) {
    {
      const std::lock_guard lock(mutex_);
      if (round > settled_) {
        waiters_.push_back({round, std::move(resume)});
        return;
      }
    }
    resume();
  };
  co_await suspend(std::ref(start));
  co_return outcomeOf(round);
}

Status GroupCommit::outcomeOf(Round round) {
  const std::lock_guard lock(mutex_);
  return round < failed_ ? Status{} : failure_;
}

void GroupCommit::quiesce() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return !running_ && !checkpointing_; });
}

GroupCommits::GroupCommits(ShardPool& shards, BlockingPool& blocking,
                           const std::vector<log::Journal*>& journals,
                           const GroupCommit::Settle& settle) {
  for (log::Journal* const journal : journals)
    commits_.emplace(journal, std::make_unique<GroupCommit>(shards, blocking, *journal, settle));
}

CommitTicket GroupCommits::note(const log::Journal* journal, const TopicIdPartition& partition,
                                const log::AppendInfo& appended) {
  if (appended.round == 0) return {};
  GroupCommit& commit = *commits_.at(journal);
  // Whoever appended the original of a duplicate noted it.
  if (!appended.duplicate)
    commit.note({appended.round, partition, appended.last_offset + 1,
                 static_cast<std::int64_t>(appended.bytes)});
  return {&commit, appended.round};
}

Task<Status> GroupCommits::committed(std::vector<CommitTicket> tickets) {
  // The last round of each directory stands for the ones before it.
  std::unordered_map<GroupCommit*, GroupCommit::Round> last;
  for (const CommitTicket& ticket : tickets)
    if (ticket.commit != nullptr) last[ticket.commit] = std::max(last[ticket.commit], ticket.round);
  Status first_error;
  for (const auto& [commit, round] : last) {
    const Status done = co_await commit->wait(round);
    if (!done && first_error) first_error = fail(Errc::kKafkaStorageError, done.error().toString());
  }
  co_return first_error;
}

void GroupCommits::quiesce() {
  for (const auto& [journal, commit] : commits_) commit->quiesce();
}

}  // namespace millrace::broker
