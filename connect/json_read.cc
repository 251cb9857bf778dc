#include "connect/json_read.h"

#include "base/base64.h"
#include "connect/big_integer.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_stack.hpp>

#include <charconv>
#include <cmath>
#include <limits>

namespace millrace::connect {

namespace {

namespace json = boost::json;

std::unexpected<Error> malformed(std::string problem) {
  return fail(Errc::kMalformed, std::move(problem));
}

/// A number that is no int64, as it was written: a Decimal needs each digit and its zeros.
struct Number {
  double real;
  std::string text;
};

/// A parsed text. A number of `numbers` stands in the tree as its place there, a uint64.
struct Document {
  json::value root;
  std::vector<Number> numbers;
};

/// What the readers below read from: the numbers of the document, and how.
struct Source {
  const JsonOptions& options;
  const std::vector<Number>& numbers;
  [[nodiscard]] const Number* number(const json::value& node) const {
    return node.is_uint64() ? &numbers[node.get_uint64()] : nullptr;
  }
};

/// Builds a Document from a parser's events. Member functions return whether to go on.
class DocumentHandler {
 public:
  static constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();
  // NOLINTBEGIN(readability-identifier-naming): the parser's names
  static constexpr std::size_t max_object_size = kNoLimit;
  static constexpr std::size_t max_array_size = kNoLimit;
  static constexpr std::size_t max_key_size = kNoLimit;
  static constexpr std::size_t max_string_size = kNoLimit;
  using Code = json::error_code;
  using Chars = json::string_view;

  DocumentHandler() { stack_.reset(); }
  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code&) { return true; }
  bool on_object_end(std::size_t n, Code&) {
    return did([&] { stack_.push_object(n); });
  }
  bool on_array_begin(Code&) { return true; }
  bool on_array_end(std::size_t n, Code&) {
    return did([&] { stack_.push_array(n); });
  }
  bool on_key_part(Chars s, std::size_t, Code&) {
    return did([&] { stack_.push_chars(s); });
  }
  bool on_key(Chars s, std::size_t, Code&) {
    return did([&] { stack_.push_key(s); });
  }
  bool on_string_part(Chars s, std::size_t, Code&) {
    return did([&] { stack_.push_chars(s); });
  }
  bool on_string(Chars s, std::size_t, Code&) {
    return did([&] { stack_.push_string(s); });
  }
  bool on_number_part(Chars s, Code&) {
    return did([&] { begun_.append(s.data(), s.size()); });
  }
  bool on_int64(std::int64_t i, Chars, Code&) {
    begun_.clear();
    return did([&] { stack_.push_int64(i); });
  }
  bool on_uint64(std::uint64_t u, Chars s, Code&) { return keep(static_cast<double>(u), s); }
  bool on_double(double d, Chars s, Code&) { return keep(d, s); }
  bool on_bool(bool b, Code&) {
    return did([&] { stack_.push_bool(b); });
  }
  bool on_null(Code&) {
    return did([&] { stack_.push_null(); });
  }
  bool on_comment_part(Chars, Code&) { return true; }
  bool on_comment(Chars, Code&) { return true; }
  // NOLINTEND(readability-identifier-naming)

  Document release() { return {stack_.release(), std::move(numbers_)}; }

 private:
  template <class F>
  static bool did(F push) {
    push();
    return true;
  }
  bool keep(double real, Chars rest) {
    begun_.append(rest.data(), rest.size());
    numbers_.push_back({real, std::exchange(begun_, {})});
    stack_.push_uint64(numbers_.size() - 1);
    return true;
  }

