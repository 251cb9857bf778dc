// How often an append writes: once for all batches of a request that go into one segment.
#include "log/partition_log.h"
#include "tests/log/support/temp_dir.h"
#include "tests/support/forwarding_files.h"

#include <gtest/gtest.h>

namespace millrace::log::test {
namespace {

/// Writes to segments by size; everything else goes to the real files.
class CountingFiles final : public ForwardingFiles {
 public:
  std::vector<std::size_t> writes;

  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override {
    MILLRACE_TRY(auto file, ForwardingFiles::open(path, mode));
    if (!path.ends_with(".log")) return file;
    return std::make_shared<CountingFile>(std::move(file), writes);
  }

 private:
  class CountingFile final : public ForwardingFile {
   public:
    CountingFile(std::shared_ptr<File> file, std::vector<std::size_t>& writes)
        : ForwardingFile(std::move(file)), writes_(writes) {}
    Status write(std::uint64_t at, std::span<const BytesView> slices) override {
      std::size_t bytes = 0;
      for (const BytesView slice : slices) bytes += slice.size();
      writes_.push_back(bytes);
      return ForwardingFile::write(at, slices);
    }

   private:
    std::vector<std::size_t>& writes_;
  };
};

class AppendWritesTest : public testing::Test {
 protected:
  std::unique_ptr<PartitionLog> open(const std::string& name) {
    auto log = PartitionLog::open(
        {.directory = dir_.path(name), .config = config_, .topic_id = {1, 2}, .files = &files_});
    EXPECT_TRUE(log) << log.error().toString();
    return std::move(*log);
  }
  /// `n` batches of two records each as a leader's log holds them.
  Bytes leadersBatches(int n) {
    const auto leader = open("leader-0");
    for (int i = 0; i < n; ++i) EXPECT_TRUE(append(*leader, simpleBatch(2)));
    const Bytes all = contentOf(*leader->read(Offset{0}, 1 << 20, Isolation::kLogEnd));
    files_.writes.clear();
    return all;
  }

  TempDir dir_;
  CountingFiles files_;
  LogConfig config_;
};

TEST_F(AppendWritesTest, ALeaderWritesABatchOnceHeaderAndRecordsTogether) {
  const auto log = open("orders-0");
  const Bytes batch = simpleBatch(5);
  ASSERT_TRUE(append(*log, batch));
  ASSERT_TRUE(append(*log, batch));
  EXPECT_EQ(files_.writes, (std::vector{batch.size(), batch.size()}));
}

TEST_F(AppendWritesTest, AFollowerWritesAllBatchesOfARequestOnce) {
  const Bytes all = leadersBatches(20);
  const auto log = open("orders-0");
  ASSERT_TRUE(log->appendAsFollower(all));
  EXPECT_EQ(files_.writes, std::vector{all.size()});
  EXPECT_EQ(readAll(*log, Offset{0}).size(), 40U);
}

TEST_F(AppendWritesTest, ARequestThatASegmentCannotHoldIsWrittenOncePerSegment) {
  const Bytes all = leadersBatches(20);
  const std::size_t one = all.size() / 20;
  config_.segment_bytes = static_cast<std::int32_t>(8 * one);
  const auto log = open("orders-0");
  ASSERT_TRUE(log->appendAsFollower(all));
  EXPECT_EQ(files_.writes, (std::vector{8 * one, 8 * one, 4 * one}));
  EXPECT_EQ(log->segmentCount(), 3U);
  EXPECT_EQ(log->endOffset(), Offset{40});
  EXPECT_EQ(readAll(*log, Offset{0}).size(), 40U);
}

}  // namespace
}  // namespace millrace::log::test
