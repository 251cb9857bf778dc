// The checkpoint files' copy: damage of either leaves what was written, and what another program
// wrote since counts.
#include "log/checkpoint_copy.h"

#include "log/data_directory.h"
#include "log/log_files.h"
#include "tests/log/support/power_failures.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>

namespace millrace::log::test {
namespace {

class CheckpointCopyTest : public PowerFailures {
 protected:
  static std::string fileOf(std::string_view name) { return "/data/" + std::string(name); }
  /// A log of ten records: begins at 3, high watermark 8, flushed.
  void prepare() {
    startOnNewDisk();
    for (const char key : std::string("abcdefghij")) ASSERT_TRUE(add(log(), std::string(1, key)));
    ASSERT_EQ(log().setHighWatermark(Offset{8}), Offset{8});
    ASSERT_TRUE(log().setStartOffset(Offset{3}));
    ASSERT_TRUE(log().flush());
    ASSERT_TRUE(manager_->writeCheckpoints());
    loseUnsynced();
  }
  void expectAsItWas() {
    start();
    ASSERT_NE(found(), nullptr);
    EXPECT_EQ(found()->startOffset(), Offset{3});
    EXPECT_EQ(found()->highWatermark(), Offset{8});
    EXPECT_EQ(found()->recoveryPoint(), Offset{10});
    EXPECT_EQ(keys(), "defghij");
  }
  bool complains(std::string_view name) {
    return std::ranges::any_of(manager_->report().notes, [&](const std::string& note) {
      return note.find(fileOf(name)) != std::string::npos;
    });
  }
};

constexpr std::string_view kFiles[] = {kRecoveryPoints, kLogStarts, kHighWatermarks};

TEST_F(CheckpointCopyTest, ADigitThatChangedIsNotBelieved) {
  for (const std::string_view name : kFiles) {
    for (const char digit : {'0', '9'}) {
      prepare();
      const Bytes text = disk_->readAll(fileOf(name), 1 << 20).value();
      // "orders 0 <offset>\n" is the last line.
      disk_->overwrite(fileOf(name), text.size() - 2, BytesView(&digit, 1));
      const bool changed = disk_->readAll(fileOf(name), 1 << 20).value() != text;
      SCOPED_TRACE(fmt::format("{} ends with {}", name, digit));
      expectAsItWas();
      EXPECT_EQ(complains(name), changed);
    }
  }
}

TEST_F(CheckpointCopyTest, AFileThatIsTornOrMissingIsNotMissed) {
  for (const std::string_view name : kFiles) {
    for (const std::uint64_t left : {0U, 1U, 6U}) {
      prepare();
      left == 0 ? disk_->erase(fileOf(name)) : disk_->cut(fileOf(name), left);
      SCOPED_TRACE(fmt::format("{} has {} bytes", name, left));
      expectAsItWas();
      EXPECT_TRUE(complains(name));
    }
  }
}

TEST_F(CheckpointCopyTest, FilesAreRepairedAtWhateverChangeAStartDies) {
  bool died = true;
  for (std::uint64_t change = 0; died; ++change) {
    SCOPED_TRACE(change);
    prepare();
    // Another log: the recovery points will be others.
    start();
    ASSERT_TRUE(add(**manager_->create({"other", PartitionIndex{0}}, Uuid{2, 2}, config_), "a"));
    manager_.reset();
    disk_->restart(Restart::kProcess);
    for (const std::string_view name : {kLogStarts, kHighWatermarks}) disk_->erase(fileOf(name));
    disk_->crashAfter(change);
    manager_ = open();
    died = disk_->crashed();
    loseUnsynced();
    expectAsItWas();
  }
}

TEST_F(CheckpointCopyTest, ADamagedCopyLeavesTheFiles) {
  const Bytes copy = [this] {
    prepare();
    return disk_->readAll(fileOf(kCheckpointCopy), 1 << 20).value();
  }();
  for (std::uint64_t byte = 0; byte < copy.size(); byte += 7) {
    prepare();
    disk_->flipBit(fileOf(kCheckpointCopy), byte * 8 + byte % 8);
    expectAsItWas();
    EXPECT_TRUE(complains(kCheckpointCopy));
    loseUnsynced();
    expectAsItWas();
    EXPECT_FALSE(complains(kCheckpointCopy)) << "it was made anew at once";
  }
}

/// Kafka, an older version of ours, or somebody's hand: whatever the clock said then.
TEST_F(CheckpointCopyTest, AFileThatWasWrittenSinceCounts) {
  for (const std::string_view name : kFiles) {
    SCOPED_TRACE(name);
    prepare();
    ASSERT_TRUE(disk_->writeAtomically(fileOf(name), formatCheckpoint({"orders 0 5"})));
    start();
    ASSERT_NE(found(), nullptr);
    EXPECT_EQ(found()->startOffset(), Offset{name == kLogStarts ? 5 : 3});
    EXPECT_EQ(found()->highWatermark(), Offset{name == kHighWatermarks ? 5 : 8});
    EXPECT_EQ(found()->recoveryPoint(), Offset{name == kRecoveryPoints ? 5 : 10});
    EXPECT_TRUE(manager_->report().notes.empty());
  }
}

/// Kafka ran, cut the log (its checkpoint says so) and went on: what the copy knows is no loss.
TEST_F(CheckpointCopyTest, ADirectoryThatWentOnElsewhereIsNotOffline) {
  prepare();
  const Bytes old = disk_->readAll(fileOf(kCheckpointCopy), 1 << 20).value();
  start();
  ASSERT_TRUE(log().announceCut(Offset{6}));
  ASSERT_TRUE(log().truncateTo(Offset{6}));
  ASSERT_TRUE(manager_->writeCheckpoints());
  loseUnsynced();
  ASSERT_TRUE(disk_->writeAtomically(fileOf(kCheckpointCopy), old));
  start();
  ASSERT_NE(found(), nullptr);
  EXPECT_EQ(found()->endOffset(), Offset{6});
  EXPECT_EQ(keys(), "def");
  loseUnsynced();
  // A file that is gone then: the copy says nothing of it either.
  ASSERT_TRUE(disk_->writeAtomically(fileOf(kCheckpointCopy), old));
  disk_->erase(fileOf(kRecoveryPoints));
  start();
  ASSERT_NE(found(), nullptr);
  EXPECT_EQ(keys(), "def");
}

TEST_F(CheckpointCopyTest, AnEmptyFileIsOneThatKafkaMade) {
  prepare();
  ASSERT_TRUE(disk_->open(fileOf(kCleanerOffsets), OpenMode::kCreate));
  start();
  EXPECT_FALSE(complains(kCleanerOffsets));
  EXPECT_EQ(keys(), "defghij");
}

TEST_F(CheckpointCopyTest, WithoutACopyTheFilesCount) {
  prepare();
  disk_->erase(fileOf(kCheckpointCopy));
  expectAsItWas();
  EXPECT_TRUE(manager_->report().notes.empty());
}

TEST_F(CheckpointCopyTest, SaysWhatItWasGivenOrThatItIsDamaged) {
  const CheckpointTexts texts{{"one", {"0\n1\norders 0 17\n", "1.2.3"}}, {"two", {"0\n0\n", ""}}};
  const Bytes bytes = encodeCheckpointCopy(texts);
  EXPECT_EQ(decodeCheckpointCopy("copy", bytes).value(), texts);
  EXPECT_EQ(decodeCheckpointCopy("copy", encodeCheckpointCopy({})).value(), CheckpointTexts{});
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    Bytes bad = bytes;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(decodeCheckpointCopy("copy", bad)) << "bit " << bit;
  }
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decodeCheckpointCopy("copy", bytes.substr(0, size))) << size << " bytes";
}

