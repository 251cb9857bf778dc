#include "tests/log_model/support/world.h"

#include "record/builder.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace millrace::log::test {
namespace {

constexpr const char* kRoot = "/data";

std::uint64_t saltBits(std::uint64_t salt) { return salt == 0 ? 0 : SeededRandom(salt).next(); }

}  // namespace

WorldCounts& WorldCounts::operator+=(const WorldCounts& other) {
  steps += other.steps;
  appends += other.appends;
  power_failures += other.power_failures;
  kills += other.kills;
  clean_stops += other.clean_stops;
  faults += other.faults;
  crashes_in_recovery += other.crashes_in_recovery;
  damaged_files += other.damaged_files;
  compactions += other.compactions;
  rounds += other.rounds;
  direct_syncs += other.direct_syncs;
  repairs += other.repairs;
  records_lost_unsynced += other.records_lost_unsynced;
  return *this;
}

World::World(std::uint64_t seed, std::uint64_t salt)
    : random_(seed + saltBits(salt)),
      disk_(seed + saltBits(salt) + 1),
      names_(seed + saltBits(salt) + 2),
      direct_bytes_(seed % 2 == 0 ? 300 : 1 << 20),
      journal_bytes_((seed % 8 < 5 ? 3 : 8) * journal::kAlignment),
      logs_synced_together_(seed % 4 < 2 ? 1 : 256) {
  const auto logs = 1 + random_.below(3);
  for (std::uint64_t i = 0; i < logs; ++i) {
    auto t = std::make_unique<Tracked>();
    const bool compacted = random_.below(2) == 0;
    t->tp = {"topic" + std::to_string(i), PartitionIndex{0}};
    t->config = randomConfig(compacted);
    logs_.push_back(std::move(t));
  }
}

void World::traceTo(std::FILE* out) {
  trace_ = out;
  disk_.traceTo(out);
}

void World::note(const std::string& text) const {
  if (trace_ != nullptr) std::fprintf(trace_, "%s\n", text.c_str());
}

