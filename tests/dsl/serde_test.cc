#include "dsl/serde.h"

#include "base/uuid.h"

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace millrace {

enum class Colour { kRed, kGreen };
BOOST_DESCRIBE_ENUM(Colour, kRed, kGreen)

struct Line {
  std::string item;
  int count = 1;
};
BOOST_DESCRIBE_STRUCT(Line, (), (item, count))

struct Invoice {
  std::string id;
  double total = 0;
  bool paid = false;
  std::optional<std::int64_t> discount;
  std::vector<Line> lines;
  std::map<std::string, int> tags;
  Colour colour = Colour::kRed;
  std::chrono::system_clock::time_point due;
};
BOOST_DESCRIBE_STRUCT(Invoice, (), (id, total, paid, discount, lines, tags, colour, due))

namespace {

template <class T>
Bytes bytesOf(const T& value) {
  Bytes out;
  Serde<T>::serialize(value, out);
  return out;
}
template <class T>
T readBack(const Bytes& bytes) {
  T value{};
  const auto status = Serde<T>::deserialize(bytes, value);
  EXPECT_TRUE(status) << status.error().toString();
  return value;
}

TEST(Serde, NumbersAreBigEndianAsKafkas) {
  EXPECT_EQ(bytesOf<std::int32_t>(258), Bytes("\0\0\1\2", 4));
  EXPECT_EQ(bytesOf<std::int64_t>(-1), Bytes(8, '\xff'));
  EXPECT_EQ(bytesOf<double>(1.0), Bytes("\x3f\xf0\0\0\0\0\0\0", 8));
  EXPECT_EQ(readBack<std::int16_t>(bytesOf<std::int16_t>(-2)), -2);
  EXPECT_EQ(readBack<double>(bytesOf(0.25)), 0.25);
  EXPECT_TRUE(readBack<bool>(bytesOf(true)));
}

TEST(Serde, NumberOfWrongSizeIsAnError) {
  std::int64_t value = 0;
  const auto status = Serde<std::int64_t>::deserialize("1234", value);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Errc::kMalformed);
}

TEST(Serde, UuidIsThirtySixCharacters) {
  const Uuid uuid{.high = 0x0123456789abcdefULL, .low = 0xfedcba9876543210ULL};
  EXPECT_EQ(bytesOf(uuid), "01234567-89ab-cdef-fedc-ba9876543210");
  EXPECT_EQ(readBack<Uuid>(bytesOf(uuid)), uuid);
}

TEST(Serde, TimeIsMillisecondsSince1970) {
  const std::chrono::system_clock::time_point time{std::chrono::milliseconds(1500)};
  EXPECT_EQ(bytesOf(time), bytesOf<std::int64_t>(1500));
  EXPECT_EQ((readBack<std::chrono::system_clock::time_point>(bytesOf(time))), time);
}

TEST(Serde, WindowedKeyEndsWithItsStart) {
  const Windowed<std::string> key{"k", {16, 26}};
  EXPECT_EQ(bytesOf(key), Bytes("k\0\0\0\0\0\0\0\x10", 9));
  const TimeWindowedSerde<std::string> serde{Duration(10)};
  Windowed<std::string> back;
  ASSERT_TRUE(serde.deserialize(bytesOf(key), back));
  EXPECT_EQ(back, key);
}

TEST(JsonSerde, DescribedStructGoesThereAndBack) {
  Invoice invoice{.id = "a\"b\n", .total = 12.5, .paid = true, .discount = 3};
  invoice.lines = {{"x", 2}, {"y", 1}};
  invoice.tags = {{"t", 7}};
  invoice.colour = Colour::kGreen;
  invoice.due = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'357'016'400'000));
  const Bytes text = toJson(invoice);
  EXPECT_EQ(text,
            "{\"id\":\"a\\\"b\\n\",\"total\":12.5,\"paid\":true,\"discount\":3,\"lines\":[{"
            "\"item\":\"x\",\"count\":2},"
            "{\"item\":\"y\",\"count\":1}],\"tags\":{\"t\":7},\"colour\":\"kGreen\",\"due\":\"2013-"
            "01-01T05:00:00Z\"}");
  const auto back = fromJson<Invoice>(text);
  ASSERT_TRUE(back) << back.error().toString();
  EXPECT_EQ(toJson(*back), text);
}

TEST(JsonSerde, MissingMembersKeepDefaultsAndUnknownOnesAreIgnored) {
  const auto line = fromJson<Line>("{\"item\":\"z\",\"new\":[1,2]}");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->item, "z");
  EXPECT_EQ(line->count, 1);
}

TEST(JsonSerde, WrongTypeNamesTheMember) {
  const auto invoice = fromJson<Invoice>("{\"lines\":[{\"item\":\"x\",\"count\":\"many\"}]}");
  ASSERT_FALSE(invoice);
  EXPECT_EQ(invoice.error().detail, "lines: count: expected an integer of its size");
  EXPECT_FALSE(fromJson<Line>("{\"item\":"));
  EXPECT_FALSE(fromJson<Line>("{\"item\":\"x\",\"count\":99999999999}"));
}

TEST(JsonSerde, NullIsAnErrorUnlessOptional) {
  EXPECT_FALSE(fromJson<Line>("{\"item\":null}"));
  const auto invoice = fromJson<Invoice>("{\"discount\":null}");
  ASSERT_TRUE(invoice);
  EXPECT_FALSE(invoice->discount);
}

TEST(JsonSerde, TimesWithFractionsAndBlanksAreRead) {
  const auto ms = [](const char* text) {
    const auto invoice = fromJson<Invoice>("{\"due\":\"" + std::string(text) + "\"}");
    return invoice ? at(invoice->due) : -1;
  };
  EXPECT_EQ(ms("1970-01-01T00:00:01.250Z"), 1250);
  EXPECT_EQ(ms("1970-01-02 00:00:00"), 86'400'000);
  EXPECT_EQ(ms("1970-13-02T00:00:00Z"), -1);
  EXPECT_EQ(ms("soon"), -1);
}

}  // namespace
}  // namespace millrace
