#include "tests/cli/support/kafka_directory.h"

#include <zlib.h>

#include <cstdlib>
#include <fstream>

namespace millrace::cli::testing {

namespace {

constexpr std::string_view kRecorded = MILLRACE_SOURCE_DIR "/tests/data/kafka_data_dir/";

}  // namespace

std::string recorded(std::string_view name) {
  gzFile file = gzopen((std::string(kRecorded) + std::string(name)).c_str(), "rb");
  std::string text(16 << 20, '\0');
  const int size = gzread(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
  EXPECT_GT(size, 0) << name;
  text.resize(static_cast<std::size_t>(std::max(size, 0)));
  return text;
}

void KafkaDirectory::SetUp() {
  const std::string command =
      "tar xzf " + std::string(kRecorded) + "data-dir.tar.gz -C " + dir_.path();
  ASSERT_EQ(std::system(command.c_str()), 0);
}

void KafkaDirectory::damage(const std::string& file, std::streamoff at) const {
  std::fstream open(dir_.path(file), std::ios::in | std::ios::out | std::ios::binary);
  open.seekp(at);
  open.put('\x7f');
}

}  // namespace millrace::cli::testing
