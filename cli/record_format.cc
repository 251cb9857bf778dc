#include "cli/record_format.h"

#include "cli/output.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <iterator>

namespace millrace::cli {

namespace {

constexpr std::string_view kTokens = "tpoTdkvsKVSh";

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The character of the escape at text[i] (the backslash); moves i to its last character.
Result<char> escape(std::string_view text, std::size_t& i) {
  const char c = ++i < text.size() ? text[i] : '\0';
  switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case '\\': return '\\';
    case '0':
      if (i < text.size()) return '\0';
      break;
    case 'x':
      if (i + 2 < text.size() && hexDigit(text[i + 1]) >= 0 && hexDigit(text[i + 2]) >= 0) {
        i += 2;
        return static_cast<char>(hexDigit(text[i - 1]) << 4 | hexDigit(text[i]));
      }
      break;
    default: break;
  }
  return fail(Errc::kConfig, "a format's escapes are \\n \\r \\t \\0 \\\\ and \\xHH");
}

void appendSize(const std::optional<BytesView>& bytes, std::string& out) {
  out += bytes ? std::to_string(bytes->size()) : "-1";
}

}  // namespace

Result<RecordFormat> RecordFormat::parse(std::string_view text, std::string null_text) {
  RecordFormat format;
  format.null_text_ = std::move(null_text);
  std::string literal;
  const auto flush = [&] {
    if (!literal.empty()) format.parts_.push_back({0, std::exchange(literal, {})});
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      MILLRACE_TRY(const char c, escape(text, i));
      literal += c;
    } else if (text[i] != '%') {
      literal += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == '%') {
      literal += text[++i];
    } else if (i + 1 < text.size() && kTokens.find(text[i + 1]) != std::string_view::npos) {
      flush();
      format.parts_.push_back({text[++i], {}});
    } else {
      return fail(Errc::kConfig, "a format's tokens are %t %p %o %T %d %k %v %K %V %h and %%");
    }
  }
  flush();
  return format;
}

void RecordFormat::render(const PrintedRecord& record, std::string& out) const {
  const auto text = [&](const std::optional<BytesView>& bytes) {
    out += bytes ? *bytes : BytesView(null_text_);
  };
  for (const Part& part : parts_) {
    switch (part.token) {
      case 0: out += part.literal; break;
      case 't': out += record.topic; break;
      case 'p': fmt::format_to(std::back_inserter(out), "{}", record.partition); break;
      case 'o': fmt::format_to(std::back_inserter(out), "{}", record.offset); break;
      case 'T': fmt::format_to(std::back_inserter(out), "{}", record.timestamp); break;
      case 'd': out += record.timestamp < 0 ? null_text_ : isoTime(record.timestamp); break;
      case 'k': text(record.key); break;
      case 'v':
      case 's': text(record.value); break;
      case 'K': appendSize(record.key, out); break;
      case 'V':
      case 'S': appendSize(record.value, out); break;
      case 'h':
        for (std::size_t i = 0; i < record.headers.size(); ++i) {
          if (i > 0) out += ',';
          out += record.headers[i].key;
          out += '=';
          text(record.headers[i].value);
        }
        break;
      default: break;
    }
  }
}

void renderJson(const PrintedRecord& record, std::string& out) {
  boost::json::object json;
  json["topic"] = boost::json::string_view(record.topic.data(), record.topic.size());
  json["partition"] = record.partition;
  json["offset"] = record.offset;
  json["timestamp"] = record.timestamp;
  json["key"] = jsonText(record.key);
  json["value"] = jsonText(record.value);
  boost::json::array headers;
  for (const auto& header : record.headers) {
    headers.push_back(
        boost::json::object{{"key", jsonText(header.key)}, {"value", jsonText(header.value)}});
  }
  json["headers"] = std::move(headers);
  out += boost::json::serialize(json);
  out += '\n';
}

}  // namespace millrace::cli
