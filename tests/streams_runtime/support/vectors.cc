#include "tests/streams_runtime/support/vectors.h"

#include "base/assert.h"

#include <zlib.h>

#include <sstream>

namespace millrace::testing {

std::vector<boost::json::value> readVectors(const std::string& path) {
  const std::string full = std::string(MILLRACE_SOURCE_DIR) + "/tests/data/" + path;
  gzFile file = gzopen(full.c_str(), "rb");
  MILLRACE_ASSERT(file != nullptr, full);
  std::string content;
  std::string buffer(1 << 16, '\0');
  for (int n = 1; n > 0;) {
    n = gzread(file, buffer.data(), static_cast<unsigned>(buffer.size()));
    MILLRACE_ASSERT(n >= 0, full);
    content.append(buffer, 0, static_cast<std::size_t>(n));
  }
  gzclose(file);
  std::vector<boost::json::value> values;
  std::istringstream lines(content);
  for (std::string line; std::getline(lines, line);) values.push_back(boost::json::parse(line));
  return values;
}

std::string fromHex(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return out;
}

std::string toHex(std::string_view bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto b = static_cast<unsigned char>(c);
    out.push_back(kDigits[b >> 4]);
    out.push_back(kDigits[b & 15]);
  }
  return out;
}

}  // namespace millrace::testing
