#include "base/file.h"

#include "tests/support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace millrace {
namespace {

class FileTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return dir_.path(name); }
  TempDir dir_;
};

TEST_F(FileTest, WritesManySlicesInOrder) {
  const auto file = systemFiles().open(path("a"), OpenMode::kCreate);
  ASSERT_TRUE(file.has_value());
  std::vector<std::string> parts;
  std::string whole;
  for (int i = 0; i < 300; ++i) whole += parts.emplace_back(std::to_string(i) + (i % 7 ? "," : ""));
  parts[5].clear();
  whole.erase(whole.find("4,5,6") + 2, 2);
  const std::vector<BytesView> slices(parts.begin(), parts.end());
  ASSERT_TRUE((*file)->write(3, slices).has_value());
  std::string back(whole.size() + 100, '?');
  const auto n = (*file)->read(3, back.data(), back.size());
  ASSERT_TRUE(n.has_value());
  EXPECT_EQ(back.substr(0, *n), whole);
  EXPECT_EQ((*file)->size().value(), whole.size() + 3);
  ASSERT_TRUE((*file)->truncate(5).has_value());
  EXPECT_EQ((*file)->size().value(), 5U);
}

TEST_F(FileTest, DirectWritesOfWholeBlocksAndOfAnythingElse) {
  ASSERT_TRUE(systemFiles().writeAtomically(path("direct"), Bytes(4 * kDirectBlock, '0')));
  const auto file = systemFiles().open(path("direct"), OpenMode::kDirect);
  ASSERT_TRUE(file.has_value());
  alignas(kDirectBlock) static char blocks[2 * kDirectBlock];
  std::ranges::fill(blocks, 'b');
  const BytesView whole(blocks, sizeof blocks);
  ASSERT_TRUE((*file)->write(kDirectBlock, std::span(&whole, 1)));
  ASSERT_TRUE((*file)->sync());
  const BytesView odd[] = {whole.substr(1, 5), "xy"};
  ASSERT_TRUE((*file)->write(7, odd)) << "the page cache takes what is not in blocks";
  ASSERT_TRUE((*file)->write(3 * kDirectBlock, std::span(&whole, 1)).has_value());
  ASSERT_TRUE((*file)->sync());
  Bytes expected = Bytes(kDirectBlock, '0') + Bytes(4 * kDirectBlock, 'b');
  expected.replace(7, 7, "bbbbbxy");
  EXPECT_EQ(systemFiles().readAll(path("direct")).value(), expected);
  EXPECT_EQ(systemFiles().open(path("none"), OpenMode::kDirect).error().code, Errc::kNotFound);
}

TEST_F(FileTest, AtomicWriteReplacesAndLeavesNothingBehind) {
  ASSERT_TRUE(systemFiles().writeAtomically(path("meta"), "one").has_value());
  ASSERT_TRUE(systemFiles().writeAtomically(path("meta"), "2").has_value());
  EXPECT_EQ(systemFiles().readAll(path("meta")).value(), "2");
  EXPECT_THAT(systemFiles().list(dir_.path()).value(), testing::ElementsAre("meta"));
}

TEST_F(FileTest, ReadAllRefusesLargeFiles) {
  ASSERT_TRUE(systemFiles().writeAtomically(path("big"), std::string(100, 'x')).has_value());
  EXPECT_EQ(systemFiles().readAll(path("big"), 100).value().size(), 100U);
  EXPECT_EQ(systemFiles().readAll(path("big"), 99).error().code, Errc::kMalformed);
}

TEST_F(FileTest, ErrorsNameThePath) {
  const auto file = systemFiles().open(path("none/x"), OpenMode::kRead);
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code, Errc::kNotFound);
  EXPECT_THAT(file.error().detail, testing::HasSubstr(path("none/x")));
  EXPECT_FALSE(systemFiles().exists(path("none")).value());
  ASSERT_TRUE(systemFiles().createDirectories(path("none/deep")).has_value());
  EXPECT_TRUE(systemFiles().exists(path("none")).value());
  ASSERT_TRUE(systemFiles().rename(path("none"), path("some")).has_value());
  ASSERT_TRUE(systemFiles().syncDirectory(path("some")).has_value());
  ASSERT_TRUE(systemFiles().removeAll(path("some")).has_value());
  EXPECT_FALSE(systemFiles().remove(path("some")).has_value());
}

}  // namespace
}  // namespace millrace
