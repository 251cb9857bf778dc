#include "cli/dump/printer.h"

#include <boost/json/serialize.hpp>

#include <cctype>

namespace millrace::cli {

void Printer::object(std::string_view kind, const boost::json::object& fields) const {
  boost::json::object line{{"file", file_},
                           {"kind", boost::json::string_view(kind.data(), kind.size())}};
  for (const auto& field : fields) line.insert(field);
  sink_(boost::json::serialize(line));
}

void Printer::entry(std::string_view kind, const boost::json::object& fields) const {
  if (json_) return object(kind, fields);
  std::string line = "  ";
  for (const auto& [name, value] : fields) {
    if (line.size() > 2) line += "  ";
    for (const char c : name) {
      if (std::isupper(static_cast<unsigned char>(c)) != 0) line += ' ';
      line += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    line += ' ';
    line += value.is_string() ? std::string(value.get_string()) : boost::json::serialize(value);
  }
  sink_(line);
}

}  // namespace millrace::cli
