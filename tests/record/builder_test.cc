#include "record/builder.h"

#include "record/inspect.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace millrace::record {
namespace {

std::vector<OwnedRecord> recordsOf(const Bytes& batch) {
  const Inspection read = inspect(batch);
  EXPECT_FALSE(read.error) << read.error->toString();
  EXPECT_EQ(read.batches.size(), 1U);
  return read.batches.empty() ? std::vector<OwnedRecord>{} : read.batches[0].records;
}

TEST(BatchBuilder, WritesWhatTheCursorReads) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 50; ++round) {
    BatchBuilder builder({.codec = static_cast<Codec>(round % 5)}, 100);
    std::vector<OwnedRecord> wanted;
    const std::size_t count = 1 + random() % 40;
    for (std::size_t i = 0; i < count; ++i) {
      OwnedRecord r;
      r.offset = static_cast<std::int64_t>(i);
      r.timestamp = static_cast<std::int64_t>(random() >> (random() % 64));
      if (random() % 4 != 0) r.key = Bytes(random() % 300, 'k');
      if (random() % 4 != 0) r.value = Bytes(random() % 3000, 'v');
      std::vector<HeaderView> headers;
      for (std::size_t h = random() % 4; h > 0; --h)
        r.headers.push_back({Bytes(random() % 70, 'h'),
                             random() % 2 == 0 ? std::nullopt : std::optional(Bytes("x"))});
      for (const OwnedHeader& h : r.headers)
        headers.push_back({h.key, h.value ? std::optional<BytesView>(*h.value) : std::nullopt});
      builder.append(r.timestamp, r.key, r.value, headers);
      wanted.push_back(std::move(r));
    }
    const auto got = recordsOf(*builder.build());
    ASSERT_EQ(got.size(), wanted.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i].offset, wanted[i].offset);
      EXPECT_EQ(got[i].timestamp, wanted[i].timestamp);
      EXPECT_EQ(got[i].key, wanted[i].key);
      EXPECT_EQ(got[i].value, wanted[i].value);
      ASSERT_EQ(got[i].headers.size(), wanted[i].headers.size());
      for (std::size_t h = 0; h < got[i].headers.size(); ++h) {
        EXPECT_EQ(got[i].headers[h].key, wanted[i].headers[h].key);
        EXPECT_EQ(got[i].headers[h].value, wanted[i].headers[h].value);
      }
    }
  }
}

TEST(BatchBuilder, SlotsAreTheRecordsOwnBytes) {
  BatchBuilder builder;
  auto slots = builder.appendInPlace(5, 3, 4);
  std::memcpy(slots.key, "abc", 3);
  std::memcpy(slots.value, "wxyz", 4);
  (void)builder.appendInPlace(6, -1, -1);
  const auto got = recordsOf(*builder.build());
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[0].key, "abc");
  EXPECT_EQ(got[0].value, "wxyz");
  EXPECT_EQ(got[1].key, std::nullopt);
  EXPECT_EQ(got[1].value, std::nullopt);
}

TEST(BatchBuilder, CanBeUsedAgainAfterBuild) {
  BatchBuilder builder;
  builder.append(1, "a", "b");
  EXPECT_EQ(recordsOf(*builder.build()).size(), 1U);
  EXPECT_TRUE(builder.empty());
  builder.append(2, "c", "d");
  builder.append(1, "e", "f");
  const Bytes batch = *builder.build();
  EXPECT_EQ(recordsOf(batch)[1].key, "e");
  EXPECT_EQ(BatchView::parse(batch)->maxTimestamp(), 2);
}

TEST(BatchBuilder, GapsStayWhereTheyWere) {
  BatchBuilder builder({.base_offset = Offset{100}});
  builder.appendAt(Offset{103}, 1, "a", "b");
  builder.appendAt(Offset{150}, 1, "c", "d");
  builder.setLastOffset(Offset{199});
  const Bytes batch = *builder.build();
  const auto got = recordsOf(batch);
  EXPECT_EQ(got[0].offset, 103);
  EXPECT_EQ(got[1].offset, 150);
  EXPECT_EQ(BatchView::parse(batch)->lastOffset(), Offset{199});
}

TEST(BatchBuilder, PatchesKeepTheCrcRight) {
  BatchBuilder builder;
  builder.append(1, "a", "b");
  Bytes batch = *builder.build();
  patchBaseOffset(batch.data(), Offset{77});
  patchLeaderEpoch(batch.data(), LeaderEpoch{5});
  EXPECT_TRUE(BatchView::parse(batch)->checkCrc());
  patchMaxTimestamp(batch, 4242, TimestampType::kLogAppendTime);
  const BatchView view = *BatchView::parse(batch);
  EXPECT_TRUE(view.checkCrc());
  EXPECT_EQ(view.baseOffset(), Offset{77});
  EXPECT_EQ(view.leaderEpoch(), LeaderEpoch{5});
  EXPECT_EQ(recordsOf(batch)[0].timestamp, 4242);
}

TEST(BatchBuilder, MarkersReadAsMarkers) {
  const Bytes batch = buildEndTxnMarker(ProducerId{9}, 2, {ControlType::kCommit, 33}, 1000);
  const BatchView view = *BatchView::parse(batch);
  EXPECT_TRUE(view.isControl() && view.isTransactional());
  const auto records = recordsOf(batch);
  EXPECT_EQ(records[0].control, ControlType::kCommit);
  EXPECT_EQ(records[0].coordinator_epoch, 33);
}

TEST(Sequences, WrapBehindTheLargest) {
  EXPECT_EQ(addToSequence(2147483647, 1), 0);
  EXPECT_EQ(addToSequence(2147483646, 3), 1);
  EXPECT_EQ(addToSequence(5, 3), 8);
  // As Kafka 4.2.0 reads damaged headers.
  EXPECT_EQ(addToSequence(0, -1), 2147483647);
  EXPECT_EQ(addToSequence(17, -1), -2147483632);
  EXPECT_EQ(addToSequence(-2, -128), 2147483518);
  EXPECT_EQ(addToSequence(0, -2147483648), 0);
}

}  // namespace
}  // namespace millrace::record
