#include "protocol/json.h"

#include "base/base64.h"
#include "base/uuid.h"
#include "protocol/tables.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <limits>

namespace millrace::protocol {

namespace {

namespace json = boost::json;

json::string toJsonString(std::string_view s) { return json::string(s.data(), s.size()); }

template <class T>
const T& at(const void* p) {
  return *static_cast<const T*>(p);
}

json::object structToJson(const StructTable& table, const void* base, int version);

json::value scalarToJson(const FieldTable& f, const void* p, int version) {
  switch (f.type) {
    case FieldType::kBool: return at<bool>(p);
    case FieldType::kInt8: return at<std::int8_t>(p);
    case FieldType::kInt16: return at<std::int16_t>(p);
    case FieldType::kInt32: return at<std::int32_t>(p);
    case FieldType::kInt64: return at<std::int64_t>(p);
    case FieldType::kUint16: return at<std::uint16_t>(p);
    case FieldType::kUint32: return at<std::uint32_t>(p);
    case FieldType::kFloat64: return at<double>(p);
    case FieldType::kUuid: return toJsonString(at<Uuid>(p).toString());
    case FieldType::kString: return toJsonString(at<Text>(p).view());
    case FieldType::kBytes: return toJsonString(toBase64(at<Text>(p).view()));
    case FieldType::kRecords:
      if (at<Records>(p).isNull()) return nullptr;
      return toJsonString(toBase64(at<Records>(p).bytes()));
    case FieldType::kStruct: return structToJson(*f.table, p, version);
  }
  return nullptr;
}

/// The value inside a std::optional, or nullptr.
const void* inside(const FieldTable& f, const void* p) {
  // OptionalOps::get serves readers and writers alike; it changes nothing.
  return f.optional == nullptr ? p : f.optional->get(const_cast<void*>(p));
}

json::value fieldToJson(const FieldTable& f, const void* field, int version) {
  const void* p = inside(f, field);
  if (p == nullptr) return nullptr;
  if (f.array == nullptr) return scalarToJson(f, p, version);
  json::array out;
  const auto elements = f.array->view(p);
  for (std::size_t i = 0; i < elements.size(); i += f.array->stride) {
    out.push_back(scalarToJson(f, elements.data() + i, version));
  }
  return out;
}

bool structIsDefault(const StructTable& table, const void* base);

bool scalarIsDefault(const FieldTable& f, const void* p) {
  switch (f.type) {
    case FieldType::kBool: return at<bool>(p) == (f.default_number != 0);
    case FieldType::kInt8: return at<std::int8_t>(p) == f.default_number;
    case FieldType::kInt16: return at<std::int16_t>(p) == f.default_number;
    case FieldType::kInt32: return at<std::int32_t>(p) == f.default_number;
    case FieldType::kInt64: return at<std::int64_t>(p) == f.default_number;
    case FieldType::kUint16: return at<std::uint16_t>(p) == f.default_number;
    case FieldType::kUint32: return at<std::uint32_t>(p) == f.default_number;
    case FieldType::kFloat64: return at<double>(p) == static_cast<double>(f.default_number);
    case FieldType::kUuid: return at<Uuid>(p).isZero();
    case FieldType::kString:
    case FieldType::kBytes: return at<Text>(p).empty();
    case FieldType::kRecords: return at<Records>(p).size() == 0;
    case FieldType::kStruct: return structIsDefault(*f.table, p);
  }
  return false;
}

bool fieldIsDefault(const FieldTable& f, const void* field) {
  const void* p = inside(f, field);
  if (p == nullptr) return f.null_by_default;
  if (f.optional != nullptr && f.null_by_default) return false;
  return f.array != nullptr ? f.array->view(p).empty() : scalarIsDefault(f, p);
}

const void* shifted(const void* base, std::size_t offset) {
  return static_cast<const char*>(base) + offset;
}
void* shifted(void* base, std::size_t offset) { return static_cast<char*>(base) + offset; }

bool structIsDefault(const StructTable& table, const void* base) {
  for (const FieldTable& f : table.fields) {
    if (!fieldIsDefault(f, shifted(base, f.offset))) return false;
  }
  return table.unknown_tags < 0 ||
         at<UnknownTags>(shifted(base, static_cast<std::size_t>(table.unknown_tags))).empty();
}

json::object structToJson(const StructTable& table, const void* base, int version) {
  json::object out;
  for (const FieldTable& f : table.fields) {
    const void* p = shifted(base, f.offset);
    if (!f.in(version) || (f.tag >= 0 && fieldIsDefault(f, p))) continue;
    out.emplace(json::string_view(f.name.data(), f.name.size()), fieldToJson(f, p, version));
  }
  return out;
}

// --- from JSON ---

std::unexpected<Error> wrong(const FieldTable& f, std::string_view what) {
  return fail(Errc::kMalformed, fmt::format("{}: {}", f.name, what));
}

Status structFromJson(const json::value& json, const StructTable& table, void* base, int version);

template <class T>
Status integer(const FieldTable& f, const json::value& json, void* p) {
  std::int64_t v = 0;
  if (json.is_int64())
    v = json.get_int64();
  else
    return wrong(f, json.is_uint64() ? "is out of range" : "is not an integer");
  if (v < std::numeric_limits<T>::min() || v > std::numeric_limits<T>::max())
    return wrong(f, "is out of range");
  *static_cast<T*>(p) = static_cast<T>(v);
  return {};
}

Result<std::string_view> stringOf(const FieldTable& f, const json::value& json) {
  if (!json.is_string()) return wrong(f, "is not a string");
  return std::string_view(json.get_string().data(), json.get_string().size());
}

Status textual(const FieldTable& f, const json::value& json, void* p) {
  if (f.type == FieldType::kRecords && json.is_null()) {
    *static_cast<Records*>(p) = Records::null();
    return {};
  }
  MILLRACE_TRY(const std::string_view s, stringOf(f, json));
  if (f.type == FieldType::kString) {
    *static_cast<Text*>(p) = Text(s);
  } else if (f.type == FieldType::kUuid) {
    MILLRACE_TRY(*static_cast<Uuid*>(p), parseUuid(s));
  } else {
    MILLRACE_TRY(Bytes bytes, fromBase64(s));
    if (f.type == FieldType::kBytes)
      *static_cast<Text*>(p) = Text(bytes);
    else
      *static_cast<Records*>(p) = Records::own(std::move(bytes));
  }
  return {};
}

Status scalarFromJson(const FieldTable& f, const json::value& json, void* p, int version) {
  switch (f.type) {
    case FieldType::kBool:
      if (!json.is_bool()) return wrong(f, "is not true or false");
      *static_cast<bool*>(p) = json.get_bool();
      return {};
    case FieldType::kInt8: return integer<std::int8_t>(f, json, p);
    case FieldType::kInt16: return integer<std::int16_t>(f, json, p);
    case FieldType::kInt32: return integer<std::int32_t>(f, json, p);
    case FieldType::kInt64: return integer<std::int64_t>(f, json, p);
    case FieldType::kUint16: return integer<std::uint16_t>(f, json, p);
    case FieldType::kUint32: return integer<std::uint32_t>(f, json, p);
    case FieldType::kFloat64:
      if (!json.is_number()) return wrong(f, "is not a number");
      *static_cast<double*>(p) = json.to_number<double>();
      return {};
    case FieldType::kUuid:
    case FieldType::kString:
    case FieldType::kBytes:
    case FieldType::kRecords: return textual(f, json, p);
    case FieldType::kStruct: return structFromJson(json, *f.table, p, version);
  }
  return wrong(f, "has no type");
}

Status fieldFromJson(const FieldTable& f, const json::value& json, void* field, int version) {
  void* p = field;
  if (f.optional != nullptr) {
    if (json.is_null()) {
      f.optional->reset(p);
      return {};
    }
    p = f.optional->emplace(p);
  }
  if (f.array == nullptr) return scalarFromJson(f, json, p, version);
  if (!json.is_array()) return wrong(f, "is not an array");
  const json::array& elements = json.get_array();
  void* first = f.array->resize(p, elements.size());
  for (std::size_t i = 0; i < elements.size(); ++i) {
    MILLRACE_CHECK_OK(scalarFromJson(f, elements[i], shifted(first, i * f.array->stride), version));
  }
  return {};
}

const FieldTable* fieldOf(const StructTable& table, std::string_view name, int version) {
  for (const FieldTable& f : table.fields) {
    if (f.in(version) && f.name == name) return &f;
  }
  return nullptr;
}

Status structFromJson(const json::value& json, const StructTable& table, void* base, int version) {
  if (!json.is_object()) return fail(Errc::kMalformed, "a struct is not an object");
  for (const auto& member : json.get_object()) {
    const std::string_view name(member.key().data(), member.key().size());
    const FieldTable* f = fieldOf(table, name, version);
    if (f == nullptr)
      return fail(Errc::kMalformed,
                  fmt::format("there is no field {} in version {}", name, version));
    auto status = fieldFromJson(*f, member.value(), shifted(base, f->offset), version);
    if (!status) return status;
  }
  return {};
}

}  // namespace

json::value toJson(const MessageInfo& info, const void* message, std::int16_t version) {
  return structToJson(*info.table, message, version);
}

Status fromJson(const json::value& json, const MessageInfo& info, void* message,
                std::int16_t version) {
  return structFromJson(json, *info.table, message, version);
}

std::string print(const MessageInfo& info, const void* message, std::int16_t version) {
  return std::string(info.name) + json::serialize(toJson(info, message, version));
}

}  // namespace millrace::protocol
