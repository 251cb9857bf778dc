#include "tests/record/support/vectors.h"

#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <zlib.h>

#include <stdexcept>

namespace millrace::record::test {

std::vector<boost::json::object> loadVectors(const std::string& name) {
  const std::string path = std::string(MILLRACE_SOURCE_DIR) + "/tests/data/" + name;
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) throw std::runtime_error("no vectors at " + path);
  std::string text;
  char chunk[1 << 16];
  for (int n = 0; (n = gzread(file, chunk, sizeof chunk)) > 0;)
    text.append(chunk, static_cast<std::size_t>(n));
  gzclose(file);
  std::vector<boost::json::object> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(boost::json::parse(text.substr(at, end - at)).as_object());
    at = end + 1;
  }
  return lines;
}

Bytes fromHex(std::string_view hex) {
  Bytes out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return out;
}

std::string toHex(BytesView bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

}  // namespace millrace::record::test
