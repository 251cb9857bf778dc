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
      noted_(static_cast<std::size_t>(shards.size())),
      waiters_(static_cast<std::size_t>(shards.size())) {}

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
  {
    const std::lock_guard lock(mutex_);
    settled_ = std::max(settled_, done.round);
    if (!done.status && done.round < failed_) {
      failed_ = done.round;
      failure_ = done.status;
    }
  }
  // One hop for all that wait on a shard: from there each goes on for the price of a function call.
  for (int i = 0; i < shards_.size(); ++i)
    shards_.at(i).post([this, round = done.round] { wakeHere(round); });
}

void GroupCommit::wakeHere(Round round) {
  auto& waiters = waiters_[static_cast<std::size_t>(Shard::current()->index())];
  std::vector<Resume> ready;
  std::erase_if(waiters, [round, &ready](Waiter& waiter) {
    if (waiter.round > round) return false;
    ready.push_back(std::move(waiter.resume));
    return true;
  });
  for (Resume& resume : ready) resume();
}

Task<Status> GroupCommit::wait(Round round) {
  auto start = [this, round](Resume resume) {
    {
      const std::lock_guard lock(mutex_);
      if (round > settled_) {
        waiters_[static_cast<std::size_t>(Shard::current()->index())].push_back(
            {round, std::move(resume)});
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
  std::ranges::sort(tickets, [](const CommitTicket& a, const CommitTicket& b) {
    return std::pair(a.commit, a.round) < std::pair(b.commit, b.round);
  });
  Status first_error;
  for (std::size_t i = 0; i < tickets.size(); ++i) {
    const CommitTicket& last = tickets[i];
    const bool superseded = i + 1 < tickets.size() && tickets[i + 1].commit == last.commit;
    if (last.commit == nullptr || superseded) continue;
    const Status done = co_await last.commit->wait(last.round);
    if (!done && first_error) first_error = fail(Errc::kKafkaStorageError, done.error().toString());
  }
  co_return first_error;
}

void GroupCommits::quiesce() {
  for (const auto& [journal, commit] : commits_) commit->quiesce();
}

}  // namespace millrace::broker
