// What is fuzzed: one function per kind of input. libFuzzer drives them (libfuzzer_main.cc), and so
// does the normal test suite, with mutations of its own (fuzz_test.cc).
#pragma once

#include "base/bytes.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::fuzz {

/// Takes any bytes; stops the program where the code under test breaks a promise.
using Run = void (*)(BytesView input);

struct Target {
  std::string_view name;
  Run run;
  /// Sound inputs to start from, made from the files below tests/data.
  std::vector<Bytes> (*seeds)();
};

[[nodiscard]] std::span<const Target> targets();

void runProtocol(BytesView input);
void runBatch(BytesView input);
void runIndex(BytesView input);
void runSnapshot(BytesView input);
void runCheckpoint(BytesView input);
void runSegment(BytesView input);

[[nodiscard]] std::vector<Bytes> protocolSeeds();
[[nodiscard]] std::vector<Bytes> batchSeeds();
[[nodiscard]] std::vector<Bytes> indexSeeds();
[[nodiscard]] std::vector<Bytes> snapshotSeeds();
[[nodiscard]] std::vector<Bytes> checkpointSeeds();
[[nodiscard]] std::vector<Bytes> segmentSeeds();

/// Stops the program with the promise that was broken.
void check(bool fine, const char* promise);

}  // namespace millrace::fuzz
