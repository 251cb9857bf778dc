// What counts as an open file: the process has only so many.
#include "log/file_slot.h"

#include "log/journal/journaled_log.h"
#include "log/journal/late_writes.h"
#include "log/partition_log.h"
#include "tests/log/support/temp_dir.h"
#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <span>
#include <vector>

namespace millrace::log {
namespace {

TEST(FileSlot, CountsAFileOnceUntilItIsClosed) {
  const TempDir dir;
  const std::string path = dir.path("0.log");
  const std::int64_t before = FileSlot::openFiles();
  FileSlot slot;
  slot.set(*systemFiles().open(path, OpenMode::kCreate));
  JournaledLog journaled({{1, 2}, {"t", PartitionIndex{0}}}, dir.path(), false);
  journaled.note(slot.get());
  EXPECT_EQ(FileSlot::openFiles(), before + 1);
  slot.reset();  // the journal holds it
  EXPECT_EQ(FileSlot::openFiles(), before + 1);
  slot.set(*systemFiles().open(path, OpenMode::kReadWrite));
  EXPECT_EQ(FileSlot::openFiles(), before + 2);
  journaled.forget();
  EXPECT_EQ(FileSlot::openFiles(), before + 1);
  slot.set(nullptr);
  EXPECT_EQ(FileSlot::openFiles(), before);
}

/// As many files as make them run low; they take no descriptors.
class ManyFiles {
 public:
  explicit ManyFiles(const std::string& path) {
    const std::shared_ptr<File> one = *systemFiles().open(path, OpenMode::kCreate);
    while (!FileSlot::runningLow() && files_.size() < kMost)
      files_.push_back(FileSlot::counted(one));
  }
  [[nodiscard]] bool enough() const { return FileSlot::runningLow(); }

 private:
  static constexpr std::size_t kMost = 1 << 20;
  std::vector<std::shared_ptr<File>> files_;
};

/// It left a hole: the bytes before it went to the file later, and readers saw zeros.
TEST(FileSlot, AnAppendThatCannotWaitDoesNotOvertakeThoseThatDo) {
  const TempDir dir;
  const std::string path = dir.path("0.log");
  const std::shared_ptr<File> file = *systemFiles().open(path, OpenMode::kCreate);
  LateWrites late;
  const BytesView first("first");
  ASSERT_TRUE(*late.add(file, 0, std::span(&first, 1)));
  EXPECT_EQ(*file->size(), 0U);
  const ManyFiles many(dir.path("many"));
  if (!many.enough()) GTEST_SKIP() << "this process may have more files than one can count";
  const BytesView second("second");
  EXPECT_FALSE(*late.add(file, first.size(), std::span(&second, 1)));
  EXPECT_EQ(*systemFiles().readAll(path), "first");
}

TEST(FileSlot, AFlushedLogKeepsNoFilesWhereTheyRunLow) {
  const TempDir dir;
  auto log = *PartitionLog::open({.directory = dir.path("orders-0")});
  ASSERT_TRUE(test::append(*log, test::simpleBatch(3)));
  const ManyFiles many(dir.path("many"));
  if (!many.enough()) GTEST_SKIP() << "this process may have more files than one can count";
  const std::int64_t before = FileSlot::openFiles();
  ASSERT_TRUE(test::append(*log, test::simpleBatch(3)));
  const std::int64_t closed = FileSlot::openFiles();
  EXPECT_LE(closed, before);
  ASSERT_TRUE(log->flush());
  EXPECT_EQ(FileSlot::openFiles(), closed);
  ASSERT_TRUE(log->runRetention(0));
  EXPECT_EQ(FileSlot::openFiles(), closed);
}

}  // namespace
}  // namespace millrace::log
