// A clean stop: what it syncs, what its marker vouches for, and that logs at rest cost nothing.
#include "tests/log/support/power_failures.h"
#include "tests/support/forwarding_files.h"

namespace millrace::log::test {
namespace {

/// One record in each of `n` logs.
void fill(LogManager& manager, int n) {
  for (int i = 0; i < n; ++i) {
    const auto log = manager.create({"many", PartitionIndex{i}}, Uuid{1, 2}, {});
    ASSERT_TRUE(log) << log.error().toString();
    ASSERT_TRUE(append(**log, simpleBatch(1)));
  }
}

/// Counts syncs of segments and of whole file systems.
class SyncCounts final : public ForwardingFiles {
 public:
  int segments = 0;
  int wholes = 0;
  /// What syncFileSystem() says.
  Result<bool> answer = true;
  /// What writing the marker says.
  Status marker;

  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override {
    MILLRACE_TRY(auto file, ForwardingFiles::open(path, mode));
    return std::make_shared<CountingFile>(std::move(file), *this);
  }
  Status writeAtomically(const std::string& path, BytesView content) override {
    if (path.ends_with(".kafka_cleanshutdown") && !marker) return marker;
    return ForwardingFiles::writeAtomically(path, content);
  }

 private:
  class CountingFile final : public ForwardingFile {
   public:
    CountingFile(std::shared_ptr<File> file, SyncCounts& counts)
        : ForwardingFile(std::move(file)), counts_(counts) {}
    Status sync() override {
      counts_.segments += path().ends_with(".log") ? 1 : 0;
      return ForwardingFile::sync();
    }
    Result<bool> syncFileSystem() override {
      ++counts_.wholes;
      return counts_.answer;
    }

   private:
    SyncCounts& counts_;
  };
};

class CleanStopTest : public testing::Test {
 protected:
  std::unique_ptr<LogManager> open() {
    auto manager = LogManager::open({.directories = {dir_.path("a")},
                                     .logs_synced_together = 5,
                                     .recovery_threads = 1,
                                     .files = &files_});
    if (manager) return std::move(*manager);
    ADD_FAILURE() << manager.error().toString();
    return nullptr;
  }
  void expectClean(int logs) {
    const auto manager = open();
    ASSERT_NE(manager, nullptr);
    EXPECT_TRUE(manager->report().clean);
    EXPECT_EQ(manager->report().logs, logs);
    for (const auto& [tp, log] : manager->all()) EXPECT_EQ(log->endOffset(), Offset{1});
  }

  TempDir dir_;
  SyncCounts files_;
};

TEST_F(CleanStopTest, ManyLogsAreSyncedTogether) {
  const auto manager = open();
  fill(*manager, 5);
  ASSERT_TRUE(manager->close());
  EXPECT_EQ(files_.wholes, 1);
  EXPECT_EQ(files_.segments, 0);
  expectClean(5);
}

TEST_F(CleanStopTest, OfAFewEachIsSynced) {
  const auto manager = open();
  fill(*manager, 9);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(manager->find({"many", PartitionIndex{i}})->flush());
  files_.segments = 0;
  ASSERT_TRUE(manager->close());
  EXPECT_EQ(files_.wholes, 0);
  EXPECT_GE(files_.segments, 4);
  expectClean(9);
}

TEST_F(CleanStopTest, EachIsSyncedWhereTheSystemPromisesNothing) {
  files_.answer = false;
  const auto manager = open();
  fill(*manager, 5);
  ASSERT_TRUE(manager->close());
  EXPECT_EQ(files_.wholes, 1);
  EXPECT_EQ(files_.segments, 5);
  expectClean(5);
}

TEST_F(CleanStopTest, AFailedSyncOfTheFileSystemIsAFailedSyncOfAllLogs) {
  files_.answer = fail(Errc::kIo, "Input/output error");
  auto manager = open();
  fill(*manager, 5);
  const Status closed = manager->close();
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, Errc::kIo);
  EXPECT_EQ(manager->directoryStates().at(0).health.error().code, Errc::kIo);
  manager = open();
  EXPECT_FALSE(manager->report().clean);
}

TEST_F(CleanStopTest, AMarkerThatCannotBeWrittenIsAFailure) {
  files_.marker = fail(Errc::kIo, "Input/output error");
  const auto manager = open();
  fill(*manager, 1);
  const Status closed = manager->close();
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, Errc::kIo);
}

