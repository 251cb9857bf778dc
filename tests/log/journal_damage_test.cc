// Rot in the journal's files: what was acknowledged and is damaged there is told with file and
// position, whichever frame it hits, and nothing that does not count any more comes back.
#include "base/varint.h"
#include "tests/log/support/power_failures.h"

#include <fmt/format.h>

namespace millrace::log::test {
namespace {

class JournalDamageTest : public PowerFailures {
 protected:
  JournalDamageTest() { config_.flush_on_ack = true; }

  static std::string fileOf(int i) { return "/data/" + std::string(kJournalFiles[i]); }
  /// The generation of the frame that stands there; 0 where there is none.
  std::uint64_t generationAt(int file, std::uint64_t position) {
    const Bytes bytes = disk_->readAll(fileOf(file), 1 << 20).value_or(Bytes{});
    if (bytes.size() < position + journal::kHeaderSize) return 0;
    return loadBe<std::uint64_t>(bytes.data() + position + 8);
  }
  /// Rounds of one append each until this file is of that generation.
  void runUntil(int file, std::uint64_t generation) {
    while (generationAt(file, 0) < generation && !HasFailure()) {
      ASSERT_TRUE(add(log(), "k"));
      ASSERT_TRUE(journal().commit().status);
    }
  }
  /// Where the last frame of a file stands.
  std::uint64_t lastFrameOf(int file) {
    const auto opened = disk_->open(fileOf(file), OpenMode::kRead);
    journal::FrameReader reader(**opened, (*opened)->size().value());
    std::uint64_t at = 0;
    for (std::uint64_t next = 0; reader.next().value(); next = reader.position()) at = next;
    return at;
  }
  /// One start with a bit of the file flipped: it refuses the directory and says why.
  void expectTold(int file, std::uint64_t position) {
    manager_.reset();
    disk_->restart(Restart::kPower);
    disk_->flipBit(fileOf(file), (position + 60) * 8);
    const auto opened = LogManager::open({.directories = {"/data"},
                                          .defaults = config_,
                                          .recovery_threads = 1,
                                          .journal_file_bytes = 64 << 10,
                                          .files = disk_.get(),
                                          .clock = &clock_});
    ASSERT_FALSE(opened) << "served without a word";
    EXPECT_EQ(opened.error().code, Errc::kCorruptData);
    const std::string where = fmt::format("{} at position {}", fileOf(file), position);
    EXPECT_NE(opened.error().detail.find(where), std::string::npos) << opened.error().detail;
    disk_->restart(Restart::kPower);
    disk_->flipBit(fileOf(file), (position + 60) * 8);
    start();
  }
};

TEST_F(JournalDamageTest, TheFirstFrameOfTheOlderFileIsMissed) {
  startOnNewDisk();
  runUntil(1, 2);
  const Offset end = log().endOffset();
  expectTold(0, 0);
  EXPECT_EQ(log().endOffset(), end);
}

TEST_F(JournalDamageTest, TheLastFrameOfTheOlderFileIsMissed) {
  startOnNewDisk();
  runUntil(1, 2);
  const Offset end = log().endOffset();
  expectTold(0, lastFrameOf(0));
  EXPECT_EQ(log().endOffset(), end);
}

/// Nothing behind it tells that it was written, but the file after it.
TEST_F(JournalDamageTest, TheOnlyFrameOfTheOlderFileIsMissed) {
  config_.segment_bytes = 1 << 20;
  startOnNewDisk();
  for (const char* const key : {"a", "b"}) {
    ASSERT_TRUE(add(log(), key, 1, 32'400));
    ASSERT_TRUE(journal().commit().status);
  }
  ASSERT_EQ(generationAt(1, 0), 2U);
  expectTold(0, 0);
  EXPECT_EQ(keys(), "ab");
}

TEST_F(JournalDamageTest, AFileWhoseLogsAreOnDiskIsNotNeeded) {
  startOnNewDisk();
  for (const bool first : {true, false}) {
    runUntil(1, 2);
    ASSERT_TRUE(journal().checkpoint());
    const Offset end = log().endOffset();
    const std::uint64_t frame = first ? 0 : lastFrameOf(0);
    manager_.reset();
    disk_->restart(Restart::kPower);
    disk_->flipBit(fileOf(0), (frame + 60) * 8);
    start();
    ASSERT_NE(found(), nullptr);
    EXPECT_EQ(found()->endOffset(), end);
  }
}

TEST_F(JournalDamageTest, FramesOfAFileThatIsUsedAnewAreMissed) {
  startOnNewDisk();
  runUntil(0, 3);
  ASSERT_TRUE(add(log(), "k"));
  ASSERT_TRUE(journal().commit().status);
  const Offset end = log().endOffset();
  expectTold(0, 0);
  EXPECT_EQ(log().endOffset(), end);
}

/// The newer file says what does not count in the older one: it must not go first.
TEST_F(JournalDamageTest, WhatWasCutOffDoesNotComeBackWhenTheJournalIsRemoved) {
  Offset cut;
  atEveryChange(
      [&] {
        runUntil(1, 2);
        cut = log().endOffset();
        for (int i = 0; generationAt(0, 0) < 3; ++i) {
          ASSERT_LT(i, 20);
          ASSERT_TRUE(add(log(), "X"));
          ASSERT_TRUE(journal().commit().status);
        }
        ASSERT_TRUE(log().truncateTo(cut));
      },
      [&] {
        if (manager_->close()) manager_.reset();
      },
      [&] {
        ASSERT_NE(found(), nullptr);
        EXPECT_EQ(found()->endOffset(), cut);
        EXPECT_EQ(keys().find('X'), std::string::npos);
      },
      2);
}

}  // namespace
}  // namespace millrace::log::test
