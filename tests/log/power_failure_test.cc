// Power fails at every change that a few lines of work make on the disk.
#include "log/compaction.h"
#include "tests/log/support/power_failures.h"

namespace millrace::log::test {
namespace {

/// Nothing is missing, foreign or out of order: a beginning of `all` with at least what was synced.
void expectBeginning(const std::string& keys, const std::string& all, std::size_t synced) {
  EXPECT_EQ(keys, all.substr(0, keys.size()));
  EXPECT_GE(keys.size(), synced);
}

class PowerFailureTest : public PowerFailures {
 protected:
  /// One record of 300 bytes for each key.
  void addAll(const std::string& some) {
    for (const char key : some)
      if (!add(log(), std::string(1, key))) return;
  }
  void compactAll(const std::string& appended_meanwhile) {
    const auto plan = log().prepareCompaction(clock_.wallMs());
    if (!plan) return;
    const auto outcome = runCompaction(*plan, {.map_bytes = 1 << 12});
    if (!outcome || !manager_->writeCheckpoints()) return;
    if (!log().compacted(*plan, *outcome)) return;
    addAll(appended_meanwhile);
    (void)manager_->writeCheckpoints();
  }
  void flushHigh() {
    ASSERT_TRUE(log().flush());
    log().setHighWatermark(log().endOffset());
    ASSERT_TRUE(manager_->writeCheckpoints());
  }
};

TEST_F(PowerFailureTest, ANewLogKeepsWhatWasFlushed) {
  std::size_t synced = 0;
  atEveryChange([&] { synced = 0; },
                [&] {
                  addAll("abcdefgh");
                  if (log().flush()) synced = 8;
                  addAll("ijklmn");
                  (void)manager_->writeCheckpoints();
                },
                [&] {
                  expectBeginning(keys(), "abcdefghijklmn", synced);
                  if (synced > 0) EXPECT_EQ(found()->topicId(), (Uuid{1, 1}));
                });
}

TEST_F(PowerFailureTest, ACutIsWholeOrNotAtAllAndNothingOldStandsBehindWhatCameAfter) {
  atEveryChange(
      [&] {
        addAll("abcd");
        flushHigh();
        addAll("efghijklmnopqrst");
        ASSERT_GT(log().segmentCount(), 2U);
      },
      [&] {
        if (log().truncateTo(Offset{7})) addAll("UVWXYZ");
      },
      [&] {
        const std::string found = keys();
        const bool cut = found.find_first_of("UVWXYZ") != std::string::npos;
        expectBeginning(found, cut ? "abcdefgUVWXYZ" : "abcdefghijklmnopqrst", 4);
      });
}

TEST_F(PowerFailureTest, ACutBelowTheRecoveryPointThatWasAnnouncedIsNoLoss) {
  atEveryChange(
      [&] {
        addAll("abcdefghijklmnop");
        ASSERT_TRUE(log().flush());
        ASSERT_TRUE(manager_->writeCheckpoints());
      },
      [&] {
        if (!log().announceCut(Offset{3}) || !manager_->writeCheckpoints()) return;
        if (log().truncateTo(Offset{3})) addAll("XYZ");
      },
      [&] {
        const std::string found = keys();
        const bool cut = found.find('X') != std::string::npos;
        expectBeginning(found, cut ? "abcXYZ" : "abcdefghijklmnop", 3);
      });
}

TEST_F(PowerFailureTest, ALogThatStartsAnewIsTheOldOrTheNewOne) {
  atEveryChange(
      [&] {
        addAll("abcd");
        flushHigh();
        addAll("efghijklmnop");
      },
      [&] {
        if (!log().announceCut(Offset{0}) || !manager_->writeCheckpoints()) return;
        if (log().truncateFullyAndStartAt(Offset{100})) addAll("XYZ");
      },
      [&] {
        const std::string there = keys();
        if (found()->startOffset() == Offset{100}) return expectBeginning(there, "XYZ", 0);
        EXPECT_EQ(found()->startOffset(), Offset{0});
        expectBeginning(there, "abcdefghijklmnop", 0);
      });
}

TEST_F(PowerFailureTest, ASwapOfCompactedSegmentsIsFinishedOrUndone) {
  config_.cleanup_compact = true;
  config_.cleanup_delete = false;
  config_.min_cleanable_dirty_ratio = 0;
  atEveryChange(
      [&] {
        addAll("abcabcabcabcabcdef");
        flushHigh();
      },
      [&] { compactAll("XYZ"); },
      [&] {
        const std::string there = keys();
        for (const char key : std::string("abcdef")) {
          const auto last = there.rfind(key);
          ASSERT_NE(last, std::string::npos) << key << " is gone: " << there;
        }
        // The order of the newest of each key, and what was appended behind torn or not.
        const std::string tail = there.substr(there.rfind('f') + 1);
        EXPECT_EQ(tail, std::string("XYZ").substr(0, tail.size()));
      },
      4);
}

/// What a finished swap made must not look like lost records to the starts that follow.
TEST_F(PowerFailureTest, ASwapThatAStartFinishesCountsAsCompacted) {
  config_.cleanup_compact = true;
  config_.cleanup_delete = false;
  config_.min_cleanable_dirty_ratio = 0;
  start_fails_ = false;
  int finished = 0;
  bool swap = false;
  before_start_ = [&] {
    swap = std::ranges::any_of(disk_->filesBelow("/data/orders-0"),
                               [](const auto& path) { return path.ends_with(".log.swap"); });
  };
  atEveryChange(
      [&] {
        addAll("abcabcabcabcabcdef");
        flushHigh();
      },
      [&] { compactAll(""); },
      [&] {
        if (!swap) return;
        ++finished;
        EXPECT_GT(found()->cleanedTo(), Offset{0});
      },
      4);
  EXPECT_GT(finished, 5);
}

TEST_F(PowerFailureTest, ACutOfACompactedLogThatWasAnnouncedTakesPlace) {
  bool announced = false;
  bool synced = false;
  config_.cleanup_compact = true;
  config_.cleanup_delete = false;
  config_.min_cleanable_dirty_ratio = 0;
  atEveryChange(
      [&] {
        announced = synced = false;
        addAll("abcabcabcdefghijk");
        flushHigh();
        const auto plan = log().prepareCompaction(clock_.wallMs());
        ASSERT_TRUE(plan);
        const auto outcome = runCompaction(*plan, {.map_bytes = 1 << 12});
        ASSERT_TRUE(outcome);
        ASSERT_TRUE(log().compacted(*plan, *outcome));
        ASSERT_TRUE(log().flush());
        ASSERT_TRUE(manager_->writeCheckpoints());
      },
      [&] {
        if (!log().announceCut(Offset{10})) return;
        announced = true;
        if (!manager_->writeCheckpoints() || !log().truncateTo(Offset{10})) return;
        EXPECT_LE(log().cleanedTo(), Offset{10});
        addAll("XYZ");
        synced = log().flush().has_value() && !disk_->crashed();
      },
      [&] {
        const std::string there = keys();
        if (announced) {
          const std::string wanted = "abcdXYZ";
          EXPECT_TRUE(wanted.starts_with(there)) << there;
          EXPECT_GE(there.size(), synced ? 7U : 4U);
        } else {
          EXPECT_TRUE(there == "abcdefghijk" || there == "abcd") << there;
        }
        EXPECT_FALSE(found()->cutPending());
      });
}

TEST_F(PowerFailureTest, AnIndexWhoseTailIsTornIsMadeAnew) {
  atEveryChange(
      [&] {
        addAll("abcdefgh");
        flushHigh();
      },
      [&] {
        addAll("ijkl");
        (void)log().flush();
        addAll("mnop");
        (void)log().flush();
      },
      [&] {
        // expectSound() holds every index entry against the log.
        for (Offset at{0}; at < found()->endOffset(); at = at + 1)
          EXPECT_EQ(readAll(*found(), at, 1).size(),
                    static_cast<std::size_t>(found()->endOffset() - at));
        addAll("qrst");
        EXPECT_EQ(keys().substr(keys().size() - 4), "qrst");
      });
}

/// Appends a transactional batch, or a marker where `type` is given.
bool addTransactional(PartitionLog& log, std::int64_t producer, std::int32_t sequence,
                      std::optional<record::ControlType> type = std::nullopt) {
  if (type)
    return append(log, record::buildEndTxnMarker(ProducerId{producer}, 0, {*type, 1}, 1000), 1000,
                  0, record::AppendOrigin::kCoordinator)
        .has_value();
  return append(log, simpleBatch(1, 1000, 300,
                                 {.producer_id = ProducerId{producer},
                                  .producer_epoch = 0,
                                  .base_sequence = sequence,
                                  .transactional = true}))
      .has_value();
}

TEST_F(PowerFailureTest, AnEndedTransactionAboveTheHighWatermarkIsNotStableAfterARoll) {
  atEveryChange(
      [&] {
        ASSERT_TRUE(addTransactional(log(), 7, 0));
        ASSERT_TRUE(add(log(), "a"));
        ASSERT_TRUE(log().flush());
        log().setHighWatermark(Offset{1});
        ASSERT_TRUE(manager_->writeCheckpoints());
      },
      [&] {
        (void)addTransactional(log(), 7, 0, record::ControlType::kAbort);
        (void)log().roll();  // a snapshot that knows of no open transaction
        (void)log().flush();
        (void)manager_->writeCheckpoints();
      },
      [&] { EXPECT_EQ(found()->lastStableOffset(), Offset{0}); });
}

TEST_F(PowerFailureTest, AbortedRangesAreThereForEveryMarkerThatIs) {
  atEveryChange(
      [&] {
        ASSERT_TRUE(addTransactional(log(), 7, 0));
        flushHigh();
      },
      [&] {
        (void)addTransactional(log(), 7, 0, record::ControlType::kAbort);
        for (int i = 1; i < 6; ++i) (void)addTransactional(log(), 7, i);
        (void)log().flush();
        (void)addTransactional(log(), 7, 0, record::ControlType::kAbort);
        (void)log().roll();
        (void)log().flush();
      },
      [&] {
        const Offset end = found()->endOffset();
        found()->setHighWatermark(end);
        const auto aborted = found()->abortedTransactions(Offset{0}, end);
        ASSERT_TRUE(aborted) << aborted.error().toString();
        const std::size_t markers = end > Offset{7} ? 2 : end > Offset{1} ? 1 : 0;
        ASSERT_EQ(aborted->size(), markers);
        if (markers > 0) EXPECT_EQ(aborted->at(0).first_offset, Offset{0});
        if (markers > 1) EXPECT_EQ(aborted->at(1).first_offset, Offset{2});
        EXPECT_EQ(found()->lastStableOffset(), markers == 0      ? Offset{0}
                                               : markers == 2    ? end
                                               : end > Offset{2} ? Offset{2}
                                                                 : end);
      });
}

TEST_F(PowerFailureTest, LeaderEpochsAreThoseOfTheRecords) {
  atEveryChange(
      [&] {
        ASSERT_TRUE(append(log(), simpleBatch(1), 1000, 3));
        flushHigh();
      },
      [&] {
        (void)append(log(), simpleBatch(1), 1000, 5);
        (void)append(log(), simpleBatch(1), 1000, 6);
        (void)log().flush();
        if (!log().announceCut(Offset{2}) || !manager_->writeCheckpoints()) return;
        if (log().truncateTo(Offset{2})) (void)append(log(), simpleBatch(1), 1000, 8);
      },
      [&] {
        std::vector<EpochEntry> wanted;
        const auto all = found()->read(Offset{0}, 1 << 20, Isolation::kLogEnd);
        ASSERT_TRUE(all);
        const Bytes bytes = contentOf(*all);
        record::BatchIterator walk(bytes);
        record::BatchView batch;
        while (walk.next(batch)) wanted.push_back({batch.leaderEpoch(), batch.baseOffset()});
        EXPECT_EQ(found()->epochs(), wanted);
      });
}

TEST_F(PowerFailureTest, ARemovedLogAndAnotherOfItsNameAreNotMixed) {
  atEveryChange(
      [&] {
        addAll("abcdefgh");
        flushHigh();
      },
      [&] {
        if (!manager_->remove(name_, 0)) return;
        const auto other = manager_->create(name_, Uuid{2, 2}, config_);
        if (!other) return;
        for (const char* key : {"X", "Y", "Z"})
          if (!add(**other, key)) return;
        (void)(*other)->flush();
        (void)manager_->writeCheckpoints();
        (void)manager_->purge(1 << 20);
      },
      [&] {
        if (found() == nullptr) return;
        const bool old = found()->topicId() == Uuid{1, 1};
        expectBeginning(keys(), old ? "abcdefgh" : "XYZ", 0);
      });
}

TEST_F(PowerFailureTest, TheFilesOfARemovedLogGoOnlyWhenItsNameIsGone) {
  config_.file_delete_delay_ms = 0;
  atEveryChange(
      [&] {
        addAll("abcdefgh");
        flushHigh();
        ASSERT_TRUE(manager_->writeCheckpoints());
      },
      [&] {
        if (!manager_->remove(name_, 0)) return;
        (void)manager_->purge(1 << 20);
      },
      [&] {
        if (found() != nullptr) expectBeginning(keys(), "abcdefgh", 8);
      });
}

}  // namespace
}  // namespace millrace::log::test
