// What a log goes through while nothing is wrong yet.
#include "log/compaction.h"
#include "tests/log_model/support/batches.h"
#include "tests/log_model/support/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <utility>

namespace millrace::log::test {

bool World::worked(const Status& status, const char* what) {
  if (status) return true;
  if (disk_.crashed() || disk_.faultMet()) {
    broken_ = true;
    return false;
  }
  ADD_FAILURE() << what << ": " << status.error().toString();
  return false;
}

void World::step() {
  ++counts_.steps;
  clock_.advance(random_.between(0, 400));
  Tracked& t = *logs_[random_.below(logs_.size())];
  if (t.log == nullptr) return create(t);
  const auto choice = random_.below(46);
  note(fmt::format("{}: step {} of kind {}, end {}", t.tp.toString(), counts_.steps, choice,
                   t.model.end().value()));
  if (choice < 7) return appendPlain(t);
  if (choice < 11) return appendIdempotent(t);
  if (choice < 14) return appendInTransaction(t);
  if (choice < 16) return endTransaction(t);
  if (choice < 17) return resend(t);
  if (choice < 19) return flush(t);
  if (choice < 21) return prepareFlush(t);
  if (choice < 23) return finishFlush(t);
  if (choice < 26) return moveHighWatermark(t);
  if (choice < 28) return compact(t);
  if (choice < 36) return upkeepStep(t);
  if (choice < 39) return appendAsFollower(t);
  if (choice < 42) return commitRound();
  readStep(t);
}

void World::upkeepStep(Tracked& t) {
  switch (random_.below(9)) {
    case 0: return chance(3) ? truncateToEpoch(t) : truncate(t);
    case 1: return chance(8) ? restartLog(t) : moveStart(t);
    case 2: return retain(t);
    case 3: return chance(8) ? remove(t) : checkpoint();
    case 4: return (void)worked(t.log->roll(), "roll");
    case 5:
      if (!worked(manager_->unlink(t.log->takeLeftovers(clock_.wallMs()).due), "unlink")) return;
      return (void)worked(t.log->runUpkeep(clock_.wallMs()), "upkeep");
    case 6: {
      const auto purged = manager_->purge(clock_.wallMs());
      if (!purged) (void)worked(std::unexpected(purged.error()), "purge");
      return;
    }
    case 7:
      if (chance(4)) toggleFlushOnAck(t);
      return;
    default:
      t.model.epoch = t.model.epoch + 1;
      // What follows may come from a leader, behind a hole: the batch says where the epoch begins.
      if (t.config.cleanup_compact) return;
      return (void)worked(t.log->startEpoch(t.model.epoch), "startEpoch");
  }
}

void World::readStep(Tracked& t) {
  if (t.model.end() <= t.model.start) return;
  const Offset from{random_.between(t.model.start.value(), t.model.end().value() - 1)};
  checkRead(t, from, random_.below(6000), static_cast<Isolation>(random_.below(3)));
}

void World::moveHighWatermark(Tracked& t) {
  LogModel& m = t.model;
  if (m.high_watermark >= m.end()) return;
  // Replicas acknowledge whole batches.
  const ModelBatch* batch =
      m.batchAt(Offset{random_.between(m.high_watermark.value(), m.end().value() - 1)});
  if (batch == nullptr) return;
  m.high_watermark = t.log->setHighWatermark(batch->last + 1);
  EXPECT_EQ(m.high_watermark, batch->last + 1);
}

void World::create(Tracked& t) {
  t.id = Uuid{1 + random_.below(1000), 2};
  t.model = {};
  const auto made = manager_->create(t.tp, t.id, t.config);
  if (!made) return (void)worked(std::unexpected(made.error()), "create");
  t.log = *made;
  t.removed = false;
  t.journaled_to = Offset{0};
  t.journaled_from.reset();
}

void World::appendPlain(Tracked& t) { append(t, randomBatch(t, false)); }

void World::appendIdempotent(Tracked& t) { append(t, idempotentBatch(t)); }

void World::appendInTransaction(Tracked& t) { append(t, transactionalBatch(t)); }

void World::endTransaction(Tracked& t) {
  if (auto marker = randomMarker(t)) append(t, std::move(*marker));
}

void World::append(Tracked& t, ModelBatch batch) {
  ++counts_.appends;
  batch.sent = encode(batch);
  batch.base = t.model.end();
  batch.last = batch.base + static_cast<std::int64_t>(batch.records.size()) - 1;
  batch.leader_epoch = t.model.epoch;
  if (t.config.timestamp_type == record::TimestampType::kLogAppendTime)
    for (ModelRecord& r : batch.records) r.timestamp = clock_.wallMs();
  if (trace_ != nullptr) note(describe(batch));
  const auto done = t.log->append(*record::BatchView::parse(batch.sent),
                                  {.leader_epoch = t.model.epoch,
                                   .now_ms = clock_.wallMs(),
                                   .origin = batch.marker ? record::AppendOrigin::kCoordinator
                                                          : record::AppendOrigin::kClient});
  if (!done && done.error().error.code == Errc::kOutOfOrderSequenceNumber &&
      t.model.lastBatchMayBeGone(batch.producer_id))
    return;  // deleted, or compacted before a crash took the batch that stood for it
  if (!done) {
    (void)worked(std::unexpected(done.error().error), "append");
    // Whole or in part, it may be there.
    t.model.batches.push_back(std::move(batch));
    t.model.doubtful = 1;
    return;
  }
  EXPECT_FALSE(done->duplicate);
  EXPECT_EQ(done->base_offset, batch.base);
  EXPECT_EQ(done->last_offset, batch.last);
  t.model.batches.push_back(std::move(batch));
  EXPECT_EQ(t.log->endOffset(), t.model.end());
  noteRound(t, done->round, done->base_offset);
}

namespace {

bool mayBeEmpty(const ModelBatch& batch) {
  return std::ranges::all_of(batch.records,
                             [](const ModelRecord& r) { return r.absent || r.may_be_gone; });
}

}  // namespace

void World::resend(Tracked& t) {
  for (const auto& [id, producer] : t.model.producers()) {
    if (producer.last.empty() || chance(2)) continue;
    const bool newest = chance(2);
    const std::size_t chosen =
        newest ? producer.last.size() - 1 : random_.below(producer.last.size());
    const ModelBatch& batch = t.model.batches[producer.last[chosen]];
    // Deleted records' producers may be forgotten or not.
    if (batch.base < t.model.start) continue;
    if (std::ranges::any_of(batch.records, [](const auto& r) { return r.may_be_gone; })) continue;
    // Compaction drops batches without records: the sequences around one do not follow each other.
    const std::span later = std::span(producer.last).subspan(chosen + 1);
    if (std::ranges::any_of(later, [&t](auto index) { return mayBeEmpty(t.model.batches[index]); }))
      continue;
    const auto done = t.log->append(*record::BatchView::parse(batch.sent),
                                    {.leader_epoch = t.model.epoch, .now_ms = clock_.wallMs()});
    if (!done) {
      // The log is asked for what a snapshot does not hold.
      (void)worked(std::unexpected(done.error().error), "resend");
      return;
    }
    EXPECT_TRUE(done->duplicate) << "offset " << batch.base.value();
    EXPECT_EQ(done->base_offset, batch.base);
    EXPECT_EQ(done->last_offset, batch.last);
    return;
  }
}

void World::flush(Tracked& t) {
  if (!worked(t.log->flush(), "flush")) return;
  t.model.synced = t.model.end();
}

void World::prepareFlush(Tracked& t) {
  if (t.job) return;
  t.job = t.log->prepareFlush(chance(2) ? FlushScope::kSealed : FlushScope::kAll);
  if (!t.log->health()) {
    (void)worked(t.log->health(), "prepareFlush");
    t.job.reset();
    return;
  }
  t.job_covers = t.job->up_to;
}

void World::finishFlush(Tracked& t) {
  if (!t.job) return;
  const Status outcome = t.job->run();
  t.log->flushed(*t.job, outcome);
  t.job.reset();
  if (!worked(outcome, "flush job")) return;
  t.model.synced = std::max(t.model.synced, t.job_covers);
  EXPECT_LE(t.log->recoveryPoint(), std::max({t.model.synced, t.model.start, t.model.closed_at}))
      << t.tp.toString() << ": the recovery point covers what no flush did";
}

void World::truncate(Tracked& t) {
  const LogModel& m = t.model;
  const Offset low = std::max({m.high_watermark, m.start, m.compacted_to});
  if (low >= m.end()) return;
  // A truncation goes to a batch's beginning, or where a compacted leader has none; those that hold
  // the high watermark stay.
  const Offset to = Offset{random_.between(low.value(), m.end().value() - 1)};
  const ModelBatch* batch = m.batchAt(to);
  if (batch != nullptr && batch->base < low) return;
  truncateAt(t, batch != nullptr ? batch->base : to);
}

void World::truncateAt(Tracked& t, Offset to) {
  t.model.cut_to = to;
  if (!allowCut(t, to)) return;
  if (!worked(t.log->truncateTo(to), "truncateTo")) return;
  t.model.cut_to.reset();
  const Offset end = t.log->endOffset();
  EXPECT_LE(end, to);
  EXPECT_TRUE(t.model.mayBeGone(end, to))
      << "cut to " << end.value() << " instead of " << to.value();
  t.model.cut(end);
  t.job_covers = std::min(t.job_covers, end);
  t.journaled_to = std::min(t.journaled_to, end);
  if (t.journaled_from) t.journaled_from = std::min(*t.journaled_from, end);
  if (end >= t.model.start) return;
  // In a hole the log ends in front of where it began: no record lies between. Until the checkpoint
  // files say so, a start finds it empty where it began.
  t.model.start_to = std::exchange(t.model.start, end);
  checkpoint();
  if (!down()) t.model.start_to.reset();
}

bool World::allowCut(Tracked& t, Offset offset) {
  if (t.log->recoveryPoint() <= offset) return true;
  if (offset > Offset{0}) EXPECT_FALSE(t.log->truncateTo(offset)) << "it was flushed";
  if (!worked(t.log->announceCut(offset), "announceCut")) return false;
  checkpoint();
  return !down();
}

void World::restartLog(Tracked& t) {
  const Offset to{t.model.end().value() + random_.between(0, 50)};
  t.model.emptied_at = to;
  if (!allowCut(t, Offset{0})) return;
  if (!worked(t.log->truncateFullyAndStartAt(to), "truncateFully")) return;
  t.model.emptied_at.reset();
  t.model.restartAt(to);
  t.job_covers = t.journaled_to = Offset{0};
  if (t.journaled_from) t.journaled_from = to;
}

void World::moveStart(Tracked& t) {
  const Offset to{random_.between(t.model.start.value(),
                                  std::max(t.model.start, t.model.high_watermark).value())};
  if (to > t.model.high_watermark) return;
  t.model.start_to = to;
  t.model.furthest_start = std::max(t.model.furthest_start, to);
  if (!worked(t.log->setStartOffset(to), "setStartOffset")) return;
  t.model.start_to.reset();
  t.model.start = to;
  t.model.furthest_start = std::max(t.model.furthest_start, to);
  EXPECT_EQ(t.log->startOffset(), to);
}

void World::retain(Tracked& t) {
  t.model.start_to = std::max(t.model.high_watermark, t.model.start);
  const auto gone = t.log->runRetention(clock_.wallMs());
  if (!gone) return (void)worked(std::unexpected(gone.error()), "runRetention");
  EXPECT_GE(t.log->startOffset(), t.model.start);
  EXPECT_LE(t.log->startOffset(), *t.model.start_to);
  t.model.start_to.reset();
  t.model.start = t.log->startOffset();
  t.model.furthest_start = std::max(t.model.furthest_start, t.model.start);
}

void World::compact(Tracked& t) {
  if (!t.config.cleanup_compact) return;
  const auto plan = t.log->prepareCompaction(clock_.wallMs());
  if (!plan) return (void)worked(std::unexpected(plan.error()), "prepareCompaction");
  if (plan->sources.empty() || plan->end <= plan->first_dirty) return;
  ++counts_.compactions;
  note(fmt::format("  compaction from {} to {}, stable {}", plan->first_dirty.value(),
                   plan->end.value(), t.log->lastStableOffset().value()));
  for (const auto& txn : plan->aborted)
    note(fmt::format("  aborted: producer {} from {} to {}", txn.producer_id.value(),
                     txn.first_offset.value(), txn.last_offset.value()));
  t.model.compact(plan->end);
  const auto outcome = runCompaction(*plan, {.map_bytes = 1 << 12});
  if (!outcome) {
    // Before anything is in place, a failure leaves the log as it was.
    if (outcome.error().code == Errc::kState) return;
    return (void)worked(std::unexpected(outcome.error()), "runCompaction");
  }
  if (chance(4)) appendPlain(t);
  if (chance(8) && !down()) truncate(t);
  if (chance(8) && !down()) retain(t);
  checkpoint();
  if (down()) return;
  if (!worked(t.log->compacted(*plan, *outcome), "compacted")) return;
  if (chance(3)) checkpoint();
}

void World::remove(Tracked& t) {
  t.job.reset();
  t.removed = true;
  PartitionLog* const log = t.log;
  if (!worked(manager_->remove(t.tp, clock_.wallMs()), "remove")) return;
  (void)log;
  t.log = nullptr;
}

void World::checkpoint() {
  if (down()) return;
  std::vector<Offset> starts;
  for (const auto& t : logs_) starts.push_back(t->model.start);
  // A directory that fails is reported otherwise: see open().
  if (!worked(manager_->writeCheckpoints(), "writeCheckpoints") || down()) return;
  for (std::size_t i = 0; i < logs_.size(); ++i)
    if (logs_[i]->log != nullptr) logs_[i]->model.saved_start = starts[i];
}

}  // namespace millrace::log::test
