// The fuzz targets without libFuzzer: every seed as it is, then mutations until their share of the
// time is over. FUZZ_SEED=n repeats a run, FUZZ_SECONDS=n lengthens it.
#include "tests/fuzz/support/mutate.h"
#include "tests/fuzz/support/targets.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace millrace::fuzz {
namespace {

/// What a crash is to tell: async-signal-safe, so in plain arrays.
char current[256];

void tellCurrent(int signal) {
  const auto ignored = ::write(STDERR_FILENO, current, std::char_traits<char>::length(current));
  static_cast<void>(ignored);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

std::uint64_t fromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  if (text == nullptr) return otherwise;
  std::uint64_t number = 0;
  const char* const end = text + std::char_traits<char>::length(text);
  EXPECT_EQ(std::from_chars(text, end, number).ptr, end) << name << "=" << text;
  return number;
}

class FuzzTest : public testing::TestWithParam<Target> {};

TEST_P(FuzzTest, NoInputBreaksAPromise) {
  const Target& target = GetParam();
  const auto seeds = target.seeds();
  ASSERT_GT(seeds.size(), 5U);
  const std::uint64_t first = fromEnvironment("FUZZ_SEED", std::random_device{}());
  const std::chrono::seconds budget(fromEnvironment("FUZZ_SECONDS", 5));
  std::signal(SIGABRT, tellCurrent);
  std::signal(SIGSEGV, tellCurrent);
  std::snprintf(current, sizeof current, "fuzz target %s, a seed as it is\n", target.name.data());
  for (const Bytes& seed : seeds) target.run(seed);
  const auto end = std::chrono::steady_clock::now() + budget;
  constexpr std::uint64_t kMost = 100'000;
  std::uint64_t runs = 0;
  for (; runs < kMost && std::chrono::steady_clock::now() < end; ++runs) {
    std::snprintf(current, sizeof current, "fuzz target %s: FUZZ_SEED=%llu repeats it\n",
                  target.name.data(), static_cast<unsigned long long>(first + runs));
    std::mt19937_64 random(first + runs);
    target.run(mutate(seeds, random));
  }
  std::printf("%s: %zu seeds, %llu mutations from FUZZ_SEED=%llu on\n", target.name.data(),
              seeds.size(), static_cast<unsigned long long>(runs),
              static_cast<unsigned long long>(first));
}

INSTANTIATE_TEST_SUITE_P(All, FuzzTest, testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& p) { return std::string(p.param.name); });

}  // namespace
}  // namespace millrace::fuzz
