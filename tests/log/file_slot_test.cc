// What counts as an open file: the process has only so many.
#include "log/file_slot.h"

#include "log/journal/journaled_log.h"
#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace millrace::log
