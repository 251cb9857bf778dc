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
  const Offset base = m.end();
  Bytes bytes;
  const std::size_t before = m.batches.size();
  for (auto left = 1 + random_.below(3); left > 0; --left) {
    if (chance(6)) m.epoch = m.epoch + 1;
    std::optional<ModelBatch> batch;
    switch (random_.below(4)) {
      case 0: batch = idempotentBatch(t); break;
      case 1: batch = transactionalBatch(t); break;
      case 2: batch = randomMarker(t); break;
      default: break;
    }
    if (!batch) batch = randomBatch(t, false);
    batch->base = m.end();
    batch->last = batch->base + static_cast<std::int64_t>(batch->records.size()) - 1;
    batch->leader_epoch = m.epoch;
    batch->sent = encode(*batch);
    Bytes sent = batch->sent;
    record::patchBaseOffset(sent.data(), batch->base);
    record::patchLeaderEpoch(sent.data(), batch->leader_epoch);
    bytes += sent;
    if (trace_ != nullptr) note("  from the leader:" + describe(*batch));
    m.batches.push_back(std::move(*batch));
  }
  const auto done = t.log->appendAsFollower(bytes);
  if (!done) {
    // All, some or none of them may be there.
    (void)worked(std::unexpected(done.error()), "appendAsFollower");
    m.doubtful = m.batches.size() - before;
    return;
  }
  EXPECT_EQ(done->base_offset, base);
  EXPECT_EQ(done->last_offset, m.end() - 1);
  EXPECT_EQ(t.log->endOffset(), m.end());
  noteRound(t, done->round, base);
}

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
