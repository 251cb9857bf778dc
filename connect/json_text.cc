#include "connect/json_text.h"

#include "base/base64.h"
#include "base/java_real.h"
#include "connect/big_integer.h"
#include "connect/value_text.h"

#include <cmath>

namespace millrace::connect {

namespace {

std::unexpected<Error> mismatch(std::string_view wanted) {
  return fail(Errc::kMalformed, "the value is not of the schema's type " + std::string(wanted));
}

/// Not-a-number and infinities have no JSON form: they become text.
void appendReal(std::string text, bool finite, std::string& out) {
  out += finite ? std::move(text) : '"' + text + '"';
}

void appendDecimal(const Decimal& value, const JsonOptions& options, std::string& out) {
  if (options.decimals == DecimalFormat::kNumeric) {
    out += decimalPlainText(value);
  } else {
    appendJsonString(toBase64(integerToBytes(value.unscaled)), out);
  }
}

constexpr Millis kDayMs = 86'400'000;

Status appendInstant(std::string_view name, Instant value, std::string& out) {
  if (name == kDate) {
    const Millis days = value.ms / kDayMs - (value.ms % kDayMs < 0 ? 1 : 0);
    if (value.ms % kDayMs != 0) return fail(Errc::kMalformed, "a Date has no time of day");
    out += std::to_string(days);
  } else if (name == kTime && (value.ms < 0 || value.ms > kDayMs)) {
    return fail(Errc::kMalformed, "a Time lies within one day");
  } else {
    out += std::to_string(value.ms);
  }
  return {};
}

Status appendMapAsObject(const SchemaPtr& values, const Map& map, const JsonOptions& options,
                         std::string& out) {
  out += '{';
  bool first = true;
  for (const auto& [key, value] : map) {
    if (!first) out += ',';
    first = false;
    appendJsonString(key.text() != nullptr ? std::string_view(*key.text()) : "null", out);
    out += ':';
    MILLRACE_CHECK_OK(appendJson(values, value, options, out));
  }
  out += '}';
  return {};
}

Status appendMap(const SchemaPtr& schema, const Map& map, const JsonOptions& options,
                 std::string& out) {
  bool names = true;
  if (schema) {
    names = schema->keys && schema->keys->type == SchemaType::kString && !schema->keys->optional;
  } else {
    for (const auto& [key, value] : map) names = names && key.text() != nullptr;
  }
  const SchemaPtr values = schema ? schema->values : nullptr;
  if (names) return appendMapAsObject(values, map, options, out);
  out += '[';
  bool first = true;
  for (const auto& [key, value] : map) {
    out += first ? "[" : ",[";
    first = false;
    MILLRACE_CHECK_OK(appendJson(schema ? schema->keys : nullptr, key, options, out));
    out += ',';
    MILLRACE_CHECK_OK(appendJson(values, value, options, out));
    out += ']';
  }
  out += ']';
  return {};
}

Status appendList(const SchemaPtr& items, const List& list, const JsonOptions& options,
                  std::string& out) {
  out += '[';
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i > 0) out += ',';
    MILLRACE_CHECK_OK(appendJson(items, list[i], options, out));
  }
  out += ']';
  return {};
}

Status appendStruct(const Struct& value, const JsonOptions& options, std::string& out) {
  out += '{';
  for (std::size_t i = 0; i < value.fields.size(); ++i) {
    const SchemaField& field = value.schema->fields[i];
    if (i > 0) out += ',';
    appendJsonString(field.name, out);
    out += ':';
    MILLRACE_CHECK_OK(appendJson(field.schema, value.fields[i], options, out));
  }
  out += '}';
  return {};
}

struct JsonPrinter {
  const SchemaPtr& schema;
  const JsonOptions& options;
  std::string& out;

  Status operator()(std::monostate) const {
    out += "null";
    return {};
  }
  Status operator()(bool v) const {
    out += v ? "true" : "false";
    return {};
  }
  template <std::integral T>
  Status operator()(T v) const {
    out += std::to_string(static_cast<std::int64_t>(v));
    return {};
  }
  Status operator()(float v) const {
    appendReal(javaFloat(v), std::isfinite(v), out);
    return {};
  }
  Status operator()(double v) const {
    appendReal(javaDouble(v), std::isfinite(v), out);
    return {};
  }
  Status operator()(const std::string& v) const {
    appendJsonString(v, out);
    return {};
  }
  Status operator()(const Blob& v) const {
    appendJsonString(toBase64(v.bytes), out);
    return {};
  }
  Status operator()(const Decimal& v) const {
    if (!schema) return fail(Errc::kMalformed, "a Decimal needs its schema");
    appendDecimal(v, options, out);
    return {};
  }
  Status operator()(Instant v) const {
    if (!schema) return fail(Errc::kMalformed, "a point in time needs its schema");
    return appendInstant(schema->name, v, out);
  }
  Status operator()(const std::shared_ptr<const List>& v) const {
    return appendList(schema ? schema->values : nullptr, *v, options, out);
  }
  Status operator()(const std::shared_ptr<const Map>& v) const {
    return appendMap(schema, *v, options, out);
  }
  Status operator()(const std::shared_ptr<const Struct>& v) const {
    return appendStruct(*v, options, out);
  }
};