  json::value_stack stack_;
  std::vector<Number> numbers_;
  std::string begun_;  // the part of a number that has been seen
};

/// Java's conversion of a JSON number to an integer type: cut off, then wrapped.
std::int64_t wholeNumber(const Number& number) {
  if (number.text.find_first_of(".eE") == std::string::npos) {
    std::uint64_t whole = 0;
    for (const char c : number.text) {
      if (c != '-') whole = whole * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return static_cast<std::int64_t>(number.text[0] == '-' ? 0 - whole : whole);
  }
  const double real = std::trunc(number.real);
  if (real >= 9.3e18) return INT64_MAX;
  if (real <= -9.3e18) return INT64_MIN;
  return static_cast<std::int64_t>(real);
}

std::int64_t wholeNumber(const json::value& node, const Source& source) {
  if (node.is_int64()) return node.get_int64();
  const Number* const number = source.number(node);
  return number == nullptr ? 0 : wholeNumber(*number);
}

double realNumber(const json::value& node, const Source& source) {
  if (node.is_int64()) return static_cast<double>(node.get_int64());
  const Number* const number = source.number(node);
  return number == nullptr ? 0 : number->real + 0.0;  // -0.0 is 0.0 to Kafka's reader
}

Value plainNumber(const Number& number) {
  if (number.text.find_first_of(".eE") == std::string::npos) return wholeNumber(number);
  return number.real + 0.0;
}

Value plainValue(const json::value& node, const Source& source) {
  switch (node.kind()) {
    case json::kind::null: return {};
    case json::kind::bool_: return node.get_bool();
    case json::kind::int64: return node.get_int64();
    case json::kind::uint64: return plainNumber(*source.number(node));
    case json::kind::double_: break;  // none is made
    case json::kind::string: return std::string_view(node.get_string());
    case json::kind::array: {
      List list;
      for (const json::value& item : node.get_array()) list.push_back(plainValue(item, source));
      return list;
    }
    case json::kind::object: {
      Map map;
      for (const auto& [key, item] : node.get_object()) {
        map.emplace_back(Value(std::string_view(key)), plainValue(item, source));
      }
      return map;
    }
  }
  return {};
}

std::string textOf(const json::object& node, std::string_view name) {
  const json::value* const member = node.if_contains(name);
  return member != nullptr && member->is_string() ? std::string(member->get_string())
                                                  : std::string();
}

std::optional<SchemaType> typeByName(std::string_view name) {
  static const std::map<std::string_view, SchemaType> kTypes{
      {"int8", SchemaType::kInt8},       {"int16", SchemaType::kInt16},
      {"int32", SchemaType::kInt32},     {"int64", SchemaType::kInt64},
      {"float", SchemaType::kFloat32},   {"double", SchemaType::kFloat64},
      {"boolean", SchemaType::kBoolean}, {"string", SchemaType::kString},
      {"bytes", SchemaType::kBytes},     {"array", SchemaType::kArray},
      {"map", SchemaType::kMap},         {"struct", SchemaType::kStruct}};
  const auto found = kTypes.find(name);
  return found == kTypes.end() ? std::nullopt : std::optional(found->second);
}

Result<Value> typedValue(const Schema& schema, const SchemaPtr& owner, const json::value& node,
                         const Source& source);
Result<SchemaPtr> readSchema(const json::value& node, const Source& source);

Status readFields(const json::object& node, Schema& schema, const Source& source) {
  const json::value* const fields = node.if_contains("fields");
  if (fields == nullptr || !fields->is_array())
    return malformed("a struct schema needs its fields");
  for (const json::value& field : fields->get_array()) {
    if (!field.is_object()) return malformed("a field of a struct schema is no object");
    SchemaField entry{textOf(field.get_object(), "field"), nullptr};
    if (entry.name.empty()) return malformed("a field of a struct schema has no name");
    MILLRACE_TRY(entry.schema, readSchema(field, source));
    schema.fields.push_back(std::move(entry));
  }
  return {};
}

Result<SchemaPtr> readChild(const json::object& node, const char* name, const Source& source) {
  const json::value* const child = node.if_contains(name);
  if (child == nullptr || child->is_null()) return malformed(std::string("no schema of ") + name);
  return readSchema(*child, source);
}

Status readChildren(const json::object& node, Schema& schema, const Source& source) {
  if (schema.type == SchemaType::kArray) {
    MILLRACE_TRY(schema.values, readChild(node, "items", source));
  } else if (schema.type == SchemaType::kMap) {
    MILLRACE_TRY(schema.keys, readChild(node, "keys", source));
    MILLRACE_TRY(schema.values, readChild(node, "values", source));
  } else if (schema.type == SchemaType::kStruct) {
    return readFields(node, schema, source);
  }
  return {};
}

Result<SchemaPtr> readSchema(const json::value& node, const Source& source) {
  if (node.is_null()) return SchemaPtr();
  if (!node.is_object()) return malformed("a schema is no object");
  const json::object& object = node.get_object();
  const std::optional<SchemaType> type = typeByName(textOf(object, "type"));
  if (!type) return malformed("a schema's type '" + textOf(object, "type") + "' is unknown");
  Schema schema{.type = *type};
  MILLRACE_CHECK_OK(readChildren(object, schema, source));
  const json::value* const optional = object.if_contains("optional");
  schema.optional = optional != nullptr && optional->is_bool() && optional->get_bool();
  schema.name = textOf(object, "name");
  schema.doc = textOf(object, "doc");
  if (const json::value* version = object.if_contains("version"); version && version->is_int64()) {
    schema.version = static_cast<std::int32_t>(version->get_int64());
  }
  if (const json::value* params = object.if_contains("parameters"); params && params->is_object()) {
    for (const auto& [key, value] : params->get_object()) {
      if (!value.is_string()) return malformed("a schema's parameters are texts");
      schema.params.emplace_back(std::string(key), std::string(value.get_string()));
    }
  }
  const json::value* const fallback = object.if_contains("default");
  if (fallback != nullptr && !fallback->is_null()) {
    MILLRACE_TRY(schema.default_value, typedValue(schema, nullptr, *fallback, source));
  }
  return makeSchema(std::move(schema));
}

/// BigDecimal's reading of a number: "1.50" is 150 with scale 2. Errors: kMalformed where the scale
/// is out of range.
Result<Decimal> decimalOfText(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  std::int32_t exponent = 0;
  if (const auto e = text.find_first_of("eE"); e != std::string_view::npos) {
    const char* from = text.data() + e + 1;
    from += *from == '+' ? 1 : 0;
    const char* const end = text.data() + text.size();
    if (std::from_chars(from, end, exponent).ec != std::errc())
      return malformed("a Decimal's exponent is out of range");
    text = text.substr(0, e);
  }
  std::string digits;
  for (const char c : text) {
    if (c != '.' && (c != '0' || !digits.empty())) digits += c;
  }
  if (digits.empty()) digits = "0";
  const auto point = text.find('.');
  const std::size_t behind = point == std::string_view::npos ? 0 : text.size() - point - 1;
  const std::int64_t scale = static_cast<std::int64_t>(behind) - exponent;
  if (scale != static_cast<std::int32_t>(scale))
    return malformed("a Decimal's scale is out of range");
  return Decimal{negative && digits != "0" ? '-' + digits : digits,
                 static_cast<std::int32_t>(scale)};
}

Result<Value> decimalValue(const Schema& schema, const json::value& node, const Source& source) {
  if (node.is_int64()) return Value(Decimal{std::to_string(node.get_int64()), 0});
  if (const Number* const number = source.number(node); number != nullptr) {
    MILLRACE_TRY(Decimal decimal, decimalOfText(number->text));
    return Value(std::move(decimal));
  }
  if (!node.is_string()) return malformed("a Decimal is a number or base64 text");
  std::optional<std::int32_t> scale;
  for (const auto& [name, text] : schema.params) {
    if (name == "scale") {
      scale = 0;
      std::from_chars(text.data(), text.data() + text.size(), *scale);
    }
  }
  const auto bytes = fromBase64(std::string_view(node.get_string()));
  if (!bytes || !scale) return malformed("a Decimal is base64 text, and its schema has a scale");
  return Value(Decimal{bytesToInteger(*bytes), *scale});
}

Result<Value> listValue(const Schema& schema, const json::value& node, const Source& source) {
  if (!node.is_array()) return malformed("not an array");
  List list;
  for (const json::value& item : node.get_array()) {
    MILLRACE_TRY(Value value, typedValue(*schema.values, schema.values, item, source));
    list.push_back(std::move(value));
  }
  return Value(std::move(list));
}

/// An object, or where the keys are not texts an array of pairs.
Result<Value> mapValue(const Schema& schema, const json::value& node, const Source& source) {
  Map map;
  const bool names = schema.keys->type == SchemaType::kString;
  if (names) {
    if (!node.is_object()) return malformed("a map with text keys is an object");
    for (const auto& [key, item] : node.get_object()) {
      MILLRACE_TRY(Value value, typedValue(*schema.values, schema.values, item, source));
      map.emplace_back(Value(std::string_view(key)), std::move(value));
    }
    return Value(std::move(map));
  }
  if (!node.is_array()) return malformed("a map with keys that are no text is an array of pairs");
  for (const json::value& pair : node.get_array()) {
    if (!pair.is_array() || pair.get_array().size() != 2) {
      return malformed("an entry of a map is not a pair");
    }
    MILLRACE_TRY(Value key, typedValue(*schema.keys, schema.keys, pair.get_array()[0], source));
    MILLRACE_TRY(Value value,
                 typedValue(*schema.values, schema.values, pair.get_array()[1], source));
    map.emplace_back(std::move(key), std::move(value));
  }
  return Value(std::move(map));
}

Result<Value> structValue(const SchemaPtr& schema, const json::value& node, const Source& source) {
  if (!node.is_object()) return malformed("a struct is no object");
  if (!schema) return malformed("a struct cannot be a default");
  Struct structure{.schema = schema, .fields = {}};
  static const json::value kNull;
  for (const SchemaField& field : schema->fields) {
    const json::value* const member = node.get_object().if_contains(field.name);
    MILLRACE_TRY(Value value, typedValue(*field.schema, field.schema,
                                         member != nullptr ? *member : kNull, source));
    structure.fields.push_back(std::move(value));
  }
  return Value(std::move(structure));
}

Result<Value> bytesValue(const json::value& node) {
  if (!node.is_string()) return malformed("bytes are base64 text");
  auto bytes = fromBase64(std::string_view(node.get_string()));
  if (!bytes) return malformed("a bytes field is not base64");
  return Value(Blob{std::move(*bytes)});
}

Result<Value> logicalValue(const Schema& schema, const json::value& node, const Source& source) {
  if (schema.name == kDecimal) return decimalValue(schema, node, source);
  if (!node.is_int64()) return malformed("a " + schema.name + " is a whole number");
  constexpr Millis kDayMs = 86'400'000;
  return Value(Instant{schema.name == kDate ? node.get_int64() * kDayMs : node.get_int64()});
}

Result<Value> typedValue(const Schema& schema, const SchemaPtr& owner, const json::value& node,
                         const Source& source) {
  if (node.is_null()) {
    if (!schema.default_value.isNull() && source.options.null_becomes_default)
      return schema.default_value;
    if (schema.optional) return Value();
    return malformed("null where the schema requires a value");
  }
  if (schema.name == kDecimal || schema.name == kDate || schema.name == kTime ||
      schema.name == kTimestamp) {
    return logicalValue(schema, node, source);
  }
  const std::int64_t whole = wholeNumber(node, source);
  switch (schema.type) {
    case SchemaType::kInt8: return Value(static_cast<std::int8_t>(whole));
    case SchemaType::kInt16: return Value(static_cast<std::int16_t>(whole));
    case SchemaType::kInt32: return Value(static_cast<std::int32_t>(whole));
    case SchemaType::kInt64: return Value(whole);
    case SchemaType::kFloat32: return Value(static_cast<float>(realNumber(node, source)));
    case SchemaType::kFloat64: return Value(realNumber(node, source));
    case SchemaType::kBoolean: return Value(node.is_bool() && node.get_bool());
    case SchemaType::kString:
      return node.is_string() ? Value(std::string_view(node.get_string())) : Value();
    case SchemaType::kBytes: return bytesValue(node);
    case SchemaType::kArray: return listValue(schema, node, source);
    case SchemaType::kMap: return mapValue(schema, node, source);
    case SchemaType::kStruct: return structValue(owner, node, source);
  }
  return malformed("the schema's type is unknown");
}

/// The first value of the text; nothing but blanks is null.
Result<Document> parseFirst(BytesView text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == BytesView::npos) return Document{json::value(nullptr), {}};
  json::basic_parser<DocumentHandler> parser{json::parse_options{}};
  json::error_code error;
  parser.write_some(false, text.data(), text.size(), error);
  if (error) return malformed("not JSON: " + error.message());
  return parser.handler().release();
}

}  // namespace

