#include "base/checksum.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>
#include <zlib.h>

#include <sstream>

namespace millrace {
namespace {

/// Lines of a gzip-compressed file of tests/data, parsed.
std::vector<boost::json::object> readVectors(const std::string& name) {
  const std::string path = std::string(MILLRACE_SOURCE_DIR) + "/tests/data/wire/" + name;
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return {};
  std::string text;
  char buffer[4096];
  for (int n = 0; (n = gzread(file, buffer, sizeof(buffer))) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  gzclose(file);
  std::vector<boost::json::object> vectors;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    vectors.push_back(boost::json::parse(line).as_object());
  }
  return vectors;
}

Bytes unhex(std::string_view hex) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

TEST(Crc32c, EqualsKafkasVectors) {
  const auto vectors = readVectors("crc32c.jsonl.gz");
  ASSERT_EQ(vectors.size(), 100U);
  for (const auto& vector : vectors) {
    const Bytes data = unhex(vector.at("hex").as_string());
    EXPECT_EQ(crc32c(data), vector.at("crc32c").to_number<std::uint32_t>());
  }
}

TEST(Crc32c, ContinuesOverPieces) {
  const Bytes data = "the quick brown fox jumps over the lazy dog";
  for (std::size_t cut = 0; cut <= data.size(); ++cut) {
    EXPECT_EQ(crc32c(crc32c(data.substr(0, cut)), data.substr(cut)), crc32c(data)) << cut;
  }
}

TEST(Murmur2, EqualsKafkasVectors) {
  const auto vectors = readVectors("murmur2.jsonl.gz");
  ASSERT_EQ(vectors.size(), 200U);
  for (const auto& vector : vectors) {
    const Bytes data = unhex(vector.at("hex").as_string());
    EXPECT_EQ(murmur2(data), vector.at("murmur2").to_number<std::int32_t>());
    EXPECT_EQ(partitionForKey(data, 7), vector.at("partition_of_7").to_number<std::int32_t>());
  }
}

TEST(JavaStringHash, CountsUtf16Units) {
  EXPECT_EQ(javaStringHash(""), 0);
  EXPECT_EQ(javaStringHash("a"), 97);
  EXPECT_EQ(javaStringHash("hello world"), 1794106052);
  EXPECT_EQ(javaStringHash("\xC3\xA9"), 0xE9);                          // one unit, U+00E9
  EXPECT_EQ(javaStringHash("\xF0\x9F\x98\x80"), 0xD83D * 31 + 0xDE00);  // two units, U+1F600
}

}  // namespace
}  // namespace millrace
