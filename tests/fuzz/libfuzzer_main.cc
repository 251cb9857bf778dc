// Drives one target (MILLRACE_FUZZ_RUN) under libFuzzer. With FUZZ_SEEDS=DIRECTORY in the
// environment it writes the target's seeds there and ends.
#include "tests/fuzz/support/targets.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* directory = std::getenv("FUZZ_SEEDS");
  if (directory == nullptr) return 0;
  std::filesystem::create_directories(directory);
  int number = 0;
  for (const auto& seed : millrace::fuzz::MILLRACE_FUZZ_SEEDS()) {
    const std::string path = std::string(directory) + "/seed-" + std::to_string(number++);
    std::ofstream(path, std::ios::binary)
        .write(seed.data(), static_cast<std::streamsize>(seed.size()));
  }
  std::exit(0);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  millrace::fuzz::MILLRACE_FUZZ_RUN({reinterpret_cast<const char*>(data), size});
  return 0;
}
