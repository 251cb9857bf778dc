// A small mutator for where libFuzzer is not: seeded, so that every failure can be had again.
#pragma once

#include "base/bytes.h"

#include <random>
#include <vector>

namespace millrace::fuzz {

/// One to four changes: bits, bytes, big-endian extremes, pieces cut, doubled, or taken from
/// another seed.
[[nodiscard]] Bytes mutate(const std::vector<Bytes>& seeds, std::mt19937_64& random);

}  // namespace millrace::fuzz
