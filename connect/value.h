// Data between a connector and a converter: what Kafka Connect's runtime types can hold.
// Header-only, so that a plugin needs no library of ours.
#pragma once

#include "base/bytes.h"
#include "base/clock.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace millrace::connect {

struct Schema;
/// Schemas are immutable and shared. nullptr: no schema.
using SchemaPtr = std::shared_ptr<const Schema>;

class Value;
using List = std::vector<Value>;
/// Entries in the order they were put in; keys of any type.
using Map = std::vector<std::pair<Value, Value>>;

/// Bytes, as opposed to text.
struct Blob {
  Bytes bytes;
  friend bool operator==(const Blob&, const Blob&) = default;
};

/// unscaled * 10^-scale; `unscaled` is a decimal integer of any length ("-123").
struct Decimal {
  std::string unscaled;
  std::int32_t scale = 0;
  friend bool operator==(const Decimal&, const Decimal&) = default;
};

/// A point in time; the value of the logical types Date, Time and Timestamp.
struct Instant {
  Millis ms = 0;  ///< since 1970 UTC
  friend bool operator==(const Instant&, const Instant&) = default;
};

/// Values of a struct schema's fields, in its order.
struct Struct {
  SchemaPtr schema;
  std::vector<Value> fields;
};

/// One value of any type. Lists, maps and structs are shared and immutable: copying is cheap.
class Value {
 public:
  using Variant =
      std::variant<std::monostate, bool, std::int8_t, std::int16_t, std::int32_t, std::int64_t,
                   float, double, std::string, Blob, Decimal, Instant, std::shared_ptr<const List>,
                   std::shared_ptr<const Map>, std::shared_ptr<const Struct>>;

  Value() = default;                                    ///< null
  Value(bool v) : data_(v) {}                           // NOLINT(google-explicit-constructor)
  Value(std::int8_t v) : data_(v) {}                    // NOLINT(google-explicit-constructor)
  Value(std::int16_t v) : data_(v) {}                   // NOLINT(google-explicit-constructor)
  Value(std::int32_t v) : data_(v) {}                   // NOLINT(google-explicit-constructor)
  Value(std::int64_t v) : data_(v) {}                   // NOLINT(google-explicit-constructor)
  Value(float v) : data_(v) {}                          // NOLINT(google-explicit-constructor)
  Value(double v) : data_(v) {}                         // NOLINT(google-explicit-constructor)
  Value(std::string v) : data_(std::move(v)) {}         // NOLINT(google-explicit-constructor)
  Value(std::string_view v) : data_(std::string(v)) {}  // NOLINT(google-explicit-constructor)
  Value(const char* v) : data_(std::string(v)) {}       // NOLINT(google-explicit-constructor)
  Value(Blob v) : data_(std::move(v)) {}                // NOLINT(google-explicit-constructor)
  Value(Decimal v) : data_(std::move(v)) {}             // NOLINT(google-explicit-constructor)
  Value(Instant v) : data_(v) {}                        // NOLINT(google-explicit-constructor)
  Value(List v);                                        // NOLINT(google-explicit-constructor)
  Value(Map v);                                         // NOLINT(google-explicit-constructor)
  Value(Struct v);                                      // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool isNull() const { return std::holds_alternative<std::monostate>(data_); }
  /// nullptr where the value is of another type.
  template <class T>
  [[nodiscard]] const T* as() const {
    return std::get_if<T>(&data_);
  }
  [[nodiscard]] const List* list() const;
  [[nodiscard]] const Map* map() const;
  [[nodiscard]] const Struct* structure() const;
  /// The text, where it is one.
  [[nodiscard]] const std::string* text() const { return as<std::string>(); }
  /// Any of the four integer types.
  [[nodiscard]] std::optional<std::int64_t> integer() const;
  [[nodiscard]] const Variant& variant() const { return data_; }

 private:
  Variant data_;
};

inline Value::Value(List v) : data_(std::make_shared<const List>(std::move(v))) {}
inline Value::Value(Map v) : data_(std::make_shared<const Map>(std::move(v))) {}
inline Value::Value(Struct v) : data_(std::make_shared<const Struct>(std::move(v))) {}

inline const List* Value::list() const {
  const auto* p = as<std::shared_ptr<const List>>();
  return p != nullptr ? p->get() : nullptr;
}
inline const Map* Value::map() const {
  const auto* p = as<std::shared_ptr<const Map>>();
  return p != nullptr ? p->get() : nullptr;
}
inline const Struct* Value::structure() const {
  const auto* p = as<std::shared_ptr<const Struct>>();
  return p != nullptr ? p->get() : nullptr;
}
inline std::optional<std::int64_t> Value::integer() const {
  if (const auto* v = as<std::int64_t>()) return *v;
  if (const auto* v = as<std::int32_t>()) return *v;
  if (const auto* v = as<std::int16_t>()) return *v;
  if (const auto* v = as<std::int8_t>()) return *v;
  return std::nullopt;
}

/// Names with simple values: a source's partition ({"filename": ...}) and offset ({"position":
/// ...}).
using SourceMap = std::map<std::string, Value, std::less<>>;

}  // namespace millrace::connect
