#include "tests/fuzz/support/mutate.h"

#include "base/varint.h"

#include <array>
#include <limits>

namespace millrace::fuzz {
namespace {

constexpr std::size_t kMaxSize = 8192;

template <class Int>
void store(Bytes& bytes, std::size_t at, Int value) {
  if (at + sizeof value <= bytes.size()) storeBe(bytes.data() + at, value);
}

/// Numbers that break arithmetic, and small changes of what stands there.
void extreme(Bytes& bytes, std::size_t at, std::uint64_t choice) {
  constexpr std::array<std::int64_t, 6> kValues = {0,
                                                   -1,
                                                   1,
                                                   std::numeric_limits<std::int32_t>::max(),
                                                   std::numeric_limits<std::int64_t>::max(),
                                                   std::numeric_limits<std::int64_t>::min()};
  const std::int64_t value = kValues[choice % kValues.size()];
  if ((choice & 64) != 0)
    store(bytes, at, value);
  else if ((choice & 128) != 0)
    store(bytes, at, static_cast<std::int32_t>(value));
  else
    store(bytes, at, static_cast<std::int16_t>(value));
}

void change(Bytes& bytes, const std::vector<Bytes>& seeds, std::mt19937_64& random) {
  if (bytes.empty()) bytes.push_back('\0');
  const std::size_t at = random() % bytes.size();
  const std::size_t length = 1 + random() % std::min<std::size_t>(64, bytes.size() - at);
  const std::uint64_t choice = random();
  switch (choice % 8) {
    case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << (choice >> 8) % 8)); break;
    case 1: bytes[at] = static_cast<char>(choice >> 8); break;
    case 2: extreme(bytes, at, choice >> 8); break;
    case 3: bytes.erase(at, length); break;
    case 4: bytes.insert(at, bytes.substr(at, length)); break;
    case 5: bytes.insert(at, length, static_cast<char>(choice >> 8)); break;
    case 6: bytes.resize(at); break;
    default: {
      const Bytes& other = seeds[(choice >> 8) % seeds.size()];
      const std::size_t from = other.empty() ? 0 : random() % other.size();
      bytes.replace(at, length, other.substr(from, 1 + random() % 256));
    }
  }
  if (bytes.size() > kMaxSize) bytes.resize(kMaxSize);
}

}  // namespace

Bytes mutate(const std::vector<Bytes>& seeds, std::mt19937_64& random) {
  Bytes bytes = seeds[random() % seeds.size()];
  for (std::uint64_t changes = 1 + random() % 4; changes > 0; --changes)
    change(bytes, seeds, random);
  return bytes;
}

}  // namespace millrace::fuzz
