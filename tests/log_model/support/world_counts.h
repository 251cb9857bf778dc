// How much of everything a random life has had.
#pragma once

#include <cstdint>

namespace millrace::log::test {

/// What happened in a run, for the report of a long one.
struct WorldCounts {
  std::uint64_t steps = 0;
  std::uint64_t appends = 0;
  std::uint64_t power_failures = 0;
  std::uint64_t kills = 0;
  std::uint64_t clean_stops = 0;
  std::uint64_t faults = 0;
  std::uint64_t crashes_in_recovery = 0;
  std::uint64_t damaged_files = 0;
  std::uint64_t compactions = 0;
  std::uint64_t rounds = 0;
  /// Logs that were synced in a round instead of being journaled.
  std::uint64_t direct_syncs = 0;
  std::uint64_t repairs = 0;
  std::uint64_t records_lost_unsynced = 0;
  WorldCounts& operator+=(const WorldCounts& other);
};

}  // namespace millrace::log::test
