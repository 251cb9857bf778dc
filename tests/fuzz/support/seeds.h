// Sound files from tests/data, as inputs to start from.
#pragma once

#include "base/bytes.h"

#include <string>
#include <vector>

namespace millrace::fuzz {

/// The small files of a directory that Apache Kafka wrote, with these endings; unpacked once.
/// Larger ones are cut to `limit`: seeds should be small.
[[nodiscard]] std::vector<Bytes> kafkaFiles(const std::vector<std::string>& endings,
                                            std::size_t limit = 4096);
/// Whole batches from its .log files, each codec and each kind, one to three in one seed.
[[nodiscard]] std::vector<Bytes> kafkaBatches();
/// Each input behind these bytes.
[[nodiscard]] std::vector<Bytes> prefixed(const std::vector<Bytes>& inputs,
                                          const std::vector<Bytes>& prefixes);

}  // namespace millrace::fuzz
