#include "broker/group_commit.h"

#include "base/log.h"

#include <algorithm>
#include <iterator>
#include <memory>

namespace millrace::broker {

GroupCommit::GroupCommit(ShardPool& shards, BlockingPool& blocking, log::Journal& journal,
                         Settle settle)
    : shards_(shards),
      blocking_(blocking),
      journal_(journal),
      settle_(std::move(settle)),
      shard_(static_cast<std::size_t>(shards.size())) {}

GroupCommit::~GroupCommit() { quiesce(); }

GroupCommit::PerShard& GroupCommit::here() {
  return shard_[static_cast<std::size_t>(Shard::current()->index())];
}

void GroupCommit::note(const Noted& appended) {
  here().noted.push_back(appended);
  begin(appended.round);
}

void GroupCommit::begin(Round round) {
  {
    const std::lock_guard lock(mutex_);
    noted_ = std::max(noted_, round);
    if (running_) return;
    running_ = true;
  }
  blocking_.submit([this] { run(); });
}

void GroupCommit::run() {
  for (;;) {
    const log::Journal::Committed done = journal_.commit();
    if (!done.status) fails(done.status);
    settleEverywhere(done.round);
    if (done.status && journal_.checkpointDue()) checkpointInBackground();
    const std::lock_guard lock(mutex_);
    // What is noted after this look finds running_ false and begins anew. A round that has been
    // noted may be in the hands of somebody else (a log that leaves its journal): the next call
    // returns when that is over.
    if (noted_ > done.round) continue;
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

void GroupCommit::fails(const Status& cause) {
  const std::lock_guard lock(mutex_);
  if (!failure_) return;
  failure_ = cause;
  // Not the round of this call: one before it may have failed for somebody else.
  failed_.store(journal_.committed() + 1, std::memory_order_release);
}

void GroupCommit::settleEverywhere(Round round) {
  const auto left = std::make_shared<std::atomic<int>>(shards_.size());
  for (int i = 0; i < shards_.size(); ++i) {
    shards_.at(i).post([this, round, left] {
      settleHere(round);
      if (left->fetch_sub(1, std::memory_order_acq_rel) == 1) settledEverywhere(round);
    });
  }
}

void GroupCommit::settleHere(Round round) {
  PerShard& shard = here();
  const auto later = std::ranges::upper_bound(shard.noted, round, {}, &Noted::round);
  for (auto one = shard.noted.begin(); one != later; ++one) settle_(*one, outcomeOf(one->round));
  shard.noted.erase(shard.noted.begin(), later);
  shard.settled = std::max(shard.settled, round);
  wake(shard.for_this, round);
}

void GroupCommit::settledEverywhere(Round round) {
  {
    const std::lock_guard lock(mutex_);
    settled_ = std::max(settled_, round);
    if (waiting_for_all_ == 0) return;
  }
  // One hop for all that wait on a shard: from there each goes on for the price of a function call.
  for (int i = 0; i < shards_.size(); ++i)
    shards_.at(i).post([this, round] {
      const std::size_t woken = wake(here().for_all, round);
      const std::lock_guard lock(mutex_);
      waiting_for_all_ -= woken;
    });
}

std::size_t GroupCommit::wake(std::vector<Waiter>& waiters, Round round) {
  std::vector<Resume> ready;
  std::erase_if(waiters, [round, &ready](Waiter& waiter) {
    if (waiter.round > round) return false;
    ready.push_back(std::move(waiter.resume));
    return true;
  });
  for (Resume& resume : ready) resume();
  return ready.size();
}

Task<Status> GroupCommit::wait(Round round, Settled where) {
  auto start = [this, round, where](Resume resume) {
    PerShard& shard = here();
    if (where == Settled::kOnThisShard && round > shard.settled) {
      shard.for_this.push_back({round, std::move(resume)});
      return;
    }
    if (where == Settled::kOnAllShards) {
      const std::lock_guard lock(mutex_);
      if (round > settled_) {
        ++waiting_for_all_;
        shard.for_all.push_back({round, std::move(resume)});
        return;
      }
    }
    resume();
  };
  co_await suspend(std::ref(start));
  co_return outcomeOf(round);
}

Status GroupCommit::outcomeOf(Round round) {
  if (round < failed_.load(std::memory_order_acquire)) return {};
  const std::lock_guard lock(mutex_);
  return failure_;
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
  return {&commit, appended.round, Shard::current()->index()};
}

Task<Status> GroupCommits::committed(std::vector<CommitTicket> tickets) {
  // The last round of each directory stands for the ones before it.
  std::ranges::sort(tickets, [](const CommitTicket& a, const CommitTicket& b) {
    return std::pair(a.commit, a.round) < std::pair(b.commit, b.round);
  });
  const int here = Shard::current()->index();
  Status first_error;
  for (auto first = tickets.cbegin(); first != tickets.cend();) {
    const auto behind = std::ranges::find_if(first, tickets.cend(), [first](const auto& ticket) {
      return ticket.commit != first->commit;
    });
    const CommitTicket& last = *std::prev(behind);
    const bool only_here = std::ranges::all_of(
        first, behind, [here](const CommitTicket& ticket) { return ticket.shard == here; });
    first = behind;
    if (last.commit == nullptr) continue;
    const auto where =
        only_here ? GroupCommit::Settled::kOnThisShard : GroupCommit::Settled::kOnAllShards;
    const Status done = co_await last.commit->wait(last.round, where);
    if (!done && first_error) first_error = fail(Errc::kKafkaStorageError, done.error().toString());
  }
  co_return first_error;
}

void GroupCommits::quiesce() {
  for (const auto& [journal, commit] : commits_) commit->quiesce();
}

}  // namespace millrace::broker
