#include "connect/json_read.h"

#include "connect/base64.h"

#include <boost/json/stream_parser.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace millrace::connect {

namespace {

namespace json = boost::json;

std::unexpected<Error> malformed(std::string problem) {
  return fail(Errc::kMalformed, std::move(problem));
}

Value plainValue(const json::value& node) {
  switch (node.kind()) {
    case json::kind::null: return {};
    case json::kind::bool_: return node.get_bool();
    case json::kind::int64: return node.get_int64();
    case json::kind::uint64: return static_cast<std::int64_t>(node.get_uint64());
    case json::kind::double_: return node.get_double() + 0.0;  // -0.0 is 0.0 to Kafka's reader
    case json::kind::string: return std::string_view(node.get_string());
    case json::kind::array: {
      List list;
      for (const json::value& item : node.get_array()) list.push_back(plainValue(item));
      return list;
    }
    case json::kind::object: {
      Map map;
      for (const auto& [key, item] : node.get_object()) {
        map.emplace_back(Value(std::string_view(key)), plainValue(item));
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
                         const JsonOptions& options);
Result<SchemaPtr> readSchema(const json::value& node, const JsonOptions& options);

Status readFields(const json::object& node, Schema& schema, const JsonOptions& options) {
  const json::value* const fields = node.if_contains("fields");
  if (fields == nullptr || !fields->is_array())
    return malformed("a struct schema needs its fields");
  for (const json::value& field : fields->get_array()) {
    if (!field.is_object()) return malformed("a field of a struct schema is no object");
    SchemaField entry{textOf(field.get_object(), "field"), nullptr};
    if (entry.name.empty()) return malformed("a field of a struct schema has no name");
    MILLRACE_TRY(entry.schema, readSchema(field, options));
    schema.fields.push_back(std::move(entry));
  }
  return {};
}

Result<SchemaPtr> readChild(const json::object& node, const char* name,
                            const JsonOptions& options) {
  const json::value* const child = node.if_contains(name);
  if (child == nullptr || child->is_null()) return malformed(std::string("no schema of ") + name);
  return readSchema(*child, options);
}

Status readChildren(const json::object& node, Schema& schema, const JsonOptions& options) {
  if (schema.type == SchemaType::kArray) {
    MILLRACE_TRY(schema.values, readChild(node, "items", options));
  } else if (schema.type == SchemaType::kMap) {
    MILLRACE_TRY(schema.keys, readChild(node, "keys", options));
    MILLRACE_TRY(schema.values, readChild(node, "values", options));
  } else if (schema.type == SchemaType::kStruct) {
    return readFields(node, schema, options);
  }
  return {};
}

Result<SchemaPtr> readSchema(const json::value& node, const JsonOptions& options) {
  if (node.is_null()) return SchemaPtr();
  if (!node.is_object()) return malformed("a schema is no object");
  const json::object& object = node.get_object();
  const std::optional<SchemaType> type = typeByName(textOf(object, "type"));
  if (!type) return malformed("a schema's type '" + textOf(object, "type") + "' is unknown");
  Schema schema{.type = *type};
  MILLRACE_CHECK_OK(readChildren(object, schema, options));
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
    MILLRACE_TRY(schema.default_value, typedValue(schema, nullptr, *fallback, options));
  }
  return makeSchema(std::move(schema));
}

/// Java's conversion of a JSON number to an integer type: cut off, then wrapped.
std::int64_t wholeNumber(const json::value& node) {
  if (node.is_int64()) return node.get_int64();
  if (node.is_uint64()) return static_cast<std::int64_t>(node.get_uint64());
  if (!node.is_double()) return 0;
  const double real = std::trunc(node.get_double());
  if (real >= 9.3e18) return INT64_MAX;
  if (real <= -9.3e18) return INT64_MIN;
  return static_cast<std::int64_t>(real);
}

double realNumber(const json::value& node) {
  return node.is_double() ? node.get_double() + 0.0 : static_cast<double>(wholeNumber(node));
}

/// A JSON number as the digits it was written with, as far as a double keeps them.
Decimal decimalOfNumber(const json::value& node) {
  if (!node.is_double()) return {std::to_string(wholeNumber(node)), 0};
  const std::string text = fmt::format("{:e}", node.get_double());  // shortest: "1.567e+00"
  const std::size_t e = text.find('e');
  std::string digits;
  std::int32_t scale = 0;
  for (const char c : text.substr(0, e)) {
    if (c != '.') digits += c;
  }
  while (digits.size() > 1 && digits.back() == '0') digits.pop_back();
  std::from_chars(text.data() + e + (text[e + 1] == '+' ? 2 : 1), text.data() + text.size(), scale);
  const auto significant = static_cast<std::int32_t>(digits.size() - (digits[0] == '-' ? 1 : 0));
  return {digits, significant - 1 - scale};
}

Result<Value> decimalValue(const Schema& schema, const json::value& node) {
  if (node.is_number()) return Value(decimalOfNumber(node));
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

Result<Value> listValue(const Schema& schema, const json::value& node, const JsonOptions& options) {
  if (!node.is_array()) return malformed("not an array");
  List list;
  for (const json::value& item : node.get_array()) {
    MILLRACE_TRY(Value value, typedValue(*schema.values, schema.values, item, options));
    list.push_back(std::move(value));
  }
  return Value(std::move(list));
}

/// An object, or where the keys are not texts an array of pairs.
Result<Value> mapValue(const Schema& schema, const json::value& node, const JsonOptions& options) {
  Map map;
  const bool names = schema.keys->type == SchemaType::kString;
  if (names) {
    if (!node.is_object()) return malformed("a map with text keys is an object");
    for (const auto& [key, item] : node.get_object()) {
      MILLRACE_TRY(Value value, typedValue(*schema.values, schema.values, item, options));
      map.emplace_back(Value(std::string_view(key)), std::move(value));
    }
    return Value(std::move(map));
  }
  if (!node.is_array()) return malformed("a map with keys that are no text is an array of pairs");
  for (const json::value& pair : node.get_array()) {
    if (!pair.is_array() || pair.get_array().size() != 2) {
      return malformed("an entry of a map is not a pair");
    }
    MILLRACE_TRY(Value key, typedValue(*schema.keys, schema.keys, pair.get_array()[0], options));
    MILLRACE_TRY(Value value,
                 typedValue(*schema.values, schema.values, pair.get_array()[1], options));
    map.emplace_back(std::move(key), std::move(value));
  }
  return Value(std::move(map));
}

Result<Value> structValue(const SchemaPtr& schema, const json::value& node,
                          const JsonOptions& options) {
  if (!node.is_object()) return malformed("a struct is no object");
  if (!schema) return malformed("a struct cannot be a default");
  Struct structure{.schema = schema, .fields = {}};
  static const json::value kNull;
  for (const SchemaField& field : schema->fields) {
    const json::value* const member = node.get_object().if_contains(field.name);
    MILLRACE_TRY(Value value, typedValue(*field.schema, field.schema,
                                         member != nullptr ? *member : kNull, options));
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

Result<Value> logicalValue(const Schema& schema, const json::value& node) {
  if (schema.name == kDecimal) return decimalValue(schema, node);
  if (!node.is_int64()) return malformed("a " + schema.name + " is a whole number");
  constexpr Millis kDayMs = 86'400'000;
  return Value(Instant{schema.name == kDate ? node.get_int64() * kDayMs : node.get_int64()});
}

Result<Value> typedValue(const Schema& schema, const SchemaPtr& owner, const json::value& node,
                         const JsonOptions& options) {
  if (node.is_null()) {
    if (!schema.default_value.isNull() && options.null_becomes_default) return schema.default_value;
    if (schema.optional) return Value();
    return malformed("null where the schema requires a value");
  }
  if (schema.name == kDecimal || schema.name == kDate || schema.name == kTime ||
      schema.name == kTimestamp) {
    return logicalValue(schema, node);
  }
  const std::int64_t whole = wholeNumber(node);
  switch (schema.type) {
    case SchemaType::kInt8: return Value(static_cast<std::int8_t>(whole));
    case SchemaType::kInt16: return Value(static_cast<std::int16_t>(whole));
    case SchemaType::kInt32: return Value(static_cast<std::int32_t>(whole));
    case SchemaType::kInt64: return Value(whole);
    case SchemaType::kFloat32: return Value(static_cast<float>(realNumber(node)));
    case SchemaType::kFloat64: return Value(realNumber(node));
    case SchemaType::kBoolean: return Value(node.is_bool() && node.get_bool());
    case SchemaType::kString:
      return node.is_string() ? Value(std::string_view(node.get_string())) : Value();
    case SchemaType::kBytes: return bytesValue(node);
    case SchemaType::kArray: return listValue(schema, node, options);
    case SchemaType::kMap: return mapValue(schema, node, options);
    case SchemaType::kStruct: return structValue(owner, node, options);
  }
  return malformed("the schema's type is unknown");
}

/// The first value of the text; nothing but blanks is null.
Result<json::value> parseFirst(BytesView text) {
  if (text.find_first_not_of(" \t\r\n") == BytesView::npos) return json::value(nullptr);
  json::stream_parser parser;
  json::error_code error;
  parser.write_some(text.data(), text.size(), error);
  if (!error && !parser.done()) parser.finish(error);
  if (error) return malformed("not JSON: " + error.message());
  return parser.release();
}

}  // namespace

Result<SchemaPtr> readJsonSchema(BytesView text, const JsonOptions& options) {
  MILLRACE_TRY(const json::value node, parseFirst(text));
  return readSchema(node, options);
}

Result<SchemaAndValue> readJson(BytesView text, const JsonOptions& options) {
  MILLRACE_TRY(const json::value node, parseFirst(text));
  if (!options.schemas) return SchemaAndValue{nullptr, plainValue(node)};
  if (options.content) {
    MILLRACE_TRY(Value value, typedValue(*options.content, options.content, node, options));
    return SchemaAndValue{options.content, std::move(value)};
  }
  const json::object* const envelope = node.if_object();
  if (envelope == nullptr || envelope->size() != 2 || !envelope->contains("schema") ||
      !envelope->contains("payload")) {
    return malformed(
        "with schemas.enable=true each value is an object of exactly \"schema\" and \"payload\"; "
        "for plain JSON set schemas.enable=false");
  }
  MILLRACE_TRY(SchemaPtr schema, readSchema(envelope->at("schema"), options));
  const json::value& payload = envelope->at("payload");
  if (!schema) return SchemaAndValue{nullptr, plainValue(payload)};
  MILLRACE_TRY(Value value, typedValue(*schema, schema, payload, options));
  return SchemaAndValue{std::move(schema), std::move(value)};
}

}  // namespace millrace::connect
