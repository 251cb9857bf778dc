#include "client/positions.h"

#include "record/builder.h"

#include <gtest/gtest.h>

namespace millrace::client {
namespace {

const TopicPartition kA{"t", 0};
const TopicPartition kB{"t", 1};

Positions::Options options(ResetPolicy::Kind kind = ResetPolicy::Kind::kEarliest) {
  Positions::Options o;
  o.reset.kind = kind;
  o.partition_max_bytes = 1000;
  return o;
}

Bytes batch(std::int64_t base, int count, record::Codec codec = record::Codec::kNone) {
  record::BatchOptions o;
  o.base_offset = Offset{base};
  o.codec = codec;
  record::BatchBuilder builder(o);
  for (int i = 0; i < count; ++i) {
    const std::string value = "v" + std::to_string(base + i);
    builder.append(1000 + base + i, BytesView("k"), BytesView(value));
  }
  return *builder.build();
}

DecodedFetch decode(const Bytes& bytes, std::int64_t offset) {
  FetchedBytes in;
  const auto owner = std::make_shared<Bytes>(bytes);
  in.records = *owner;
  in.owner = owner;
  in.topic = std::make_shared<const std::string>("t");
  in.fetch_offset = offset;
  return decodeFetch(in);
}

ClusterImage cluster() {
  ClusterImage image;
  TopicMeta topic;
  topic.name = "t";
  topic.id = Uuid{1, 1};
  topic.partitions = {PartitionMeta{0, 1, 4, {}, {}}, PartitionMeta{1, 2, 4, {}, {}}};
  image.topics.put({std::make_shared<const TopicMeta>(std::move(topic))});
  return image;
}

TEST(FetchDecoder, SkipsRecordsBelowTheFetchOffset) {
  const DecodedFetch out = decode(batch(10, 5) + batch(15, 2), 13);
  ASSERT_EQ(out.slices.size(), 2U);
  EXPECT_EQ(out.slices[0].count, 2);
  EXPECT_EQ(out.next_offset, 17);
  RecordIterator it(out.slices[0]);
  EXPECT_EQ(it->offset(), 13);
  EXPECT_EQ(it->value(), "v13");
  EXPECT_EQ(it->timestamp(), 1013);
}

TEST(FetchDecoder, EveryCodecReads) {
  for (const auto codec :
       {record::Codec::kGzip, record::Codec::kSnappy, record::Codec::kLz4, record::Codec::kZstd}) {
    const DecodedFetch out = decode(batch(0, 100, codec), 0);
    ASSERT_FALSE(out.error.has_value());
    std::int64_t expected = 0;
    for (const RecordSlice& slice : out.slices) {
      for (RecordIterator it(slice); it.valid(); it.next()) EXPECT_EQ(it->offset(), expected++);
    }
    EXPECT_EQ(expected, 100);
  }
}

TEST(FetchDecoder, TornTailEndsQuietly) {
  const Bytes two = batch(0, 3) + batch(3, 3);
  const DecodedFetch out = decode(two.substr(0, two.size() - 5), 0);
  EXPECT_FALSE(out.error.has_value());
  EXPECT_EQ(out.next_offset, 3);
}

TEST(FetchDecoder, CorruptBatchIsAnErrorAfterTheGoodOnes) {
  Bytes two = batch(0, 3) + batch(3, 3);
  two[two.size() - 2] = static_cast<char>(two[two.size() - 2] ^ 0x40);
  const DecodedFetch out = decode(two, 0);
  ASSERT_TRUE(out.error.has_value());
  EXPECT_EQ(out.error->code, Errc::kCorruptMessage);
  EXPECT_EQ(out.next_offset, 3);
  EXPECT_EQ(out.slices.size(), 1U);
}

TEST(FetchDecoder, AbortedTransactionsAndMarkersAreDropped) {
  record::BatchOptions o;
  o.producer_id = ProducerId{9};
  o.producer_epoch = 0;
  o.base_sequence = 0;
  o.transactional = true;
  record::BatchBuilder builder(o);
  builder.append(1, std::nullopt, BytesView("lost"));
  const Bytes lost = *builder.build();
  Bytes marker = record::buildEndTxnMarker(ProducerId{9}, 0, {record::ControlType::kAbort, 0}, 1);
  record::patchBaseOffset(marker.data(), Offset{1});
  FetchedBytes in;
  const Bytes all = lost + marker + batch(2, 1);
  in.records = all;
  in.topic = std::make_shared<const std::string>("t");
  in.read_committed = true;
  in.aborted = {{9, 0}};
  const DecodedFetch out = decodeFetch(in);
  ASSERT_EQ(out.slices.size(), 1U);
  EXPECT_EQ(RecordIterator(out.slices[0])->value(), "v2");
  EXPECT_EQ(out.next_offset, 3);
}

TEST(Positions, CommittedOffsetIsWhereItStarts) {
  Positions p(options());
  p.assign({kA});
  EXPECT_TRUE(p.find(kA)->needsCommitted());
  EXPECT_TRUE(p.applyCommitted(*p.find(kA), OffsetAndMetadata{42}, 0));
  EXPECT_EQ(p.find(kA)->offset, 42);
  int leaderless = 0;
  const auto wishes = p.wishes(cluster(), 0, leaderless);
  EXPECT_EQ(wishes.at(1).at(kA).offset, 42);
  EXPECT_EQ(wishes.at(1).at(kA).leader_epoch, 4);
}

TEST(Positions, WithoutCommitThePolicyDecides) {
  Positions earliest(options());
  earliest.assign({kA});
  EXPECT_TRUE(earliest.applyCommitted(*earliest.find(kA), std::nullopt, 0));
  EXPECT_EQ(earliest.find(kA)->reset, -2);
  Positions none(options(ResetPolicy::Kind::kNone));
  none.assign({kA});
  EXPECT_FALSE(none.applyCommitted(*none.find(kA), std::nullopt, 0));
}

TEST(Positions, HandsOutAtMostWhatIsAskedAndMovesBehindIt) {
  Positions p(options());
  p.assign({kA});
  p.seek(*p.find(kA), 0);
  ASSERT_TRUE(p.addFetched(kA, p.find(kA)->incarnation, 0, decode(batch(0, 10), 0), 100));
  auto first = p.collect(4);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].count, 4);
  EXPECT_EQ(p.find(kA)->offset, 4);
  EXPECT_EQ(p.committable().at(kA).offset, 4);
  auto rest = p.collect(100);
  EXPECT_EQ(rest[0].count, 6);
  EXPECT_EQ(RecordIterator(rest[0])->offset(), 4);
  EXPECT_EQ(p.find(kA)->offset, 10);
}

