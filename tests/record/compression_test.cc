#include "record/compression.h"

#include "tests/record/support/vectors.h"

#include <gtest/gtest.h>
#include <snappy.h>

#include <random>

namespace millrace::record {
namespace {

constexpr Codec kAll[] = {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd};

Bytes sample(std::mt19937& random, std::size_t size) {
  Bytes out;
  while (out.size() < size)
    out += random() % 3 == 0 ? Bytes(random() % 50, static_cast<char>(random()))
                             : std::to_string(random());
  out.resize(size);
  return out;
}

TEST(Compression, EveryCodecGivesBackWhatItGot) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (const Codec codec : kAll) {
    SCOPED_TRACE(codecName(codec));
    for (const std::size_t size : {0UL, 1UL, 100UL, 32768UL, 65536UL, 65537UL, 300'000UL}) {
      const Bytes input = sample(random, size);
      Bytes packed = "before";
      ASSERT_TRUE(compress(codec, input, packed));
      ASSERT_TRUE(packed.starts_with("before"));
      Bytes output;
      const Status status = decompress(codec, BytesView(packed).substr(6), output);
      ASSERT_TRUE(status) << status.error().toString();
      EXPECT_EQ(output, input);
    }
  }
}

TEST(Compression, BombsStopAtTheLimit) {
  const Bytes zeros(8 << 20, '\0');
  for (const Codec codec : kAll) {
    SCOPED_TRACE(codecName(codec));
    Bytes packed;
    ASSERT_TRUE(compress(codec, zeros, packed));
    Bytes output;
    EXPECT_EQ(decompress(codec, packed, output, 1 << 20).error().code, Errc::kCorruptData);
    EXPECT_LE(output.capacity(), 2U << 20);
    EXPECT_TRUE(decompress(codec, packed, output, 8 << 20));
    EXPECT_EQ(output.size(), zeros.size());
  }
}

TEST(Compression, CutAndFlippedInputIsAnErrorOrOtherBytesButNeverACrash) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (const Codec codec : kAll) {
    Bytes packed;
    ASSERT_TRUE(compress(codec, sample(random, 5000), packed));
    for (int i = 0; i < 500; ++i) {
      Bytes bad = packed;
      if (i % 2 == 0) {
        bad.resize(random() % bad.size());
      } else {
        bad[random() % bad.size()] = static_cast<char>(random());
      }
      Bytes output;
      (void)decompress(codec, bad, output, 1 << 20);
    }
  }
}

TEST(Compression, SnappyReadsOneRawBlock) {
  const Bytes input(1000, 'x');
  Bytes raw;
  snappy::Compress(input.data(), input.size(), &raw);
  Bytes output;
  ASSERT_TRUE(decompress(Codec::kSnappy, raw, output));
  EXPECT_EQ(output, input);
}

TEST(Compression, GzipReadsSeveralMembersAndIgnoresWhatFollows) {
  Bytes packed;
  ASSERT_TRUE(compress(Codec::kGzip, "one ", packed));
  ASSERT_TRUE(compress(Codec::kGzip, "two", packed));
  packed += "trailing";
  Bytes output;
  ASSERT_TRUE(decompress(Codec::kGzip, packed, output));
  EXPECT_EQ(output, "one two");
}

TEST(Compression, Lz4RefusesWhatJavaRefuses) {
  Bytes packed;
  ASSERT_TRUE(compress(Codec::kLz4, Bytes(100, 'y'), packed));
  Bytes output;
  for (const auto& [at, bits] : std::vector<std::pair<std::size_t, int>>{
           {4, 0x20}, {4, 0x40}, {4, 0x01}, {5, 0x01}, {5, 0x80}, {6, 0xFF}}) {
    Bytes bad = packed;
    bad[at] = static_cast<char>(bad[at] ^ bits);
    EXPECT_FALSE(decompress(Codec::kLz4, bad, output)) << at << " " << bits;
  }
}

TEST(Compression, NamesAndNumbersAreKafkas) {
  EXPECT_EQ(codecFromName("uncompressed"), Codec::kNone);
  EXPECT_EQ(codecFromName("zstd"), Codec::kZstd);
  EXPECT_EQ(codecFromName("producer"), std::nullopt);
  EXPECT_EQ(codecFromId(5).error().code, Errc::kMalformed);
}

}  // namespace
}  // namespace millrace::record
