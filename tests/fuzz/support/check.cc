#include "tests/fuzz/support/targets.h"

#include <cstdio>
#include <cstdlib>

namespace millrace::fuzz {

void check(bool fine, const char* promise) {
  if (fine) return;
  std::fprintf(stderr, "broken: %s\n", promise);
  std::abort();
}

}  // namespace millrace::fuzz