TEST(Positions, AnswerToAnOlderSeekIsDropped) {
  Positions p(options());
  p.assign({kA});
  p.seek(*p.find(kA), 0);
  const auto before = p.find(kA)->incarnation;
  p.seek(*p.find(kA), 7);
  EXPECT_FALSE(p.addFetched(kA, before, 0, decode(batch(0, 10), 0), 100));
  EXPECT_EQ(p.find(kA)->offset, 7);
}

TEST(Positions, PausedPartitionsAreNeitherFetchedNorHandedOut) {
  Positions p(options());
  p.assign({kA, kB});
  p.seek(*p.find(kA), 0);
  p.seek(*p.find(kB), 0);
  p.addFetched(kA, p.find(kA)->incarnation, 0, decode(batch(0, 2), 0), 50);
  p.find(kA)->paused = true;
  int leaderless = 0;
  EXPECT_EQ(p.wishes(cluster(), 0, leaderless).size(), 1U);
  EXPECT_TRUE(p.collect(10).empty());
  p.find(kA)->paused = false;
  EXPECT_EQ(p.collect(10).size(), 1U);
}

TEST(Positions, FullPartitionIsNotFetchedUntilItIsRead) {
  Positions p(options());
  p.assign({kA});
  p.seek(*p.find(kA), 0);
  p.addFetched(kA, p.find(kA)->incarnation, 0, decode(batch(0, 2), 0), 1000);
  int leaderless = 0;
  EXPECT_TRUE(p.wishes(cluster(), 0, leaderless).empty());
  std::ignore = p.collect(10);
  EXPECT_FALSE(p.wishes(cluster(), 0, leaderless).empty());
}

TEST(Positions, ReassignmentKeepsWhatStays) {
  Positions p(options());
  p.assign({kA, kB});
  p.seek(*p.find(kA), 5);
  p.assign({kA});
  EXPECT_EQ(p.find(kA)->offset, 5);
  EXPECT_FALSE(p.contains(kB));
}

TEST(ResetPolicy, ReadsKafkasWords) {
  EXPECT_EQ(parseResetPolicy("latest")->kind, ResetPolicy::Kind::kLatest);
  EXPECT_EQ(parseResetPolicy("by_duration:P1DT2H")->duration_ms, 26 * 3'600'000);
  EXPECT_EQ(parseResetPolicy("by_duration:PT1H")->timestamp(5'000'000), 1'400'000);
  EXPECT_FALSE(parseResetPolicy("by_duration:soon").has_value());
  EXPECT_FALSE(parseResetPolicy("sometimes").has_value());
}

}  // namespace
}  // namespace millrace::client
