// The data directory that Apache Kafka 4.2.0 wrote, and what it says of it.
#pragma once

#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace millrace::cli::testing {

/// A file of tests/data/kafka_data_dir, unpacked. Fails the test where it cannot be read.
[[nodiscard]] std::string recorded(std::string_view name);

/// A copy of the directory for each test.
class KafkaDirectory : public ::testing::Test {
 protected:
  void SetUp() override;
  /// Changes one byte of a file.
  void damage(const std::string& file, std::streamoff at) const;

  TempDir dir_;
};

}  // namespace millrace::cli::testing
