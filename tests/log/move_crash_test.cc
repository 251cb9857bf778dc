// The process dies, or the power fails, at every change that a move to another directory makes.
#include "tests/log/support/moves.h"
#include "tests/log/support/power_failures.h"

namespace millrace::log::test {
namespace {

class MoveCrashTest : public PowerFailures {
 protected:
  void SetUp() override { directories_ = {"/data", "/other"}; }
  /// One record for each key, as long as the disk takes them. Acknowledged: with flush.on.ack when
  /// the round is on disk.
  void addAll(const std::string& some) {
    for (const char key : some) {
      if (!add(log(), std::string(1, key))) return;
      added_ += key;
      const auto journals = manager_->journals();
      const bool there = log().directory().starts_with("/other");
      if (config_.flush_on_ack && !journals.at(there ? 1 : 0)->commit().status) return;
      if (config_.flush_on_ack || restart_ == Restart::kProcess) acknowledged_ = added_.size();
    }
    log().setHighWatermark(log().endOffset());
  }
  /// Begins on a new disk.
  void fill() {
    forget();
    addAll("abcdefgh");
  }
  bool flush() {
    if (!log().flush()) return false;
    acknowledged_ = std::max(acknowledged_, added_.size());
    return true;
  }
  void move(const std::string& to, const std::string& meanwhile = {}) {
    if (manager_->moves().empty()) (void)manager_->beginMove(name_, to);
    if (manager_->moves().empty()) return;
    const auto future = manager_->moves()[0].future;
    if (!copyAll(*manager_, name_, *future)) return;
    addAll(meanwhile);
    if (!copyAll(*manager_, name_, *future)) return;
    if (!switchOver(*manager_, name_)) return;
    ++moved_;
  }
  /// The start after the crash does without a directory. Either the log is served with all that was
  /// acknowledged, and goes on, or not at all.
  void liveWithout(const std::string& directory) {
    broken_[directory] = Error{Errc::kIo, "it is not there"};
    manager_ = open();
    broken_.clear();
    ASSERT_NE(manager_, nullptr);
    if (found() != nullptr) {
      added_ = keys();
      EXPECT_GE(added_.size(), acknowledged_);
      addAll("yz");
      ++served_;
    }
    loseUnsynced();
  }
  void expectMovesWithout(const std::string& directory) {
    config_.flush_on_ack = true;
    start_fails_ = false;
    before_start_ = [this, directory] { liveWithout(directory); };
    atEveryChange(
        [&] {
          forget();
          addAll("abcdefgh");
        },
        [&] {
          move("/other", "ijkl");
          addAll("mnopq");
        },
        [&] { expectAll(); });
    EXPECT_GT(served_, 0);
  }
  void forget() {
    added_.clear();
    acknowledged_ = 0;
    moved_ = 0;
  }
  /// What was acknowledged is there, in order, and nothing else; in one place.
  void expectAll() {
    if (found() == nullptr) {
      EXPECT_EQ(acknowledged_, 0U);
      return;
    }
    EXPECT_EQ(found()->startOffset(), start_);
    const std::string there = keys();
    const auto first = static_cast<std::size_t>(start_.value());
    EXPECT_EQ(there, added_.substr(first, there.size()));
    EXPECT_GE(there.size() + first, acknowledged_);
    int places = 0;
    for (const std::string& directory : directories_)
      if (!disk_->filesBelow(directory + "/" + name_.toString()).empty()) ++places;
    EXPECT_LE(places, 1);
    // And the move can be gone on with.
    const std::string other = found()->directory().starts_with("/other") ? "/data" : "/other";
    if (!manager_->moves().empty()) EXPECT_EQ(manager_->moves()[0].directory, other);
    EXPECT_TRUE(
        moveTo(*manager_, name_, found()->directory().starts_with("/other") ? "/other" : "/data"));
    EXPECT_TRUE(moveTo(*manager_, name_, other));
    EXPECT_EQ(keys(), there);
    EXPECT_TRUE(found()->directory().starts_with(other));
  }