LogConfig World::randomConfig(bool compacted) {
  LogConfig config;
  config.segment_bytes = static_cast<std::int32_t>(random_.between(4000, 20'000));
  config.index_interval_bytes = static_cast<std::int32_t>(random_.between(50, 2500));
  config.segment_ms = chance(3) ? 5'000 : 1'000'000;
  config.file_delete_delay_ms = chance(2) ? 0 : 2'000;
  config.retention_ms = chance(2) ? -1 : 15'000;
  config.retention_bytes = chance(3) ? 30'000 : -1;
  config.producer_id_expiration_ms = 1'000'000'000;
  config.delete_retention_ms = chance(2) ? 0 : 3'000;
  config.cleanup_compact = compacted;
  config.cleanup_delete = !compacted || chance(2);
  config.min_cleanable_dirty_ratio = 0;
  if (chance(4)) config.timestamp_type = record::TimestampType::kLogAppendTime;
  if (chance(5)) config.compression = record::Codec::kLz4;
  config.flush_on_ack = chance(4);
  return config;
}

void World::run(int steps) {
  open();
  for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
    if (down() || chance(40)) {
      bounce();
    } else {
      if (chance(30)) armFault();
      step();
    }
  }
  if (!testing::Test::HasFailure()) bounce();
}

void World::open() {
  auto opened =
      LogManager::open({.directories = {kRoot},
                        .defaults = {},
                        .config_of =
                            [this](const std::string& topic) {
                              for (const auto& t : logs_)
                                if (t->tp.topic == topic) return t->config;
                              return LogConfig{};
                            },
                        .on_failure = [this](const std::string&, const Error&) { broken_ = true; },
                        .logs_synced_together = logs_synced_together_,
                        .recovery_threads = 1,
                        .journal_file_bytes = journal_bytes_,
                        .journal_direct_bytes = direct_bytes_,
                        .files = &disk_,
                        .clock = &clock_,
                        .random = &names_});
  if (!opened && isJournalTold(opened.error())) return open();
  if (!opened) {
    (void)worked(std::unexpected(opened.error()), "open");
    manager_.reset();
    return;
  }
  manager_ = std::move(*opened);
  for (const std::string& text : manager_->report().notes) note("  told: " + text);
}

void World::armFault() {
  switch (random_.below(8)) {
    case 0:
    case 1:
    case 2: return disk_.crashAfter(random_.below(60));
    case 3: return disk_.failAfter(DiskCall::kSync, random_.below(6));
    case 4: return disk_.failAfter(DiskCall::kWrite, random_.below(20));
    case 5: return disk_.failAfter(DiskCall::kNames, random_.below(10));
    case 6: return disk_.limitSpace(random_.below(8000));
    default:
      if (chance(4)) return disk_.setReadOnly(true);
      return disk_.failAfter(DiskCall::kRead, random_.below(10));
  }
}

void World::expectRefusals(Tracked& t) {
  if (t.log == nullptr || t.log->health()) return;
  const Offset end = t.log->endOffset();
  record::BatchBuilder builder;
  builder.append(1, "k", "v");
  const Bytes bytes = *builder.build();
  disk_.limitSpace(1 << 20);
  EXPECT_FALSE(t.log->append(*record::BatchView::parse(bytes), {.now_ms = clock_.wallMs()}));
  EXPECT_FALSE(t.log->read(t.log->startOffset(), 1000, Isolation::kLogEnd));
  EXPECT_FALSE(t.log->flush());
  EXPECT_FALSE(t.log->roll());
  EXPECT_FALSE(t.log->close());
  EXPECT_FALSE(t.log->runRetention(clock_.wallMs()));
  EXPECT_TRUE(t.log->prepareFlush().empty());
  EXPECT_EQ(t.log->endOffset(), end);
}

void World::bounce() {
  const bool crashed = disk_.crashed();
  if (broken_ && !crashed) {
    ++counts_.faults;
    for (const auto& t : logs_) expectRefusals(*t);
  }
  bool clean = false;
  if (!down() && manager_ != nullptr && chance(3)) {
    for (const auto& t : logs_) t->model.closed_at = t->model.end();
    clean = worked(manager_->close(), "close") && !down();
    if (clean) ++counts_.clean_stops;
    if (testing::Test::HasFailure()) return;
  }
  for (const auto& t : logs_) {
    t->job.reset();
    t->log = nullptr;
    // A replay of the journal flushes the logs that it has something of, in any of its tries.
    if (t->journaled_from) t->model.closed_at = t->model.end();
    t->journaled_to = Offset{0};
  }
  countDirectSyncs();
  manager_.reset();
  note(clean ? "stopped cleanly" : "stopped");
  const Restart how = chance(3) ? Restart::kProcess : Restart::kPower;
  if (!clean) ++(how == Restart::kPower ? counts_.power_failures : counts_.kills);
  // A sync that failed has thrown pages away, whatever the restart.
  const bool pages_dropped = disk_.faultMet();
  note(how == Restart::kPower ? "== restart after a power failure" : "== restart");
  disk_.restart(how);
  broken_ = false;
  reopen(how);
  repair();
  if (manager_ == nullptr || testing::Test::HasFailure()) return;
  for (const auto& t : logs_) {
    absorb(*t, pages_dropped ? Restart::kPower : how_worst_, clean);
    t->journaled_from.reset();
    if (testing::Test::HasFailure()) return;
  }
}

void World::countDirectSyncs() {
  if (manager_ == nullptr) return;
  for (const Journal* const journal : manager_->journals())
    counts_.direct_syncs += journal->counters().direct_syncs;
}

void World::reopen(Restart how) {
  how_worst_ = how;
  for (const auto& t : logs_) t->damaged_at.reset();
  damageSomething();
  for (int tries = 0;; ++tries) {
    // Bit rot is enough for one start.
    const bool rot = journal_rot_ ||
                     std::ranges::any_of(logs_, [](const auto& t) { return t->rot.has_value(); });
    const bool trouble = !rot && tries < 4 && chance(3);
    if (trouble && chance(4)) {
      disk_.failAfter(DiskCall::kRead, random_.below(20));
    } else if (trouble) {
      disk_.crashAfter(random_.below(25));
    }
    open();
    if (!down() && !disk_.faultMet()) {
      // Anything armed and not met yet may still come.
      journal_rot_.reset();
      return;
    }
    if (testing::Test::HasFailure()) return;
    ++counts_.crashes_in_recovery;
    manager_.reset();
    const Restart again = chance(2) ? Restart::kProcess : Restart::kPower;
    if (again == Restart::kPower) how_worst_ = Restart::kPower;
    note(again == Restart::kPower ? "== power failed in recovery" : "== killed in recovery");
    disk_.restart(again);
    broken_ = false;
  }
}

void World::absorbEmpty(Tracked& t) {
  // Never synced: the directory's name may be lost altogether, or the topic id. Deleted ones stay
  // away, or not. A cut to the beginning that had been announced takes the id's last trace.
  const LogModel& m = t.model;
  const bool cut = m.cut_to && *m.cut_to <= m.origin;
  if (!t.removed && !m.emptied_at && !cut)
    EXPECT_EQ(m.synced, m.origin) << t.tp.toString() << " is gone";
  t.model = {};
}

void World::checkEnds(const Tracked& t, Restart worst, bool clean) {
  const LogModel& m = t.model;
  const Offset start = t.log->startOffset();
  const Offset end = t.log->endOffset();
  Offset low = m.synced;
  if (worst == Restart::kProcess || clean) {
    const std::size_t sure = m.batches.size() - m.doubtful;
    low = sure > 0 ? m.batches[sure - 1].last + 1 : m.origin;
    // What is journaled may be in the process's memory until its round is done.
    if (!clean && t.journaled_from) low = std::min(low, std::max(m.synced, *t.journaled_from));
  }
  if (m.cut_to) low = std::min(low, *m.cut_to);
  if (m.emptied_at) low = Offset{0};
  if (t.damaged_at) low = std::min(low, *t.damaged_at);
  // A cut ends where the last batch in front of it does.
  const bool gap = (m.cut_to || t.damaged_at) && end < low && m.mayBeGone(end, low);
  if (!gap) EXPECT_GE(end, low) << "records are lost";
  EXPECT_LE(end, m.end());
  EXPECT_TRUE(m.isBoundary(end) || start == end) << end.value() << " is within a batch";
  EXPECT_GE(start, m.saved_start);
  EXPECT_LE(start, m.start_to.value_or(m.start));
  if (clean && !m.emptied_at) EXPECT_EQ(start, m.start);
}

bool World::isForeign(const Tracked& t) {
  return t.removed || (!t.log->topicId().isZero() && t.log->topicId() != t.id);
}

/// A power failure or the journal brought it back, or the one of that name before it.
void World::discard(Tracked& t) {
  if (!t.removed) EXPECT_EQ(t.model.synced, t.model.origin) << "another log stands in its place";
  if (!worked(manager_->remove(t.tp, clock_.wallMs()), "remove")) return;
  t.log = nullptr;
  t.removed = true;
  t.model = {};
}

void World::absorb(Tracked& t, Restart worst, bool clean) {
  LogModel& m = t.model;
  t.log = manager_->find(t.tp);
  if (t.log == nullptr) {
    for (const std::string& note : manager_->report().notes)
      if (note.find(t.tp.toString()) != std::string::npos &&
          note.find("offline") != std::string::npos)
        ADD_FAILURE() << note;
    return absorbEmpty(t);
  }
  if (isForeign(t)) return discard(t);
  const Offset start = t.log->startOffset();
  const Offset end = t.log->endOffset();
  note(t.tp.toString() + " is back from " + std::to_string(start.value()) + " to " +
       std::to_string(end.value()));
  SCOPED_TRACE(t.tp.toString() + " from " + std::to_string(start.value()) + " to " +
               std::to_string(end.value()) + ", expected " + std::to_string(m.start.value()) +
               " to " + std::to_string(m.end().value()) + ", synced " +
               std::to_string(m.synced.value()) + (clean ? ", clean" : ", not clean"));
  if (m.emptied_at && start == end) {
    m.restartAt(end);
    clearDoubts(m);
    return (void)giveId(t);
  }
  checkEnds(t, worst, clean);
  if (testing::Test::HasFailure()) return;
  counts_.records_lost_unsynced += static_cast<std::uint64_t>(m.end() - end);
  // Everything up to a log start offset inside a lost batch is gone: the log begins anew there.
  if (m.isBoundary(end)) m.cut(end);
  if (m.end() != end) {
    EXPECT_EQ(start, end) << "the log ends in a hole";
    m.restartAt(end);
  }
  m.start = start;
  m.high_watermark = t.log->highWatermark();
  if (clean) m.synced = end;
  clearDoubts(m);
  if (giveId(t)) check(t);
}

/// partition.metadata goes with what was not synced: whoever knows the id gives it again.
bool World::giveId(Tracked& t) {
  if (!t.log->topicId().isZero()) return true;
  EXPECT_EQ(t.log->startOffset(), t.log->endOffset()) << "nobody knows whose records these are";
  const auto made = manager_->create(t.tp, t.id, t.config);
  return made || worked(std::unexpected(made.error()), "create");
}

void World::clearDoubts(LogModel& m) {
  if (m.start_to) m.furthest_start = std::max(m.furthest_start, *m.start_to);
  m.cut_to.reset();
  m.start_to.reset();
  m.emptied_at.reset();
  m.doubtful = 0;
}

}  // namespace millrace::log::test
