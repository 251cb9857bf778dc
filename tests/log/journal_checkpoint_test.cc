// How a checkpoint of the journal shares the disk with the rounds that go on beside it.
#include "log/journal/journal.h"
#include "tests/log/support/temp_dir.h"
#include "tests/support/forwarding_files.h"

#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <thread>

namespace millrace::log {
namespace {

/// Knows which segments were synced, and on which threads.
class WatchedFiles final : public ForwardingFiles {
 public:
  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override {
    MILLRACE_TRY(auto file, ForwardingFiles::open(path, mode));
    if (!path.ends_with(".log")) return file;
    return std::make_shared<WatchedFile>(*this, path, std::move(file));
  }
  std::set<std::thread::id> threads;
  std::set<std::string> synced;

 private:
  class WatchedFile final : public ForwardingFile {
   public:
    WatchedFile(WatchedFiles& files, std::string path, std::shared_ptr<File> file)
        : ForwardingFile(std::move(file)), files_(files), path_(std::move(path)) {}
    Status sync() override {
      const std::lock_guard lock(files_.mutex_);
      files_.threads.insert(std::this_thread::get_id());
      files_.synced.insert(path_);
      return {};
    }

   private:
    WatchedFiles& files_;
    std::string path_;
  };
  std::mutex mutex_;
};

/// A journal of small files and many logs, all with entries in the first file.
class JournalCheckpoint : public ::testing::Test {
 protected:
  static constexpr int kLogs = 200;
  static constexpr std::uint64_t kFileBytes = 256 << 10;

  void SetUp() override {
    for (int i = 0; i < kLogs; ++i) {
      const std::string directory = dir_.path("t-" + std::to_string(i));
      ASSERT_TRUE(files_.createDirectories(directory));
      logs_.push_back(std::make_shared<JournaledLog>(
          journal::LogKey{Uuid{1, 1}, {"t", PartitionIndex{i}}}, directory, false));
      segments_.push_back(files_.open(directory + "/0.log", OpenMode::kCreate).value());
      add(logs_.size() - 1, 10);
    }
    commit();
  }
  void add(std::size_t log, std::size_t bytes) {
    const Bytes raw(bytes, 'x');
    const BytesView batch(raw);
    ASSERT_TRUE(journal_.append(logs_[log], segments_[log], std::span(&batch, 1)));
  }
  void commit() { ASSERT_TRUE(journal_.commit().status); }
  /// Rounds of one log until there are bytes of frames behind the beginning of the second file.
  void fillUpTo(std::uint64_t second) {
    constexpr std::size_t kRound = 20'000;
    while (journal_.counters().frame_bytes < kFileBytes + second) {
      add(0, kRound);
      commit();
    }
    ASSERT_TRUE(journal_.checkpointDue());
  }

  test::TempDir dir_;
  WatchedFiles files_;
  Journal journal_{{.files = &files_, .directory = dir_.path("."), .file_bytes = kFileBytes}};
  std::vector<std::shared_ptr<JournaledLog>> logs_;
  std::vector<std::shared_ptr<File>> segments_;
};

TEST_F(JournalCheckpoint, WhileTheNextFileHasRoomOneSyncFollowsTheOther) {
  fillUpTo(0);
  ASSERT_TRUE(journal_.checkpoint());
  EXPECT_FALSE(journal_.checkpointDue());
  EXPECT_EQ(files_.threads, std::set{std::this_thread::get_id()});
  EXPECT_EQ(files_.synced.size(), static_cast<std::size_t>(kLogs));
}

TEST_F(JournalCheckpoint, WhereTheNextFileIsHalfFullNoneIsLeftOut) {
  fillUpTo(kFileBytes / 2);
  ASSERT_TRUE(journal_.checkpoint());
  EXPECT_FALSE(journal_.checkpointDue());
  EXPECT_EQ(files_.synced.size(), static_cast<std::size_t>(kLogs));
}

}  // namespace
}  // namespace millrace::log
