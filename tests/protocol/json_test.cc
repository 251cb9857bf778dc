#include "protocol/json.h"

#include "protocol/messages/fetch_request.h"
#include "protocol/messages/produce_request.h"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include <cmath>

namespace millrace::protocol {
namespace {

TEST(Json, PrintsOneLine) {
  ProduceRequest request{.acks = -1};
  request.topic_data.push_back(
      {.name = "t", .partition_data = {{.records = Records::borrow("xyz")}}});
  EXPECT_EQ(
      print(request, 3),
      R"(ProduceRequest{"transactionalId":null,"acks":-1,"timeoutMs":0,"topicData":[{"name":"t",)"
      R"("partitionData":[{"index":0,"records":"eHl6"}]}]})");
}

TEST(Json, NamesWhatIsWrong) {
  const auto problem = [](std::string_view text) {
    FetchRequest request;
    return fromJson(parseJson(text).value(), FetchRequest::info(), &request, 13).error().toString();
  };
  EXPECT_NE(problem(R"({"maxWaitMs":2147483648})").find("maxWaitMs: is out of range"),
            std::string::npos);
  EXPECT_NE(problem(R"({"maxWaitMs":1.5})").find("not an integer"), std::string::npos);
  EXPECT_NE(problem(R"({"topics":{}})").find("not an array"), std::string::npos);
  EXPECT_NE(problem(R"({"topics":[{"topic":"x"}]})").find("no field topic in version 13"),
            std::string::npos);
  EXPECT_NE(problem("[]").find("not an object"), std::string::npos);
}

TEST(ParseJson, KeepsNumbersExactly) {
  for (const double d :
       {0.1, 1.0E300, 4.9E-324, 1.7976931348623157E308, -1250.870826407019, 33.2961647319769}) {
    char text[40];
    std::snprintf(text, sizeof text, "%.17g", d);
    const auto json = parseJson(text);
    ASSERT_TRUE(json) << text;
    EXPECT_EQ(json->as_double(), d) << text;
  }
  EXPECT_EQ(parseJson("9223372036854775807")->as_int64(), std::numeric_limits<std::int64_t>::max());
  EXPECT_TRUE(std::signbit(parseJson("-0.0")->as_double()));
}

TEST(ParseJson, RefusesWhatIsNoJson) {
  EXPECT_FALSE(parseJson("{"));
  EXPECT_FALSE(parseJson("1 2"));
  EXPECT_FALSE(parseJson(""));
  EXPECT_FALSE(parseJson(std::string(100, '[')));
}

}  // namespace
}  // namespace millrace::protocol