  std::string added_;
  std::size_t acknowledged_ = 0;
  int moved_ = 0;
  int served_ = 0;
  Offset start_{0};
};

TEST_F(MoveCrashTest, FlushedRecordsSurviveAPowerFailure) {
  start_ = Offset{3};
  atEveryChange(
      [&] {
        fill();
        ASSERT_TRUE(log().setStartOffset(start_));
        ASSERT_TRUE(flush());
        ASSERT_TRUE(manager_->writeCheckpoints());
      },
      [&] {
        move("/other", "ijkl");
        addAll("mnopq");
        (void)flush();
      },
      [&] { expectAll(); });
}

TEST_F(MoveCrashTest, AcknowledgedRecordsSurviveTheDeathOfTheProcess) {
  restart_ = Restart::kProcess;
  atEveryChange(
      [&] {
        forget();
        addAll("abcdefghijkl");
      },
      [&] {
        move("/other", "mnop");
        addAll("qrst");
      },
      [&] { expectAll(); }, 2);
}

TEST_F(MoveCrashTest, FlushOnAckHoldsThroughTheSwitch) {
  config_.flush_on_ack = true;
  atEveryChange([&] { fill(); },
                [&] {
                  move("/other", "ijkl");
                  addAll("mnopq");
                },
                [&] { expectAll(); });
}

TEST_F(MoveCrashTest, TheNextStartDoesWithoutTheDirectoryThatItWentTo) {
  expectMovesWithout("/other");
}

TEST_F(MoveCrashTest, TheNextStartDoesWithoutTheDirectoryThatItCameFrom) {
  expectMovesWithout("/data");
}

/// What the old directory's journal holds must not bring the log back there.
TEST_F(MoveCrashTest, ALogThatMovedAndWasDeletedStaysAway) {
  config_.flush_on_ack = true;
  bool deleted = false;
  atEveryChange(
      [&] {
        fill();
        move("/other");
        ASSERT_EQ(moved_, 1);
        addAll("ij");
        deleted = false;
      },
      [&] { deleted = manager_->remove(name_, 0) && manager_->syncRemovals(); },
      [&] {
        if (deleted) EXPECT_EQ(found(), nullptr);
        if (found() != nullptr) EXPECT_TRUE(found()->directory().starts_with("/other"));
        if (found() != nullptr) EXPECT_EQ(keys(), "abcdefghij");
      });
}

TEST_F(MoveCrashTest, ThereAndBackAgain) {
  config_.flush_on_ack = true;
  atEveryChange([&] { fill(); },
                [&] {
                  move("/other", "ij");
                  addAll("kl");
                  move("/data", "mn");
                  addAll("op");
                },
                [&] { expectAll(); }, 3);
}

TEST_F(MoveCrashTest, AMoveThatAStartFoundIsGoneOnWith) {
  config_.flush_on_ack = true;
  atEveryChange(
      [&] {
        fill();
        const auto begun = manager_->beginMove(name_, "/other");
        ASSERT_TRUE(copyAll(*manager_, name_, **begun));
        loseUnsynced();
        start();
        ASSERT_EQ(manager_->moves().size(), 1U);
        addAll("ij");
      },
      [&] {
        move("/other", "kl");
        addAll("mn");
      },
      [&] { expectAll(); }, 3);
}

/// A call fails instead of the power: the log is in one place or the other, or its directory is
/// offline, and a start finds all of it.
TEST_F(MoveCrashTest, ACallThatFailsLosesNothing) {
  config_.flush_on_ack = true;
  for (const DiskCall call :
       {DiskCall::kRead, DiskCall::kWrite, DiskCall::kSync, DiskCall::kNames}) {
    bool met = true;
    for (std::uint64_t n = 0; met && !HasFailure(); ++n) {
      SCOPED_TRACE("kind " + std::to_string(static_cast<int>(call)) + ", call " +
                   std::to_string(n));
      disk_ = std::make_unique<FaultyDisk>(n + 1);
      start();
      fill();
      disk_->failAfter(call, n);
      move("/other", "ijkl");
      met = disk_->faultMet();
      if (met && moved_ == 0 && !manager_->moves().empty())
        manager_->moveFailed(*manager_->moves()[0].future, Error{Errc::kIo, "the call failed"});
      addAll("mnop");
      loseUnsynced();
      start();
      expectAll();
      expectSound();
    }
  }
}

}  // namespace
}  // namespace millrace::log::test