/// The marker vouches for all records; without it, what was flushed is there.
class CleanStopAndPower : public PowerFailures {
 protected:
  void stopAtEveryChange() {
    start_fails_ = false;
    atEveryChange([&] { closed_ = false; },
                  [&] {
                    for (const char key : std::string("abcdefghijkl"))
                      if (!add(log(), std::string(1, key))) return;
                    closed_ = manager_->close().has_value();
                  },
                  [&] {
                    const std::string all = "abcdefghijkl";
                    EXPECT_EQ(keys(), all.substr(0, keys().size()));
                    const bool vouched = manager_->report().clean && found() != nullptr;
                    if (closed_ || vouched) EXPECT_EQ(keys(), all);
                  });
  }
  bool closed_ = false;
};

TEST_F(CleanStopAndPower, TheMarkerComesAfterTheSyncOfEachLog) { stopAtEveryChange(); }

TEST_F(CleanStopAndPower, TheMarkerComesAfterTheSyncOfTheFileSystem) {
  logs_synced_together_ = 1;
  stopAtEveryChange();
}

/// One log that was stopped cleanly with five records of epoch 0.
class QuietLog : public testing::Test {
 protected:
  std::unique_ptr<PartitionLog> open(bool clean, Offset recovery_point) {
    auto log = PartitionLog::open({.directory = "/data/orders-0",
                                   .topic_id = {1, 2},
                                   .recovery_point = recovery_point,
                                   .high_watermark = recovery_point,
                                   .clean_shutdown = clean,
                                   .files = &disk_});
    EXPECT_TRUE(log) << log.error().toString();
    return std::move(*log);
  }
  void SetUp() override {
    ASSERT_TRUE(disk_.createDirectories("/data"));
    const auto log = open(false, Offset{0});
    ASSERT_TRUE(append(*log, simpleBatch(5)));
    // As every leader does; no record has this epoch.
    ASSERT_TRUE(log->startEpoch(LeaderEpoch{1}));
    ASSERT_TRUE(log->close());
  }
  FaultyDisk disk_{7};
};

TEST_F(QuietLog, IsNotWrittenByAStartAndAStop) {
  for (int epoch = 2; epoch < 5; ++epoch) {
    const std::uint64_t before = disk_.changes();
    const auto log = open(true, Offset{5});
    EXPECT_EQ(log->epochs().size(), 1U);
    ASSERT_TRUE(log->startEpoch(LeaderEpoch{epoch}));
    EXPECT_FALSE(log->needsFlush());
    ASSERT_TRUE(log->close());
    EXPECT_EQ(disk_.changes(), before);
  }
}

TEST_F(QuietLog, IsNotWrittenByAStartAfterACrash) {
  (void)open(true, Offset{5});
  disk_.restart(Restart::kProcess);
  const std::uint64_t before = disk_.changes();
  const auto log = open(false, Offset{5});
  EXPECT_EQ(log->endOffset(), Offset{5});
  EXPECT_EQ(log->recovery().scanned_bytes, 0U);
  EXPECT_EQ(disk_.changes(), before);
}

TEST_F(QuietLog, ThatWasFlushedAndNotClosedIsClosedAfterACrash) {
  const auto times = [this] {
    return disk_.readAll("/data/orders-0/00000000000000000000.timeindex", 100)->size();
  };
  {
    const auto log = open(true, Offset{5});
    ASSERT_TRUE(append(*log, simpleBatch(2, 9000)));
    ASSERT_TRUE(log->flush());
  }
  disk_.restart(Restart::kPower);
  const auto log = open(false, Offset{7});
  EXPECT_EQ(log->recovery().scanned_bytes, 0U);
  EXPECT_EQ(times(), 12U);
  ASSERT_TRUE(log->close());
  EXPECT_EQ(times(), 24U);
}

TEST_F(QuietLog, AnEpochWithoutRecordsDoesNotComeBackInFrontOfTheNext) {
  const std::vector<EpochEntry> wanted = {{LeaderEpoch{0}, Offset{0}}, {LeaderEpoch{3}, Offset{5}}};
  {
    const auto log = open(true, Offset{5});
    ASSERT_TRUE(log->startEpoch(LeaderEpoch{3}));
    ASSERT_TRUE(append(*log, simpleBatch(2), 1000, 3));
    ASSERT_TRUE(log->flush());
    EXPECT_EQ(log->epochs(), wanted);
  }
  disk_.restart(Restart::kPower);
  EXPECT_EQ(open(false, Offset{7})->epochs(), wanted);
}

/// Recovery may have been all that closed the log well; what it wrote must reach the disk.
TEST_F(QuietLog, AnIndexThatAStartMadeAnewIsSynced) {
  disk_.erase("/data/orders-0/00000000000000000000.timeindex");
  ASSERT_TRUE(open(true, Offset{5})->close());
  disk_.restart(Restart::kPower);
  EXPECT_EQ(disk_.readAll("/data/orders-0/00000000000000000000.timeindex", 100)->size(), 12U);
}

}  // namespace
}  // namespace millrace::log::test
