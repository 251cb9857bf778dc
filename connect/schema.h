// Connect's schemas. Header-only, as value.h.
#pragma once

#include "connect/value.h"

#include <map>
#include <string>
#include <vector>

namespace millrace::connect {

enum class SchemaType : std::uint8_t {
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFloat32,
  kFloat64,
  kBoolean,
  kString,
  kBytes,
  kArray,
  kMap,
  kStruct
};

struct SchemaField {
  std::string name;
  SchemaPtr schema;
};

/// Describes a value. Built once, then shared as SchemaPtr and not changed.
struct Schema {
  SchemaType type = SchemaType::kString;
  bool optional = false;
  std::string name = {};  ///< empty: none; logical types have one (kDecimal, ...)
  std::optional<std::int32_t> version = std::nullopt;
  std::string doc = {};
  std::vector<std::pair<std::string, std::string>> params = {};  ///< in their order
  Value default_value = {};
  SchemaPtr keys = {};    ///< of a map
  SchemaPtr values = {};  ///< of a map; items of an array
  std::vector<SchemaField> fields = {};
};

inline constexpr std::string_view kDecimal = "org.apache.kafka.connect.data.Decimal";
inline constexpr std::string_view kDate = "org.apache.kafka.connect.data.Date";
inline constexpr std::string_view kTime = "org.apache.kafka.connect.data.Time";
inline constexpr std::string_view kTimestamp = "org.apache.kafka.connect.data.Timestamp";

[[nodiscard]] inline SchemaPtr makeSchema(Schema schema) {
  return std::make_shared<const Schema>(std::move(schema));
}
[[nodiscard]] inline const SchemaPtr& stringSchema() {
  static const SchemaPtr kSchema = makeSchema({.type = SchemaType::kString});
  return kSchema;
}
[[nodiscard]] inline const SchemaPtr& optionalStringSchema() {
  static const SchemaPtr kSchema = makeSchema({.type = SchemaType::kString, .optional = true});
  return kSchema;
}
[[nodiscard]] inline const SchemaPtr& optionalBytesSchema() {
  static const SchemaPtr kSchema = makeSchema({.type = SchemaType::kBytes, .optional = true});
  return kSchema;
}

}  // namespace millrace::connect
