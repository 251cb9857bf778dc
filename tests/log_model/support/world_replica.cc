// What a follower does: it takes its leader's batches as they are, and cuts itself back to where an
// epoch ended. And group commit: rounds of the journal.
#include "log/journal/journal.h"
#include "record/builder.h"
#include "tests/log_model/support/batches.h"
#include "tests/log_model/support/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace millrace::log::test {

void World::appendAsFollower(Tracked& t) {
  ++counts_.appends;
  LogModel& m = t.model;
  Bytes bytes;
  const std::size_t before = m.batches.size();
  const Offset end_before = m.end();
  for (auto left = 1 + random_.below(3); left > 0; --left) {
    if (chance(6)) m.epoch = m.epoch + 1;
    ModelBatch batch = leadersBatch(t);
    if (t.config.cleanup_compact && !batch.marker && chance(4)) dropSome(batch);
    batch.base = m.end() + (t.config.cleanup_compact ? randomGap() : 0);
    batch.last = batch.base + static_cast<std::int64_t>(batch.records.size()) - 1;
    batch.leader_epoch = m.epoch;
    batch.sent = encode(batch);
    Bytes sent = batch.sent;
    record::patchBaseOffset(sent.data(), batch.base);
    record::patchLeaderEpoch(sent.data(), batch.leader_epoch);
    bytes += sent;
    if (trace_ != nullptr) note("  from the leader:" + describe(batch));
    m.batches.push_back(std::move(batch));
  }
  const auto done = t.log->appendAsFollower(bytes);
  if (!done) {
    // All, some or none of them may be there.
    (void)worked(std::unexpected(done.error()), "appendAsFollower");
    m.doubtful = m.batches.size() - before;
    m.closed_at = m.end();
    return;
  }
  const Offset base = m.batches[before].base;
  EXPECT_EQ(done->base_offset, base);
  EXPECT_EQ(done->last_offset, m.end() - 1);
  EXPECT_EQ(t.log->endOffset(), m.end());
  // In front of the first gap, what is there is flushed: see own_segments.h.
  const Offset flushed = t.log->recoveryPoint();
  if (flushed >= end_before && flushed < m.end()) m.synced = std::max(m.synced, flushed);
  noteRound(t, done->round, end_before);
}

ModelBatch World::leadersBatch(Tracked& t) {
  std::optional<ModelBatch> batch;
  switch (random_.below(4)) {
    case 0: batch = idempotentBatch(t); break;
    case 1: batch = transactionalBatch(t); break;
    case 2: batch = randomMarker(t); break;
    default: break;
  }
  return batch ? std::move(*batch) : randomBatch(t, false);
}

/// What is left of a batch of a compacted leader; nothing perhaps, where it stands for its
/// producer.
void World::dropSome(ModelBatch& batch) {
  bool any = batch.producer_id >= ProducerId{0};
  for (ModelRecord& record : batch.records) record.absent = record.may_be_gone = chance(2);
  any = any || std::ranges::any_of(batch.records, [](const auto& r) { return !r.absent; });
  if (!any) batch.records[0].absent = batch.records[0].may_be_gone = false;
}

/// Offsets of batches that a compacted leader does not have any more.
std::int64_t World::randomGap() { return chance(4) ? random_.between(1, 20) : 0; }

void World::noteRound(Tracked& t, Journal::Round round, Offset base) {
  EXPECT_EQ(round > 0, t.config.flush_on_ack);
  if (round == 0) return;
  if (!t.journaled_from) t.journaled_from = base;
  t.journaled_to = t.model.end();
  if (chance(3)) commitRound();
}

void World::truncateToEpoch(Tracked& t) {
  const LogModel& m = t.model;
  const LeaderEpoch epoch{
      static_cast<std::int32_t>(random_.below(static_cast<std::uint64_t>(m.epoch.value()) + 1))};
  const EpochEnd end = t.log->endOfEpoch(epoch);
  if (end.end_offset < Offset{0}) return;
  const Offset wanted = m.endOfEpoch(epoch);
  // Of what was deleted, nobody knows the epochs; compaction may have taken the first batch of one.
  if (wanted <= m.furthest_start || m.compacted_to > Offset{0}) return;
  EXPECT_EQ(end.end_offset, wanted) << t.tp.toString() << " epoch " << epoch.value();
  if (wanted >= m.end() || wanted < std::max(m.high_watermark, m.start)) return;
  note(fmt::format("  cut to the end of epoch {}", epoch.value()));
  truncateAt(t, wanted);
}

void World::commitRound() {
  const auto done = manager_->journals().at(0)->commit();
  if (!worked(done.status, "commit")) return;
  ++counts_.rounds;
  for (const auto& t : logs_)
    if (t->log != nullptr) t->model.synced = std::max(t->model.synced, t->journaled_to);
  if (chance(3)) (void)worked(manager_->journals().at(0)->checkpoint(), "checkpoint");
}

void World::toggleFlushOnAck(Tracked& t) {
  t.config.flush_on_ack = !t.config.flush_on_ack;
  t.log->setConfig(t.config);
}

}  // namespace millrace::log::test
