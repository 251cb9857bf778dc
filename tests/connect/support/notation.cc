#include "tests/connect/support/notation.h"

#include "base/base64.h"
#include "base/java_real.h"
#include "connect/value_text.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

namespace millrace::connect::testing {

namespace json = boost::json;

std::vector<json::object> readCases(const std::string& name) {
  const std::string path =
      std::string(MILLRACE_SOURCE_DIR) + "/tests/data/connect/" + name + ".jsonl.gz";
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return {};
  std::string text;
  std::vector<char> buffer(1 << 16);
  for (int n = 0; (n = gzread(file, buffer.data(), static_cast<unsigned>(buffer.size()))) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  gzclose(file);
  std::vector<json::object> cases;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    cases.push_back(json::parse(line).as_object());
  }
  return cases;
}

namespace {

SchemaType typeOf(std::string_view name) {
  static constexpr std::string_view kNames[] = {"int8",    "int16",   "int32",   "int64",
                                                "float32", "float64", "boolean", "string",
                                                "bytes",   "array",   "map",     "struct"};
  return static_cast<SchemaType>(std::ranges::find(kNames, name) - std::begin(kNames));
}

std::string textAt(const json::object& node, std::string_view name) {
  const json::value* v = node.if_contains(name);
  return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string();
}

double realOf(const json::string& text) {
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  return std::stod(std::string(text));
}

float floatOf(const json::string& text) {
  if (text == "NaN" || text.find("Infinity") != json::string::npos) {
    return static_cast<float>(realOf(text));
  }
  return std::stof(std::string(text));
}

Decimal decimalOf(std::string_view text) {  // "123e-2"
  const std::size_t e = text.find('e');
  return {std::string(text.substr(0, e)), -std::stoi(std::string(text.substr(e + 1)))};
}

Value structOf(const json::object& node, const SchemaPtr& schema) {
  Struct structure{.schema = schema, .fields = {}};
  for (const SchemaField& field : schema->fields) {
    structure.fields.push_back(valueOf(node.at(field.name), field.schema));
  }
  return Value(std::move(structure));
}

}  // namespace

SchemaPtr schemaOf(const json::value& node) {
  if (node.is_null()) return nullptr;
  const json::object& object = node.as_object();
  Schema schema{.type = typeOf(textAt(object, "type"))};
  schema.optional = object.contains("optional") && object.at("optional").as_bool();
  schema.name = textAt(object, "name");
  schema.doc = textAt(object, "doc");
  if (object.contains("version")) schema.version = object.at("version").to_number<int>();
  if (object.contains("params")) {
    for (const auto& [key, value] : object.at("params").as_object()) {
      schema.params.emplace_back(std::string(key), std::string(value.as_string()));
    }
  }
  if (object.contains("keys")) schema.keys = schemaOf(object.at("keys"));
  if (object.contains("values")) schema.values = schemaOf(object.at("values"));
  if (object.contains("items")) schema.values = schemaOf(object.at("items"));
  if (object.contains("fields")) {
    for (const json::value& field : object.at("fields").as_array()) {
      schema.fields.push_back(
          {textAt(field.as_object(), "name"), schemaOf(field.as_object().at("schema"))});
    }
  }
  if (object.contains("default")) {
    schema.default_value = valueOf(object.at("default"), makeSchema(schema));
  }
  return makeSchema(std::move(schema));
}

Value valueOf(const json::value& node, const SchemaPtr& schema) {
  if (node.is_null()) return {};
  if (node.is_bool()) return node.get_bool();
  if (node.is_string()) return std::string_view(node.get_string());
  const auto& [kind, inner] = *node.as_object().begin();
  if (kind == "i8") return inner.to_number<std::int8_t>();
  if (kind == "i16") return inner.to_number<std::int16_t>();
  if (kind == "i32") return inner.to_number<std::int32_t>();
  if (kind == "i64") return inner.to_number<std::int64_t>();
  if (kind == "f32") return floatOf(inner.as_string());
  if (kind == "f64") return realOf(inner.as_string());
  if (kind == "bytes") return Blob{*fromBase64(std::string_view(inner.as_string()))};
  if (kind == "dec") return decimalOf(std::string_view(inner.as_string()));
  if (kind == "date") return Instant{inner.to_number<std::int64_t>()};
  if (kind == "struct") return structOf(inner.as_object(), schema);
  if (kind == "list") {
    List list;
    for (const json::value& item : inner.as_array()) {
      list.push_back(valueOf(item, schema ? schema->values : nullptr));
    }
    return list;
  }
  Map map;
  for (const json::value& pair : inner.as_array()) {
    map.emplace_back(valueOf(pair.as_array()[0], schema ? schema->keys : nullptr),
                     valueOf(pair.as_array()[1], schema ? schema->values : nullptr));
  }
  return map;
}

std::optional<Bytes> bytesOf(const json::object& node) {
  if (node.contains("base64")) {
    return fromBase64(std::string_view(node.at("base64").as_string())).value();
  }
  if (!node.contains("text") || node.at("text").is_null()) return std::nullopt;
  return Bytes(node.at("text").as_string());
}

namespace {

struct Writer {
  std::string operator()(std::monostate) const { return "null"; }
  std::string operator()(bool v) const { return v ? "true" : "false"; }
  std::string operator()(std::int8_t v) const { return "i8:" + std::to_string(v); }
  std::string operator()(std::int16_t v) const { return "i16:" + std::to_string(v); }
  std::string operator()(std::int32_t v) const { return "i32:" + std::to_string(v); }
  std::string operator()(std::int64_t v) const { return "i64:" + std::to_string(v); }
  std::string operator()(float v) const { return "f32:" + javaFloat(v); }
  std::string operator()(double v) const { return "f64:" + javaDouble(v); }
  std::string operator()(const std::string& v) const { return "\"" + v + "\""; }
  std::string operator()(const Blob& v) const { return "bytes:" + toBase64(v.bytes); }
  std::string operator()(const Decimal& v) const {
    return "dec:" + v.unscaled + "e" + std::to_string(-v.scale);
  }
  std::string operator()(Instant v) const { return "date:" + std::to_string(v.ms); }
  std::string operator()(const std::shared_ptr<const List>& v) const {
    std::string text = "[";
    for (const Value& item : *v) text += notationOf(item) + ",";
    return text + "]";
  }
  std::string operator()(const std::shared_ptr<const Map>& v) const {
    std::map<std::string, std::string> entries;
    for (const auto& [key, value] : *v) entries[notationOf(key)] = notationOf(value);
    std::string text = "{";
    for (const auto& [key, value] : entries) text += key + "=" + value + ",";
    return text + "}";
  }
  std::string operator()(const std::shared_ptr<const Struct>& v) const {
    std::string text = "struct{";
    for (std::size_t i = 0; i < v->fields.size(); ++i) {
      text += v->schema->fields[i].name + "=" + notationOf(v->fields[i]) + ",";
    }
    return text + "}";
  }
};

}  // namespace

std::string notationOf(const Value& value) { return std::visit(Writer{}, value.variant()); }

std::string notationOf(const SchemaPtr& schema) {
  if (!schema) return "none";
  std::map<std::string, std::string> params(schema->params.begin(), schema->params.end());
  std::string text = std::to_string(static_cast<int>(schema->type)) +
                     (schema->optional ? "? " : " ") + schema->name + "/" +
                     (schema->version ? std::to_string(*schema->version) : "-") + "/" +
                     schema->doc + "/" + notationOf(schema->default_value);
  for (const auto& [key, value] : params) text += " " + key + "=" + value;
  if (schema->keys) text += " keys(" + notationOf(schema->keys) + ")";
  if (schema->values) text += " values(" + notationOf(schema->values) + ")";
  for (const SchemaField& field : schema->fields) {
    text += " " + field.name + "(" + notationOf(field.schema) + ")";
  }
  return text;
}

TestSettings::TestSettings(const std::vector<ConfigKey>& keys, const Properties& given) {
  ConfigDef def;
  for (const ConfigKey& key : keys) def.merge(ConfigDef({key}));
  auto parsed = Config::parse(def, given);
  EXPECT_TRUE(parsed.has_value()) << parsed.error().detail;
  if (parsed) config_ = *parsed;
}

const ConfigValue& TestSettings::get(std::string_view key) const { return config_.get(key); }

void writeFile(const std::string& path, BytesView content) {
  // In place, as an editor's truncation does: a reader keeps the same inode.
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}
void appendFile(const std::string& path, BytesView content) {
  std::ofstream(path, std::ios::binary | std::ios::app) << content;
}
Bytes readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return std::move(content).str();
}

}  // namespace millrace::connect::testing
