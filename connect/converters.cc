// The converters that come with the worker: JSON, text, bytes.
#include "base/config.h"
#include "connect/converter.h"
#include "connect/json_read.h"
#include "connect/json_text.h"
#include "connect/text_encoding.h"
#include "connect/value_text.h"

namespace millrace::connect {

namespace {

class StringConverter final : public Converter {
 public:
  explicit StringConverter(TextEncoding encoding) : encoding_(encoding) {}
  Result<std::optional<Bytes>> fromConnect(const SchemaPtr&, const Value& value) override {
    if (value.isNull()) return std::nullopt;
    if (encoding_ != TextEncoding::kUtf8) return encodeText(valueText(value), encoding_);
    if (const std::string* text = value.text()) return *text;
    return valueText(value);
  }
  Result<SchemaAndValue> toConnect(std::optional<BytesView> bytes) override {
    return SchemaAndValue{optionalStringSchema(),
                          bytes ? Value(decodeText(*bytes, encoding_)) : Value()};
  }

 private:
  TextEncoding encoding_;
};

Result<std::unique_ptr<Converter>> makeString(const Properties& config) {
  const auto given = config.find("converter.encoding");
  const std::string name = given == config.end() ? "UTF-8" : given->second;
  const std::optional<TextEncoding> encoding = textEncoding(name);
  if (!encoding) return fail(Errc::kConfig, "converter.encoding=" + name + " is not known");
  return std::make_unique<StringConverter>(*encoding);
}

class BytesConverter final : public Converter {
 public:
  Result<std::optional<Bytes>> fromConnect(const SchemaPtr& schema, const Value& value) override {
    if (schema && schema->type != SchemaType::kBytes) {
      return fail(Errc::kMalformed, "the byte array converter takes bytes only");
    }
    if (value.isNull()) return std::nullopt;
    const Blob* const blob = value.as<Blob>();
    if (blob == nullptr) {
      return fail(Errc::kMalformed, "the byte array converter takes bytes only");
    }
    return blob->bytes;
  }
  Result<SchemaAndValue> toConnect(std::optional<BytesView> bytes) override {
    return SchemaAndValue{optionalBytesSchema(), bytes ? Value(Blob{Bytes(*bytes)}) : Value()};
  }
};

class JsonConverter final : public Converter {
 public:
  explicit JsonConverter(JsonOptions options) : options_(std::move(options)) {}

  Result<std::optional<Bytes>> fromConnect(const SchemaPtr& schema, const Value& value) override {
    if (!schema && value.isNull()) return std::nullopt;
    std::string text;
    if (options_.schemas) {
      text = "{\"schema\":";
      MILLRACE_CHECK_OK(appendJsonSchema(schema, options_, text));
      text += ",\"payload\":";
    }
    MILLRACE_CHECK_OK(appendJson(schema, value, options_, text));
    if (options_.schemas) text += '}';
    return text;
  }

  Result<SchemaAndValue> toConnect(std::optional<BytesView> bytes) override {
    if (!bytes || (bytes->empty() && !options_.schemas)) return SchemaAndValue{};
    return readJson(*bytes, options_);
  }

 private:
  JsonOptions options_;
};

Result<std::unique_ptr<Converter>> makeJson(const Properties& given) {
  const ConfigDef* const def = configTable("converter JsonConverter");
  Properties properties = given;
  properties.try_emplace("converter.type", "value");
  MILLRACE_TRY(const Config config, Config::parse(*def, properties));
  JsonOptions options;
  options.schemas = config.getBool("schemas.enable");
  options.null_becomes_default = config.getBool("replace.null.with.default");
  const std::string& format = config.getString("decimal.format");
  if ((format.front() | 0x20) == 'n') options.decimals = DecimalFormat::kNumeric;
  const std::string& content = config.getString("schema.content");
  if (options.schemas && !content.empty()) {
    auto schema = readJsonSchema(content, options);
    if (!schema) return fail(Errc::kConfig, "schema.content: " + schema.error().detail);
    options.content = std::move(*schema);
  }
  return std::make_unique<JsonConverter>(std::move(options));
}

}  // namespace

Result<std::unique_ptr<Converter>> makeConverter(std::string_view name, const Properties& config) {
  std::string_view simple = name;
  if (const std::size_t dot = simple.rfind('.'); dot != std::string_view::npos) {
    simple.remove_prefix(dot + 1);
  }
  if (simple.ends_with("Converter")) simple.remove_suffix(9);
  if (simple == "Json") return makeJson(config);
  if (simple == "String") return makeString(config);
  if (simple == "ByteArray") return std::make_unique<BytesConverter>();
  return fail(Errc::kConfig, "there is no converter '" + std::string(name) +
                                 "'; there are JsonConverter, StringConverter, ByteArrayConverter");
}

}  // namespace millrace::connect
