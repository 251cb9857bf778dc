// One random life of a data directory: logs are used, the disk breaks, everything is opened again,
// and what is there is held against the model.
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "log/journal/journal.h"
#include "log/log_manager.h"
#include "tests/log/support/faulty_disk.h"
#include "tests/log_model/support/log_model.h"
#include "tests/log_model/support/world_counts.h"

#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace::log::test {

class World {
 public:
  /// The same two numbers give the same life; 0 is the salt of the suite.
  explicit World(std::uint64_t seed, std::uint64_t salt = 0);
  /// Prints what happens: for a person who follows a failure.
  void traceTo(std::FILE* out);
  /// Reports what is wrong as failures of the current test, and stops there.
  void run(int steps);
  [[nodiscard]] const WorldCounts& counts() const { return counts_; }

 private:
  struct Tracked {
    TopicPartition tp;
    LogConfig config;
    Uuid id;
    LogModel model;
    PartitionLog* log = nullptr;
    /// Deleted at the last life; a power failure may bring it back.
    bool removed = false;
    /// A byte that was changed and cannot be made again, and what it was.
    struct Rot {
      std::string path;
      std::uint64_t position = 0;
      Bytes original;
      /// Of the batch that it is in, where it is in one.
      Offset base;
      Offset last;
    };
    std::optional<Rot> rot;
    /// Damage that was not known to be on disk may have been cut off from here on.
    std::optional<Offset> damaged_at;
    std::optional<FlushJob> job;
    /// What the job covers, and how far the log was cut since.
    Offset job_covers;
    /// With flush.on.ack: up to here the next round of the journal makes everything durable.
    Offset journaled_to;
    /// The first append of this life that went into the journal: the segment may get it later.
    std::optional<Offset> journaled_from;
  };

  // world.cc: lives and deaths.
  void open();
  void bounce();
  void reopen(Restart how);
  void countDirectSyncs();
  void absorb(Tracked& t, Restart worst, bool clean);
  static bool isForeign(const Tracked& t);
  void discard(Tracked& t);
  static void checkEnds(const Tracked& t, Restart worst, bool clean);
  void absorbEmpty(Tracked& t);
  bool giveId(Tracked& t);
  static void clearDoubts(LogModel& m);

  // world_damage.cc: bit rot between two lives.
  void damageSomething();
  bool isCopyOfCheckpointsNew();
  void damage(const std::string& path);
  void damageTransaction(const std::string& path, const Bytes& content);
  void damageRecords(Tracked& t);
  /// Bits or a page of the journal, but not of the last frame: that one may be a round that nobody
  /// was told of.
  void damageJournal();
  /// Whether the start failed because of that damage, and said so. It is put right then.
  bool isJournalTold(const Error& failure);
  static bool findBatch(const Bytes& content, Tracked::Rot& rot);
  /// What cannot be made again must have been told with file and position, and not served; it is
  /// put right, as from a replica.
  void repair();
  bool isTold(Tracked& t);

  // world.cc
  void armFault();
  void expectRefusals(Tracked& t);
  LogConfig randomConfig(bool compacted);

  // world_steps.cc: one step each. They note beforehand what a failure may leave behind.
  void step();
  void upkeepStep(Tracked& t);
  void readStep(Tracked& t);
  void create(Tracked& t);
  void appendPlain(Tracked& t);
  void appendIdempotent(Tracked& t);
  void appendInTransaction(Tracked& t);
  void endTransaction(Tracked& t);
  void resend(Tracked& t);
  void append(Tracked& t, ModelBatch batch);
  void flush(Tracked& t);
  void prepareFlush(Tracked& t);
  void finishFlush(Tracked& t);
  void truncate(Tracked& t);
  void truncateAt(Tracked& t, Offset to);
  /// Prepares a truncation to below what was flushed; false where the disk fails.
  bool allowCut(Tracked& t, Offset offset);
  void restartLog(Tracked& t);
  void moveStart(Tracked& t);
  void moveHighWatermark(Tracked& t);
  void retain(Tracked& t);
  void compact(Tracked& t);
  void remove(Tracked& t);
  void checkpoint();
  /// False where the call failed because of an injected fault; any other failure is one of the
  /// test.
  bool worked(const Status& status, const char* what);

  // batches.cc
  ModelBatch randomBatch(Tracked& t, bool keyed);
  /// Of one of three producers from `first_id` on, with what comes next of it.
  ModelBatch producersBatch(Tracked& t, std::int64_t first_id);
  ModelBatch idempotentBatch(Tracked& t);
  ModelBatch transactionalBatch(Tracked& t);
  /// For one of the open transactions.
  std::optional<ModelBatch> randomMarker(Tracked& t);

  // world_replica.cc: a follower's appends and truncations, group commit.
  void appendAsFollower(Tracked& t);
  ModelBatch leadersBatch(Tracked& t);
  void dropSome(ModelBatch& batch);
  std::int64_t randomGap();
  /// The log was cut to the end of an epoch: what a follower does that diverged.
  void truncateToEpoch(Tracked& t);
  void commitRound();
  void noteRound(Tracked& t, Journal::Round round, Offset base);
  void toggleFlushOnAck(Tracked& t);

  // world_checks.cc
  void check(Tracked& t);
  void checkRead(Tracked& t, Offset from, std::uint64_t max_bytes, Isolation isolation);
  /// `bytes` must hold every record of [from, to) and nothing foreign.
  void checkRecords(Tracked& t, const Bytes& bytes, Offset from, Offset to);
  void checkBatch(Tracked& t, const record::BatchView& batch, std::map<Offset, bool>& seen);
  void checkProducers(Tracked& t);
  void checkTransactions(Tracked& t);
  void checkTimestamps(Tracked& t);
  void checkEpochs(Tracked& t);

  void note(const std::string& text) const;
  [[nodiscard]] bool chance(std::uint64_t one_in) { return random_.below(one_in) == 0; }
  [[nodiscard]] bool down() const { return broken_ || disk_.crashed(); }

  SeededRandom random_;
  FaultyDisk disk_;
  SeededRandom names_;
  /// A log that appends as much in one round is synced in its segment instead of being journaled.
  const std::uint64_t direct_bytes_;
  /// So small that the two files take turns.
  const std::uint64_t journal_bytes_;
  const std::size_t logs_synced_together_;
  ManualClock clock_{1'000'000};
  std::unique_ptr<LogManager> manager_;
  std::vector<std::unique_ptr<Tracked>> logs_;
  /// A call failed because of a fault: the process is to stop.
  bool broken_ = false;
  /// The worst that happened between the last life and this one.
  Restart how_worst_ = Restart::kProcess;
  /// What was damaged of the journal for this start, and what stood there.
  struct JournalRot {
    std::string path;
    std::uint64_t position = 0;
    Bytes original;
  };
  std::optional<JournalRot> journal_rot_;
  int value_counter_ = 0;
  WorldCounts counts_;
  std::FILE* trace_ = nullptr;
};

}  // namespace millrace::log::test
