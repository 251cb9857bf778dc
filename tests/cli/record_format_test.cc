#include "cli/record_format.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

std::string render(std::string_view format, const PrintedRecord& record,
                   std::string null_text = "") {
  const auto parsed = RecordFormat::parse(format, std::move(null_text));
  if (!parsed) return parsed.error().detail;
  std::string out;
  parsed->render(record, out);
  return out;
}

const PrintedRecord kRecord{.topic = "orders",
                            .partition = 3,
                            .offset = 42,
                            .timestamp = 1'700'000'000'123,
                            .key = "k",
                            .value = "value",
                            .headers = {{"a", "1"}, {"b", std::nullopt}}};

TEST(RecordFormat, KnowsEveryToken) {
  EXPECT_EQ(render("%t %p %o %T %d %k %v %s %K %V %S", kRecord),
            "orders 3 42 1700000000123 2023-11-14T22:13:20.123Z k value value 1 5 5");
  EXPECT_EQ(render("%h", kRecord, "-"), "a=1,b=-");
}

TEST(RecordFormat, ShowsNullAsTold) {
  const PrintedRecord tombstone{.topic = "t"};
  EXPECT_EQ(render("[%k][%v] %K %V %d", tombstone, "NULL"), "[NULL][NULL] -1 -1 NULL");
  EXPECT_EQ(render("[%k]", tombstone), "[]");
}

TEST(RecordFormat, UnderstandsEscapes) {
  EXPECT_EQ(render(R"(100%%\t\\\x41\n)", kRecord), "100%\t\\A\n");
  EXPECT_EQ(render(R"(\0)", kRecord), std::string(1, '\0'));
}

TEST(RecordFormat, RefusesWhatItDoesNotKnow) {
  for (const char* format : {"%q", "%", "\\", "\\x4", "\\q"})
    EXPECT_FALSE(RecordFormat::parse(format, "")) << format;
}

TEST(RenderJson, KeepsBytesThatAreNoText) {
  const PrintedRecord record{.topic = "t", .key = "\xff\x01", .value = "gr\u00f6\u00dfe"};
  std::string out;
  renderJson(record, out);
  EXPECT_EQ(out,
            "{\"topic\":\"t\",\"partition\":0,\"offset\":0,\"timestamp\":-1,\"key\":{\"base64\":\"/"
            "wE=\"},"
            "\"value\":\"gr\u00f6\u00dfe\",\"headers\":[]}\n");
}

}  // namespace
}  // namespace millrace::cli
