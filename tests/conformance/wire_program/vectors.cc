#include "vectors.h"

#include <fmt/format.h>
#include <zlib.h>

#include <cstdio>
#include <memory>

namespace millrace::wire_check {

Status forEachLine(const std::string& path, const std::function<void(std::string_view)>& line) {
  // gzread reads plain files as they are.
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file) return fail(Errc::kIo, "cannot open " + path);
  std::string text;
  char buffer[1 << 16];
  int n = 0;
  while ((n = gzread(file.get(), buffer, sizeof buffer)) > 0) {
    text.append(buffer, static_cast<std::size_t>(n));
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      if (end > begin) line(std::string_view(text).substr(begin, end - begin));
    }
    text.erase(0, begin);
  }
  if (n < 0) return fail(Errc::kIo, path + ": " + gzerror(file.get(), &n));
  if (!text.empty()) line(text);
  return {};
}

void Tally::add(std::string_view file, std::size_t line, std::string_view name,
                const std::string& problem) {
  if (problem.empty()) {
    ++passed_;
    return;
  }
  ++failed_;
  fmt::print("FAIL {}:{} {}: {}\n", file, line, name, problem);
}

Result<std::string> fromHex(std::string_view hex) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (hex.size() % 2 != 0) return fail(Errc::kMalformed, "an odd number of hexadecimal digits");
  std::string out;
  out.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit(hex[i]);
    const int low = digit(hex[i + 1]);
    if (high < 0 || low < 0) return fail(Errc::kMalformed, "not hexadecimal digits");
    out += static_cast<char>(high << 4 | low);
  }
  return out;
}

std::string toHex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

Result<std::string_view> stringAt(const boost::json::object& vector, std::string_view name) {
  const auto* value = vector.if_contains(boost::json::string_view(name.data(), name.size()));
  if (value == nullptr || !value->is_string()) {
    return fail(Errc::kMalformed, fmt::format("the vector has no string \"{}\"", name));
  }
  return std::string_view(value->get_string().data(), value->get_string().size());
}

}  // namespace millrace::wire_check
