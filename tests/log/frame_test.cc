// The frame of one round: what is left out does not show, and it stands in whole blocks.
#include "log/journal/frame.h"

#include "base/file.h"
#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::log::journal {
namespace {

class FrameTest : public ::testing::Test {
 protected:
  Frame::Extent put(const std::string& payload) {
    const BytesView part = payload;
    return frame_.put(prefix_, std::span(&part, 1));
  }
  /// Writes the frame as the only one of a file and reads it back.
  std::vector<std::string> readBack(FrameHead head) {
    const BytesView bytes = frame_.seal(head);
    EXPECT_EQ(bytes.size() % kDirectBlock, 0U);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data()) % kDirectBlock, 0U);
    EXPECT_TRUE(systemFiles().writeAtomically(directory_.path("f"), bytes));
    const auto file = systemFiles().open(directory_.path("f"), OpenMode::kRead).value();
    FrameReader reader(*file, bytes.size());
    EXPECT_TRUE(reader.next().value());
    EXPECT_EQ(reader.head().sequence, head.sequence);
    EXPECT_EQ(reader.head().entries, head.entries);
    std::vector<std::string> payloads;
    BytesView body = reader.body();
    while (!body.empty()) payloads.emplace_back(takeEntry(body).value().batches);
    return payloads;
  }

  millrace::TempDir directory_;
  const Bytes prefix_ = entryPrefix(EntryKind::kBatches, {Uuid{1, 2}, {"t", PartitionIndex{3}}});
  Frame frame_;
};

TEST_F(FrameTest, ReadsAsItWasPut) {
  std::vector<std::string> put_in;
  for (std::size_t i = 0; i < 100; ++i) put(put_in.emplace_back(i * 37, static_cast<char>(i)));
  EXPECT_EQ(readBack({.generation = 5, .sequence = 0, .entries = 100, .salt = 9}), put_in);
}

TEST_F(FrameTest, LeavesOutWhatIsNotKept) {
  put("left out");
  const Frame::Extent kept[] = {put("one"), (put("not this"), put("two"))};
  put(std::string(9000, 'x'));
  frame_.keep(kept);
  EXPECT_EQ(frame_.size(), kDirectBlock);
  EXPECT_EQ(readBack({.entries = 2}), (std::vector<std::string>{"one", "two"}));
}

TEST_F(FrameTest, WhatItHeldBeforeDoesNotShow) {
  put(std::string(9000, 'x'));
  frame_.clear();
  put("a");
  const BytesView bytes = frame_.seal({.entries = 1});
  EXPECT_EQ(bytes.size(), kDirectBlock);
  EXPECT_EQ(bytes.find('x'), BytesView::npos);
  EXPECT_EQ(readBack({.entries = 1}), std::vector<std::string>{"a"});
}

}  // namespace
}  // namespace millrace::log::journal