bool isLogical(const Schema& schema) {
  return schema.name == kDecimal || schema.name == kDate || schema.name == kTime ||
         schema.name == kTimestamp;
}

/// Whether a value's alternative is the one that a schema's type calls for.
bool fits(const Schema& schema, const Value& value) {
  if (schema.name == kDecimal) return value.as<Decimal>() != nullptr;
  if (isLogical(schema)) return value.as<Instant>() != nullptr;
  switch (schema.type) {
    case SchemaType::kInt8: return value.as<std::int8_t>() != nullptr;
    case SchemaType::kInt16: return value.as<std::int16_t>() != nullptr;
    case SchemaType::kInt32: return value.as<std::int32_t>() != nullptr;
    case SchemaType::kInt64: return value.as<std::int64_t>() != nullptr;
    case SchemaType::kFloat32: return value.as<float>() != nullptr;
    case SchemaType::kFloat64: return value.as<double>() != nullptr;
    case SchemaType::kBoolean: return value.as<bool>() != nullptr;
    case SchemaType::kString: return value.text() != nullptr;
    case SchemaType::kBytes: return value.as<Blob>() != nullptr;
    case SchemaType::kArray: return value.list() != nullptr;
    case SchemaType::kMap: return value.map() != nullptr;
    case SchemaType::kStruct: return value.structure() != nullptr;
  }
  return false;
}

std::string_view jsonTypeName(SchemaType type) {
  switch (type) {
    case SchemaType::kInt8: return "int8";
    case SchemaType::kInt16: return "int16";
    case SchemaType::kInt32: return "int32";
    case SchemaType::kInt64: return "int64";
    case SchemaType::kFloat32: return "float";
    case SchemaType::kFloat64: return "double";
    case SchemaType::kBoolean: return "boolean";
    case SchemaType::kString: return "string";
    case SchemaType::kBytes: return "bytes";
    case SchemaType::kArray: return "array";
    case SchemaType::kMap: return "map";
    case SchemaType::kStruct: return "struct";
  }
  return "";
}

Status appendChildren(const Schema& schema, const JsonOptions& options, std::string& out) {
  if (schema.type == SchemaType::kArray) {
    out += ",\"items\":";
    return appendJsonSchema(schema.values, options, out);
  }
  if (schema.type == SchemaType::kMap) {
    out += ",\"keys\":";
    MILLRACE_CHECK_OK(appendJsonSchema(schema.keys, options, out));
    out += ",\"values\":";
    return appendJsonSchema(schema.values, options, out);
  }
  if (schema.type != SchemaType::kStruct) return {};
  out += ",\"fields\":[";
  for (std::size_t i = 0; i < schema.fields.size(); ++i) {
    if (i > 0) out += ',';
    std::string field;
    MILLRACE_CHECK_OK(appendJsonSchema(schema.fields[i].schema, options, field));
    field.pop_back();
    out += field + ",\"field\":";
    appendJsonString(schema.fields[i].name, out);
    out += '}';
  }
  out += ']';
  return {};
}

void appendParams(const Schema& schema, std::string& out) {
  if (schema.params.empty()) return;
  out += ",\"parameters\":{";
  for (std::size_t i = 0; i < schema.params.size(); ++i) {
    if (i > 0) out += ',';
    appendJsonString(schema.params[i].first, out);
    out += ':';
    appendJsonString(schema.params[i].second, out);
  }
  out += '}';
}

}  // namespace

void appendJsonString(std::string_view text, std::string& out) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (c >= 0 && c < 0x20) {
          out += "\\u00";
          out += kHex[static_cast<std::size_t>(c) >> 4];
          out += kHex[static_cast<std::size_t>(c) & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

Status appendJson(const SchemaPtr& schema, const Value& value, const JsonOptions& options,
                  std::string& out) {
  if (value.isNull() && schema) {
    if (!schema->default_value.isNull() && options.null_becomes_default) {
      return appendJson(schema, schema->default_value, options, out);
    }
    if (!schema->optional) return fail(Errc::kMalformed, "null where the schema requires a value");
  } else if (schema && !fits(*schema, value)) {
    return mismatch(jsonTypeName(schema->type));
  }
  return std::visit(JsonPrinter{schema, options, out}, value.variant());
}

Status appendJsonSchema(const SchemaPtr& schema, const JsonOptions& options, std::string& out) {
  if (!schema) {
    out += "null";
    return {};
  }
  out += "{\"type\":\"";
  out += jsonTypeName(schema->type);
  out += '"';
  // The order of members is Kafka's: what belongs to the type first, then the annotations.
  MILLRACE_CHECK_OK(appendChildren(*schema, options, out));
  out += schema->optional ? ",\"optional\":true" : ",\"optional\":false";
  if (!schema->name.empty()) {
    out += ",\"name\":";
    appendJsonString(schema->name, out);
  }
  if (schema->version) out += ",\"version\":" + std::to_string(*schema->version);
  if (!schema->doc.empty()) {
    out += ",\"doc\":";
    appendJsonString(schema->doc, out);
  }
  appendParams(*schema, out);
  if (!schema->default_value.isNull()) {
    out += ",\"default\":";
    MILLRACE_CHECK_OK(appendJson(schema, schema->default_value, options, out));
  }
  out += '}';
  return {};
}

}  // namespace millrace::connect
