// bench_log [--milliseconds=N] [--recovery-mib=N] [--linked-gib=N] [--directory=D] [part ...]: what
// the log costs beside the raw limit of the same bytes in the same run. Without parts: all.
#include "bench/log/support.h"

#include <sys/resource.h>

#include <charconv>
#include <cstdio>
#include <functional>
#include <string_view>
#include <utility>

namespace millrace::bench {

void raiseFileLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

namespace {

struct Part {
  std::string_view name;
  void (*run)(const LogBenchOptions&);
};

constexpr Part kParts[] = {{"disk", benchDisk},
                           {"append", benchAppend},
                           {"durability", benchDurability},
                           {"read", benchRead},
                           {"recovery", benchRecovery},
                           {"linked", benchLinkedRecovery},
                           {"compaction", benchCompaction},
                           {"logs", benchManyLogs}};

/// The text behind "--name=", if the argument is that option.
const char* valueOf(std::string_view argument, std::string_view name) {
  return argument.starts_with(name) ? argument.data() + name.size() : nullptr;
}

std::uint64_t numberIn(std::string_view text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  if (std::from_chars(text.data(), end, number).ptr == end && !text.empty()) return number;
  std::fprintf(stderr, "bench_log: not a number: %s\n", text.data());
  std::exit(2);
}

int run(int argc, char** argv) {
  LogBenchOptions options;
  std::vector<Part> parts;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (const char* seconds = valueOf(argument, "--milliseconds=")) {
      options.seconds = static_cast<double>(numberIn(seconds)) / 1000;
    } else if (const char* mib = valueOf(argument, "--recovery-mib=")) {
      options.recovery_bytes = numberIn(mib) << 20;
    } else if (const char* gib = valueOf(argument, "--linked-gib=")) {
      options.linked_bytes = numberIn(gib) << 30;
    } else if (const char* directory = valueOf(argument, "--directory=")) {
      options.directory = directory;
    } else {
      const std::size_t before = parts.size();
      for (const Part& part : kParts)
        if (part.name == argument) parts.push_back(part);
      if (parts.size() > before) continue;
      std::fprintf(stderr, "bench_log: no part or option %s; parts:", argv[i]);
      for (const Part& part : kParts) std::fprintf(stderr, " %s", part.name.data());
      std::fprintf(stderr, "\n");
      return 2;
    }
  }
  raiseFileLimit();
  if (parts.empty()) parts.assign(std::begin(kParts), std::end(kParts));
  for (const Part& part : parts) {
    std::printf("== %s\n", part.name.data());
    part.run(options);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) { return millrace::bench::run(argc, argv); }
