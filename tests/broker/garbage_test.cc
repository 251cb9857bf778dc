// Nonsense on the port: no crash, and nobody else is harmed. MILLRACE_GARBAGE_SECONDS makes it
// longer (600 under ASan is the release check), MILLRACE_SEED repeats a run.
#include "base/log.h"
#include "base/varint.h"
#include "protocol/api.h"
#include "tests/broker/support/requests.h"
#include "tests/broker/support/test_broker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>

namespace millrace::broker::testing {
namespace {

std::int64_t fromEnvironment(const char* name, std::int64_t otherwise) {
  const char* text = std::getenv(name);
  std::int64_t value = otherwise;
  if (text != nullptr) std::from_chars(text, text + std::strlen(text), value);
  return value;
}

class Vandal {
 public:
  explicit Vandal(std::uint64_t seed) : random_(seed) {}

  /// A frame, or what claims to be one.
  Bytes next() {
    switch (below(6)) {
      case 0: return bytes(below(200));
      case 1: return sized(bytes(1 + below(300)));
      case 2: return request(bytes(below(300)));
      case 3: return truncated(valid());
      case 4: return mutated(valid());
      default: return valid();
    }
  }
  std::uint64_t below(std::uint64_t n) { return random_() % n; }

 private:
  Bytes bytes(std::uint64_t n) {
    Bytes out(n, '\0');
    for (char& c : out) c = static_cast<char>(random_());
    return out;
  }
  static Bytes sized(const Bytes& body) {
    Bytes out(4, '\0');
    storeBe<std::int32_t>(out.data(), static_cast<std::int32_t>(body.size()));
    return out + body;
  }
  /// A sound header of any api, then nonsense.
  Bytes request(const Bytes& body) {
    const auto apis = protocol::allApis();
    const auto& api = apis[below(apis.size())];
    Bytes head(8, '\0');
    storeBe<std::int16_t>(head.data(), static_cast<std::int16_t>(api.key));
    storeBe<std::int16_t>(head.data() + 2, static_cast<std::int16_t>(below(16)));
    head += Bytes("\x00\x01x\x00", 4);
    return sized(head + body);
  }
  /// A request with default fields, of any api and version.
  Bytes valid() {
    for (;;) {
      const auto apis = protocol::allApis();
      const auto& api = apis[below(apis.size())];
      if (api.request == nullptr || api.stable.empty()) continue;
      const auto span = static_cast<std::uint64_t>(api.stable.max - api.stable.min + 1);
      const auto version =
          static_cast<std::int16_t>(api.stable.min + static_cast<std::int16_t>(below(span)));
      const protocol::AnyMessage message(*api.request);
      if (!protocol::encodedSize(message.info(), message.data(), version)) continue;
      return WireClient::encode(message.info(), message.data(), version, 1);
    }
  }
  Bytes truncated(Bytes frame) {
    frame.resize(below(frame.size()) + 1);
    return frame;
  }
  Bytes mutated(Bytes frame) {
    for (std::uint64_t i = 0; i <= below(6); ++i) {
      const std::size_t at = 4 + below(frame.size() - 4);
      frame[at] = static_cast<char>(random_());
    }
    return frame;
  }

  std::mt19937_64 random_;
};

TEST(Garbage, HarmsNobody) {
  const auto seconds = fromEnvironment("MILLRACE_GARBAGE_SECONDS", 2);
  const auto seed =
      static_cast<std::uint64_t>(fromEnvironment("MILLRACE_SEED", std::random_device{}()));
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::atomic<std::int64_t> lines{0};
  setLogSink([&lines](LogLevel, std::string_view) { ++lines; });
  {
    TestBroker broker(Properties{{"millrace.shards", "2"}});
    WireClient healthy(broker.port());
    ASSERT_EQ(createTopic(healthy, "healthy"), 0);
    Vandal vandal(seed);
    std::int64_t produced = 0;
    std::int64_t attacks = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (std::chrono::steady_clock::now() < end) {
      WireClient attacker(broker.port());
      const std::uint64_t frames = 1 + vandal.below(8);
      for (std::uint64_t i = 0; i < frames; ++i) attacker.send(vandal.next());
      ++attacks;
      if (vandal.below(4) == 0) attacker.shutdownSend();
      if (vandal.below(8) == 0) (void)attacker.receive(20);
      if (attacks % 16 != 0) continue;
      const auto answer = produce(healthy, "healthy", 0, {std::to_string(produced)});
      ASSERT_EQ(answer.error_code, 0);
      ASSERT_EQ(answer.base_offset, produced++);
    }
    const auto all = readAll(healthy, "healthy", 0);
    ASSERT_EQ(static_cast<std::int64_t>(all.size()), produced);
    RecordProperty("attacks", static_cast<int>(attacks));
    EXPECT_LT(lines.load(), 4'000) << "clients are complained about once, not once per frame";
  }
  setLogSink({});
}

}  // namespace
}  // namespace millrace::broker::testing
