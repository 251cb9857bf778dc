// All messages, all versions, random contents: what is encoded decodes to the same, and broken
// bytes never do harm.
#include "protocol/codec.h"
#include "protocol/frame.h"
#include "protocol/json.h"
#include "support/random_message.h"

#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <random>

namespace millrace::protocol {
namespace {

std::uint64_t seed() {
  const char* given = std::getenv("MILLRACE_SEED");
  std::uint64_t number = std::random_device{}();
  if (given != nullptr) std::from_chars(given, given + std::strlen(given), number);
  return number;
}

template <class Check>
void forEachVersion(int rounds, const Check& check) {
  const std::uint64_t start = seed();
  SCOPED_TRACE("MILLRACE_SEED=" + std::to_string(start));
  std::mt19937_64 random(start);
  for (const MessageInfo* info : allMessages()) {
    for (std::int16_t v = info->min_version; v <= info->max_version; ++v) {
      for (int i = 0; i < rounds; ++i) {
        SCOPED_TRACE(std::string(info->name) + " v" + std::to_string(v));
        check(*info, v, random);
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
}

Bytes encoded(const AnyMessage& message, std::int16_t version) {
  Bytes out;
  const auto size = encodedSize(message.info(), message.data(), version);
  const auto status = encodeTo(message.info(), message.data(), version, out);
  EXPECT_TRUE(status) << status.error().toString();
  EXPECT_EQ(out.size(), size.value_or(0));
  return out;
}

TEST(RandomMessages, DecodeToWhatWasEncoded) {
  forEachVersion(6, [](const MessageInfo& info, std::int16_t v, std::mt19937_64& random) {
    const AnyMessage message = randomMessage(info, v, random);
    const Bytes bytes = encoded(message, v);
    AnyMessage back(info);
    const auto status = decodeInto(info, back.data(), bytes, v);
    ASSERT_TRUE(status) << status.error().toString();
    EXPECT_EQ(toJson(info, back.data(), v), toJson(info, message.data(), v));
    EXPECT_EQ(encoded(back, v), bytes);
  });
}

TEST(RandomMessages, CutShortAreRefused) {
  forEachVersion(1, [](const MessageInfo& info, std::int16_t v, std::mt19937_64& random) {
    const Bytes bytes = encoded(randomMessage(info, v, random), v);
    for (std::size_t n = 0; n < bytes.size(); n += 1 + bytes.size() / 200) {
      // A copy of exactly that size, so that the address sanitizer sees a read beyond it.
      const std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
      AnyMessage back(info);
      EXPECT_FALSE(decodeInto(info, back.data(), {cut.data(), n}, v))
          << n << " of " << bytes.size() << " bytes";
    }
    AnyMessage back(info);
    EXPECT_FALSE(decodeInto(info, back.data(), bytes + '\0', v)) << "one byte too many";
  });
}

TEST(RandomMessages, WithChangedBytesAreRefusedOrSound) {
  forEachVersion(4, [](const MessageInfo& info, std::int16_t v, std::mt19937_64& random) {
    Bytes bytes = encoded(randomMessage(info, v, random), v);
    if (bytes.empty()) return;
    for (int i = 0; i < 3; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    AnyMessage back(info);
    if (!decodeInto(info, back.data(), bytes, v)) return;
    // What was accepted can be written and read again.
    const Bytes again = encoded(back, v);
    AnyMessage third(info);
    EXPECT_TRUE(decodeInto(info, third.data(), again, v));
    EXPECT_EQ(encoded(third, v), again);
  });
}

TEST(RandomMessages, GoThroughFramesUnchanged) {
  forEachVersion(1, [](const MessageInfo& info, std::int16_t v, std::mt19937_64& random) {
    if (info.kind != MessageKind::kRequest) return;
    const AnyMessage message = randomMessage(info, v, random);
    const auto frame =
        encodeRequest({.api_version = v, .correlation_id = 7, .client_id = Text("me")}, message);
    ASSERT_TRUE(frame);
    const auto whole = frame->join();
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->size(), frame->size());
    const auto split = splitRequest(BytesView(*whole).substr(4));
    ASSERT_TRUE(split) << split.error().toString();
    EXPECT_EQ(split->head.correlation_id, 7);
    EXPECT_EQ(split->body, encoded(message, v));
  });
}

}  // namespace
}  // namespace millrace::protocol
