#include "base/random.h"

#include "base/assert.h"

#include <sys/random.h>

namespace millrace {

std::uint64_t RandomSource::below(std::uint64_t bound) {
  MILLRACE_ASSERT(bound > 0, "no number is below 0");
  // Numbers past the last whole multiple of bound would favour the small ones.
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  for (;;) {
    const std::uint64_t n = next();
    if (n < limit) return n % bound;
  }
}

std::int64_t RandomSource::between(std::int64_t low, std::int64_t high) {
  MILLRACE_ASSERT(low <= high, "the range is empty");
  const std::uint64_t width = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  const std::uint64_t step = width == UINT64_MAX ? next() : below(width + 1);
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + step);
}

double RandomSource::unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

std::uint64_t SeededRandom::next() {
  std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

namespace {

class SystemRandom final : public RandomSource {
 public:
  std::uint64_t next() override {
    std::uint64_t value = 0;
    // Up to 256 bytes come whole and without EINTR once the kernel's source is ready.
    const ssize_t n = ::getrandom(&value, sizeof(value), 0);
    MILLRACE_ASSERT(n == sizeof(value), "getrandom failed");
    return value;
  }
};

}  // namespace

RandomSource& systemRandom() {
  static SystemRandom* const source = new SystemRandom;  // never destroyed: used until the end
  return *source;
}

}  // namespace millrace
