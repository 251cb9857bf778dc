#include "bench/log/group_commit_run.h"

#include <algorithm>

namespace millrace::bench {

GroupCommitRun::GroupCommitRun(const LogBenchOptions& options, const Traffic& traffic)
    : dir_(options),
      traffic_(traffic),
      batch_(batchOf(traffic.records, traffic.value_size)),
      journal_({.files = &systemFiles(),
                .directory = dir_.path(),
                .processor_idled = [this] { return idle_probe_.idled(); }}),
      ready_(traffic.requests()) {
  log::LogConfig config;
  config.flush_on_ack = true;
  for (std::size_t i = 0; i < traffic.partitions; ++i)
    logs_.push_back(orDie(log::PartitionLog::open({.directory = dir_.path("t-" + std::to_string(i)),
                                                   .config = config,
                                                   .topic_id = Uuid{1, 1},
                                                   .journal = &journal_})));
  committer_ = std::jthread([this](const std::stop_token& stop) { commitUntil(stop); });
  checkpointer_ = std::jthread([this](const std::stop_token& stop) { checkpointUntil(stop); });
  // The first batch makes a log's files.
  for (std::size_t i = 0; i < logs_.size();) {
    const std::size_t batches = takeReady();
    append(batches);
    i += batches;
  }
  awaitAll();
}

GroupCommitRun::~GroupCommitRun() { awaitAll(); }

Pace GroupCommitRun::turn(double seconds) {
  const std::size_t before = done_;
  const Stopwatch watch;
  while (watch.seconds() < seconds) append(takeReady());
  Pace pace;
  {
    const std::lock_guard lock(mutex_);
    pace = {static_cast<double>(done_ - before), watch.seconds()};
  }
  awaitAll();
  return pace;
}

std::size_t GroupCommitRun::takeReady() {
  std::unique_lock lock(mutex_);
  acknowledged_.wait(lock, [this] { return ready_ > 0; });
  return std::exchange(ready_, 0);
}

void GroupCommitRun::append(std::size_t batches) {
  const auto view = orDie(record::BatchView::parse(batch_));
  Waiting gathered;
  for (std::size_t i = 0; i < batches; ++i) {
    log::PartitionLog& log = *logs_[next_];
    next_ = next_ + 1 == logs_.size() ? 0 : next_ + 1;
    const auto appended = log.append(view, {.now_ms = kTimestamp});
    if (!appended) std::abort();
    if (appended->round != gathered.round && gathered.batches > 0) {
      sent(gathered);
      gathered.batches = 0;
    }
    gathered.round = appended->round;
    // The disk begins with the first one, as in the broker.
    if (++gathered.batches == 1) gathered_.notify_one();
  }
  sent(gathered);
}

void GroupCommitRun::sent(const Waiting& one) {
  const std::lock_guard lock(mutex_);
  if (one.round <= journal_.committed()) {
    ready_ += one.batches;
    done_ += one.batches;
  } else {
    waiting_.push_back(one);
    gathered_.notify_one();
  }
}

void GroupCommitRun::awaitAll() {
  std::unique_lock lock(mutex_);
  acknowledged_.wait(lock, [this] { return ready_ == traffic_.requests(); });
}

void GroupCommitRun::commitUntil(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      gathered_.wait(lock, stop, [this] { return journal_.hasGathered(); });
    }
    const auto done = journal_.commit();
    orDie(done.status);
    const std::lock_guard lock(mutex_);
    std::erase_if(waiting_, [&](const Waiting& one) {
      if (one.round > done.round) return false;
      ready_ += one.batches;
      done_ += one.batches;
      return true;
    });
    acknowledged_.notify_one();
    due_ = journal_.checkpointDue();
    if (due_) checkpoint_due_.notify_one();
  }
}

void GroupCommitRun::checkpointUntil(const std::stop_token& stop) {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (!checkpoint_due_.wait(lock, stop, [this] { return due_; })) return;
      due_ = false;
    }
    orDie(journal_.checkpoint());
  }
}

}  // namespace millrace::bench
