#include "broker/net/frame_reader.h"

#include "base/random.h"
#include "base/varint.h"

#include <gtest/gtest.h>

#include <cstring>

namespace millrace::broker {
namespace {

Bytes framed(BytesView body) {
  Bytes out(4, '\0');
  storeBe<std::int32_t>(out.data(), static_cast<std::int32_t>(body.size()));
  return out.append(body);
}

/// Feeds as many bytes as the reader takes; returns how many.
std::size_t feed(FrameReader& reader, BytesView bytes) {
  const auto space = reader.space();
  const std::size_t n = std::min(space.size(), bytes.size());
  std::memcpy(space.data(), bytes.data(), n);
  reader.filled(n);
  return n;
}

TEST(FrameReader, CutsWholeFramesOutOfAnyPieces) {
  const std::uint64_t seed = 20261122;
  SeededRandom random(seed);
  ChunkPool pool;
  FrameReader reader(pool, 1 << 20);
  std::vector<Bytes> sent;
  Bytes stream;
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t size =
        i % 50 == 0 ? 70'000 + random.below(300'000) : 1 + random.below(3'000);
    sent.emplace_back(size, static_cast<char>('a' + i % 26));
    stream += framed(sent.back());
  }
  std::size_t at = 0;
  std::vector<Frame> got;  // all kept: frames must not be overwritten by later ones
  while (at < stream.size()) {
    at += feed(reader, BytesView(stream).substr(at, 1 + random.below(20'000)));
    for (;;) {
      auto frame = reader.next();
      ASSERT_TRUE(frame) << "seed " << seed;
      if (!*frame) break;
      got.push_back(std::move(**frame));
    }
  }
  ASSERT_EQ(got.size(), sent.size()) << "seed " << seed;
  for (std::size_t i = 0; i < sent.size(); ++i)
    EXPECT_EQ(got[i].bytes, sent[i]) << i << " seed " << seed;
}

TEST(FrameReader, ReusesTheBufferWhenFramesAreLetGo) {
  ChunkPool pool;
  FrameReader reader(pool, 1 << 20);
  const char* first = nullptr;
  for (int i = 0; i < 10; ++i) {
    feed(reader, framed("hello"));
    auto frame = reader.next();
    ASSERT_TRUE(frame && *frame);
    if (first == nullptr) first = (*frame)->bytes.data();
    EXPECT_EQ((*frame)->bytes.data(), first);
  }
}

TEST(FrameReader, ReadsManyOfARunAtOnceWhileTheyAreKept) {
  ChunkPool pool;
  FrameReader reader(pool, 1 << 20);
  Bytes stream;
  for (int i = 0; i < 100; ++i) stream += framed(Bytes(11'000, static_cast<char>(i)));
  std::vector<Frame> kept;
  int reads = 0;
  for (std::size_t at = 0; at < stream.size(); ++reads) {
    at += feed(reader, BytesView(stream).substr(at));
    while (auto frame = reader.next().value()) kept.push_back(std::move(*frame));
  }
  ASSERT_EQ(kept.size(), 100U);
  EXPECT_LT(reads, 30);
}

TEST(FrameReader, RefusesSizesBeforeAnyByteOfThem) {
  for (const std::int32_t size :
       {0, -1, std::numeric_limits<std::int32_t>::min(), 1'001, 0x16030100}) {
    ChunkPool pool;
    FrameReader reader(pool, 1'000);
    Bytes head(4, '\0');
    storeBe(head.data(), size);
    feed(reader, head);
    const auto frame = reader.next();
    ASSERT_FALSE(frame) << size;
    EXPECT_EQ(frame.error().code, Errc::kMalformed);
  }
}

TEST(FrameReader, ClaimedSizeAloneAllocatesLittle) {
  ChunkPool pool;
  FrameReader reader(pool, 100 << 20);
  Bytes head(4, '\0');
  storeBe<std::int32_t>(head.data(), 100 << 20);
  feed(reader, head);
  ASSERT_TRUE(reader.next());
  EXPECT_LE(reader.space().size(), FrameReader::kFirstCredit);
}

TEST(FrameReader, BufferGrowsOnlyAsBytesArrive) {
  ChunkPool pool;
  FrameReader reader(pool, 100 << 20);
  Bytes stream(4, '\0');
  storeBe<std::int32_t>(stream.data(), 50 << 20);
  std::size_t arrived = feed(reader, stream);
  const Bytes zeros(1 << 20, '\0');
  while (arrived < (3U << 20)) {
    ASSERT_TRUE(reader.next());
    EXPECT_LE(reader.space().size(), std::max(FrameReader::kFirstCredit, 2 * arrived));
    arrived += feed(reader, zeros);
  }
}

TEST(FrameReader, RestsOnASmallBufferAfterALargeFrame) {
  ChunkPool pool;
  FrameReader reader(pool, 10 << 20);
  const Bytes large = framed(Bytes(2 << 20, 'x'));
  for (std::size_t at = 0; at < large.size();) at += feed(reader, BytesView(large).substr(at));
  ASSERT_TRUE(reader.next().value());
  EXPECT_TRUE(reader.holdsLarge());
  reader.rest();
  EXPECT_FALSE(reader.holdsLarge());
  EXPECT_LE(reader.space().size(), ChunkPool::kSmallest);
}

TEST(ChunkPool, KeepsNoMoreThanItMay) {
  ChunkPool pool(64 << 10);
  {
    std::vector<ChunkPtr> taken;
    for (int i = 0; i < 100; ++i) taken.push_back(pool.take(8 << 10));
  }
  EXPECT_EQ(pool.keptBytes(), 64U << 10);
  pool.trim();
  EXPECT_EQ(pool.keptBytes(), 0U);
}

}  // namespace
}  // namespace millrace::broker