/// Ten records in a directory of the machine's disk; the log begins at 3.
class CheckpointCopyOnDisk : public testing::Test {
 protected:
  void SetUp() override {
    auto manager = open();
    PartitionLog& log = **manager->create(name_, {1, 1}, {});
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(append(log, simpleBatch(1)));
    ASSERT_EQ(log.setHighWatermark(Offset{8}), Offset{8});
    ASSERT_TRUE(log.setStartOffset(Offset{3}));
    ASSERT_TRUE(log.flush());
    ASSERT_TRUE(manager->writeCheckpoints());
  }
  std::unique_ptr<LogManager> open() {
    return LogManager::open({.directories = {data_}, .defaults = {}}).value();
  }
  Offset start() { return open()->find(name_)->startOffset(); }
  [[nodiscard]] std::string path() const { return data_ + "/" + std::string(kLogStarts); }

  const TempDir dir_;
  std::string data_ = dir_.path() + "/data";
  const TopicPartition name_{"orders", PartitionIndex{0}};
};

TEST_F(CheckpointCopyOnDisk, DamageIsToldAndAHandsChangeIsNot) {
  struct stat before{};
  ASSERT_EQ(::stat(path().c_str(), &before), 0);
  const auto change = [&] {
    const auto file = systemFiles().open(path(), OpenMode::kReadWrite).value();
    const BytesView digit = "5";
    return file->write(file->size().value() - 2, std::span(&digit, 1));
  };
  ASSERT_TRUE(change());
  const timespec times[2] = {before.st_atim, before.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, path().c_str(), times, 0), 0);  // nobody has written it
  {
    const auto manager = open();
    EXPECT_EQ(manager->find(name_)->startOffset(), Offset{3});
    EXPECT_EQ(manager->report().notes.size(), 1U);
  }
  ASSERT_TRUE(change());
  EXPECT_EQ(start(), Offset{5});
}

TEST_F(CheckpointCopyOnDisk, AFileWithAnOlderTimeCountsToo) {
  ASSERT_TRUE(systemFiles().writeAtomically(path(), formatCheckpoint({"orders 0 5"})));
  const timespec long_ago[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path().c_str(), long_ago, 0), 0);
  EXPECT_EQ(start(), Offset{5});
}

/// From a backup, say, in which the files stand in any order of time.
TEST_F(CheckpointCopyOnDisk, InACopiedDirectoryTheFilesCount) {
  ASSERT_TRUE(systemFiles().writeAtomically(path(), formatCheckpoint({"orders 0 5"})));
  const std::string restored = dir_.path() + "/restored";
  std::filesystem::copy(data_, restored, std::filesystem::copy_options::recursive);
  data_ = restored;
  EXPECT_EQ(start(), Offset{5});
}

}  // namespace
}  // namespace millrace::log::test
