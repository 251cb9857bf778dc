// Recorded conversions of Kafka's JSON, string and byte array converters.
#include "connect/converter.h"
#include "connect/json_read.h"
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

int replay(const std::string& file) {
  int replayed = 0;
  for (const json::object& recorded : readCases(file)) {
    const std::string name(recorded.at("class").as_string());
    if (!isOurs(name)) continue;
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

TEST(JsonConverter, ConvertsAsKafkas) { EXPECT_EQ(replay("converter_json"), 1544); }

/// What a Decimal written as a JSON number reads as.
Result<Decimal> readDecimal(std::string_view number) {
  const JsonOptions options{
      .content = makeSchema({.type = SchemaType::kBytes, .name = std::string(kDecimal)})};
  MILLRACE_TRY(const SchemaAndValue read, readJson(number, options));
  return *read.value.as<Decimal>();
}

TEST(JsonConverter, NumbersKeepEveryDigitOfADecimal) {
  const std::vector<std::pair<std::string_view, Decimal>> cases{
      {"0", {"0", 0}},
      {"-17", {"-17", 0}},
      {"1.50", {"150", 2}},
      {"-0.00", {"0", 2}},
      {"0.10", {"10", 2}},
      {"1.5e3", {"15", -2}},
      {"25E-3", {"25", 3}},
      {"7e+2", {"7", -2}},
      {"18446744073709551615", {"18446744073709551615", 0}},
      {"12345678901234567890.12345678901234567890",
       {"1234567890123456789012345678901234567890", 20}}};
  for (const auto& [text, decimal] : cases) EXPECT_EQ(readDecimal(text), decimal) << text;
  EXPECT_FALSE(readDecimal("1e99999999999"));
  EXPECT_FALSE(readDecimal("1.5e-2147483648"));
}

TEST(JsonConverter, NumbersBeyondALongAreWhatJavaMakesOfThem) {
  const JsonOptions plain{.schemas = false};
  // BigInteger.longValue keeps the low 64 bits.
  EXPECT_EQ(*readJson("18446744073709551615", plain)->value.as<std::int64_t>(), -1);
  EXPECT_EQ(*readJson("-18446744073709551617", plain)->value.as<std::int64_t>(), -1);
  const JsonOptions real{.content = makeSchema({.type = SchemaType::kFloat64})};
  EXPECT_EQ(*readJson("18446744073709551615", real)->value.as<double>(), 18446744073709551615.0);
}

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
