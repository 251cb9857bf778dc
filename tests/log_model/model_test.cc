// Random lives of data directories on a disk that breaks, against a model in memory.
//
// MILLRACE_MODEL_SEEDS=n runs n seeds (default 200), MILLRACE_MODEL_SEED=s begins at seed s: with
// n=1 it repeats what a failure printed. MILLRACE_MODEL_SALT=x gives every seed another life (0,
// the default, is the one that the suite runs), "random" one that nobody has tried: what was drawn
// is printed. MILLRACE_MODEL_STEPS=k makes each life k steps long, MILLRACE_MODEL_TRACE=1 prints
// every step and every change on the disk.
#include "base/random.h"
#include "tests/log_model/support/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace millrace::log::test {
namespace {

constexpr int kSteps = 300;

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  std::uint64_t value = otherwise;
  if (text != nullptr) std::from_chars(text, text + std::strlen(text), value);
  return value;
}

std::uint64_t saltSetting() {
  const char* const text = std::getenv("MILLRACE_MODEL_SALT");
  if (text == nullptr || std::string_view(text) != "random")
    return setting("MILLRACE_MODEL_SALT", 0);
  return 1 + systemRandom().below(1'000'000'000);
}

/// What the environment must say for this run.
std::string repeats(std::uint64_t seed, std::uint64_t salt, int steps) {
  std::string text = fmt::format("MILLRACE_MODEL_SEED={} MILLRACE_MODEL_SEEDS=1", seed);
  if (salt != 0) text += fmt::format(" MILLRACE_MODEL_SALT={}", salt);
  if (steps != kSteps) text += fmt::format(" MILLRACE_MODEL_STEPS={}", steps);
  return text;
}

TEST(LogModel, WhateverTheDiskDoesNothingSyncedIsLostAndNothingForeignIsServed) {
  const std::uint64_t first = setting("MILLRACE_MODEL_SEED", 1);
  const std::uint64_t seeds = setting("MILLRACE_MODEL_SEEDS", 200);
  const std::uint64_t salt = saltSetting();
  const int steps = static_cast<int>(setting("MILLRACE_MODEL_STEPS", kSteps));
  const auto began = std::chrono::steady_clock::now();
  WorldCounts counts;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    World world(seed, salt);
    if (setting("MILLRACE_MODEL_TRACE", 0) != 0) world.traceTo(stdout);
    world.run(steps);
    counts += world.counts();
    if (HasFailure()) {
      ADD_FAILURE() << repeats(seed, salt, steps) << " repeats it";
      break;
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf(
      "%llu seeds from %llu, salt %llu, in %.1f s: %llu steps, %llu appends, %llu power failures, "
      "%llu kills, "
      "%llu in recovery, %llu clean stops, %llu faults met, %llu files damaged, %llu compactions, "
      "%llu journal rounds with %llu direct syncs, %llu repairs, "
      "%llu unsynced records lost\n",
      static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(first),
      static_cast<unsigned long long>(salt), took.count(),
      static_cast<unsigned long long>(counts.steps),
      static_cast<unsigned long long>(counts.appends),
      static_cast<unsigned long long>(counts.power_failures),
      static_cast<unsigned long long>(counts.kills),
      static_cast<unsigned long long>(counts.crashes_in_recovery),
      static_cast<unsigned long long>(counts.clean_stops),
      static_cast<unsigned long long>(counts.faults),
      static_cast<unsigned long long>(counts.damaged_files),
      static_cast<unsigned long long>(counts.compactions),
      static_cast<unsigned long long>(counts.rounds),
      static_cast<unsigned long long>(counts.direct_syncs),
      static_cast<unsigned long long>(counts.repairs),
      static_cast<unsigned long long>(counts.records_lost_unsynced));
}

}  // namespace
}  // namespace millrace::log::test
