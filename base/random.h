// Randomness as a thing that is handed in: with a seed, a run can be repeated exactly.
#pragma once

#include <cstdint>

namespace millrace {

class RandomSource {
 public:
  virtual ~RandomSource() = default;
  /// 64 random bits.
  virtual std::uint64_t next() = 0;

  /// Uniform in [0, bound); bound > 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound);
  /// Uniform in [low, high].
  [[nodiscard]] std::int64_t between(std::int64_t low, std::int64_t high);
  /// Uniform in [0, 1).
  [[nodiscard]] double unit();
};

/// The same seed gives the same numbers on every machine (splitmix64). Not for secrets. Not
/// thread-safe.
class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() override;

 private:
  std::uint64_t state_;
};

/// The operating system's random source (getrandom). Thread-safe, never destroyed.
[[nodiscard]] RandomSource& systemRandom();

}  // namespace millrace