Result<SchemaPtr> readJsonSchema(BytesView text, const JsonOptions& options) {
  MILLRACE_TRY(const Document document, parseFirst(text));
  return readSchema(document.root, {options, document.numbers});
}

Result<SchemaAndValue> readJson(BytesView text, const JsonOptions& options) {
  MILLRACE_TRY(const Document document, parseFirst(text));
  const Source source{options, document.numbers};
  const json::value& node = document.root;
  if (!options.schemas) return SchemaAndValue{nullptr, plainValue(node, source)};
  if (options.content) {
    MILLRACE_TRY(Value value, typedValue(*options.content, options.content, node, source));
    return SchemaAndValue{options.content, std::move(value)};
  }
  const json::object* const envelope = node.if_object();
  if (envelope == nullptr || envelope->size() != 2 || !envelope->contains("schema") ||
      !envelope->contains("payload")) {
    return malformed(
        "with schemas.enable=true each value is an object of exactly \"schema\" and \"payload\"; "
        "for plain JSON set schemas.enable=false");
  }
  MILLRACE_TRY(SchemaPtr schema, readSchema(envelope->at("schema"), source));
  const json::value& payload = envelope->at("payload");
  if (!schema) return SchemaAndValue{nullptr, plainValue(payload, source)};
  MILLRACE_TRY(Value value, typedValue(*schema, schema, payload, source));
  return SchemaAndValue{std::move(schema), std::move(value)};
}

}  // namespace millrace::connect
