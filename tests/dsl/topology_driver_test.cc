#include "dsl/test_driver.h"

#include <boost/describe/class.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {

struct Order {
  std::string id, customer;
  double total = 0;
};
struct Revenue {
  std::int64_t count = 0;
  double total = 0;
  void add(const Order& order) {
    ++count;
    total += order.total;
  }
};
BOOST_DESCRIBE_STRUCT(Order, (), (id, customer, total))
BOOST_DESCRIBE_STRUCT(Revenue, (), (count, total))

namespace {

using std::chrono_literals::operator""min;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(StreamsBuilder, RekeyedJoinedAndWindowedRevenue) {
  StreamsBuilder builder;
  auto regions = builder.table<std::string, std::string>("regions");
  builder.stream<std::string, Order>("orders")
      .selectKey([](const std::string&, const Order& o) { return o.customer; })
      .leftJoin(regions,
                [](const Order& o, const std::string* region) {
                  return std::pair<std::string, Order>(region != nullptr ? *region : "?", o).second;
                })
      .groupBy([](const Order& o) { return o.customer; })
      .windowedBy(tumbling(1h, {.grace = 10min}))
      .aggregate(Revenue{}, [](const Order& o, Revenue& r) { r.add(o); }, {.store = "revenue"})
      .toStream()
      .to("hourly");
  TopologyTestDriver driver(builder.build());
  auto orders = driver.input<std::string, Order>("orders");
  auto out = driver.output<Windowed<std::string>, Revenue>(
      "hourly", std::make_shared<TimeWindowedSerde<std::string>>(1h));
  orders.pipe("o1", {.id = "o1", .customer = "ann", .total = 10}, at(0min));
  orders.pipe("o2", {.id = "o2", .customer = "ann", .total = 5}, at(59min));
  const Windowed<std::string> first{"ann", {0, at(1h)}};
  EXPECT_THAT(out.read(), ElementsAre(keyValue(first, Revenue{1, 10}, at(0min)),
                                      keyValue(first, Revenue{2, 15}, at(59min))));
  orders.pipe("o3", {.customer = "bob", .total = 1}, at(70min));
  orders.pipe("o4", {.customer = "ann", .total = 1}, at(30min));
  EXPECT_EQ(out.read().size(), 1U);
  EXPECT_EQ(driver.droppedRecords(), 1U);
  const auto store = driver.store<Windowed<std::string>, Revenue>("revenue");
  ASSERT_TRUE(store);
  EXPECT_EQ(store->get(first)->total, 15);
}

TEST(KStream, NullsReachOnlyLambdasThatTakeThem) {
  StreamsBuilder builder;
  auto shy = builder.stream<std::string, std::string>("in");
  shy.filter([](const std::string& v) { return !v.empty(); }).to("shy");
  shy.mapValues([](const std::string& v) { return v + "!"; }).to("mapped");
  KStream<std::optional<std::string>, std::optional<std::string>>(shy.state(), nullptr, nullptr)
      .mapValues([](const std::optional<std::string>& v) { return v.value_or("none"); })
      .to("bold");
  TopologyTestDriver driver(builder.build());
  using Null = std::optional<std::string>;
  auto in = driver.input<Null, Null>("in");
  auto shy_out = driver.output<Null, Null>("shy");
  auto mapped = driver.output<Null, Null>("mapped");
  auto bold = driver.output<Null, Null>("bold");
  in.pipe(std::nullopt, "v");
  in.pipe("k", std::nullopt);
  EXPECT_THAT(shy_out.read(), ElementsAre(keyValue(Null(), Null("v"))));
  EXPECT_THAT(mapped.read(),
              ElementsAre(keyValue(Null(), Null("v!")), keyValue(Null("k"), Null())));
  EXPECT_THAT(bold.read(),
              ElementsAre(keyValue(Null(), Null("v")), keyValue(Null("k"), Null("none"))));
  EXPECT_EQ(driver.droppedRecords(), 1U);
}

TEST(KTable, NulloptFromAnAggregatorDeletes) {
  StreamsBuilder builder;
  builder.stream<std::string, std::string>("in")
      .groupByKey()
      .aggregate(std::optional<std::string>("0"),
                 [](const std::string& v,
                    const std::optional<std::string>& a) -> std::optional<std::string> {
                   if (v == "del") return std::nullopt;
                   return a.value_or("") + v;
                 },
                 {.store = "s"})
      .toStream()
      .to("out");
  TopologyTestDriver driver(builder.build());
  using Null = std::optional<std::string>;
  auto in = driver.input<std::string, std::string>("in");
  auto out = driver.output<std::string, Null>("out");
  in.pipe("k", "a", 10);
  in.pipe("k", "del", 12);
  in.pipe("k", "b", 5);
  EXPECT_THAT(out.read(), ElementsAre(keyValue("k", Null("0a"), 10), keyValue("k", Null(), 12),
                                      keyValue("k", Null("0b"), 5)));
}

TEST(KTable, GroupBySubtractsBeforeItAdds) {
  StreamsBuilder builder;
  builder.table<std::string, std::string>("in")
      .groupBy(
          [](const std::string&, const std::string& v) { return std::pair(v.substr(0, 1), v); })
      .aggregate(
          std::string("0"), [](const std::string& v, std::string& a) { a += "+" + v; },
          [](const std::string& v, std::string& a) { a += "-" + v; })
      .toStream()
      .to("out");
  TopologyTestDriver driver(builder.build());
  auto in = driver.input<std::string, std::string>("in");
  auto out = driver.output<std::string, std::string>("out");
  in.pipe("k", "A1", 10);
  in.pipe("k", "A2", 5);
  in.pipe("k", "B1", 7);
  EXPECT_THAT(out.read(),
              ElementsAre(keyValue("A", "0+A1", 10), keyValue("A", "0+A1-A1+A2", 10),
                          keyValue("A", "0+A1-A1+A2-A2", 10), keyValue("B", "0+B1", 7)));
}

TEST(StreamsBuilder, TimestampExtractorAndBadRecords) {
  StreamsBuilder builder;
  builder
      .stream<std::string, std::int64_t>(
          "in",
          {.timestamp = [](const std::int64_t& v) { return v; }, .onBadRecord = OnBadRecord::kSkip})
      .to("out");
  TopologyTestDriver driver(builder.build());
  auto in = driver.input<std::string, std::int64_t>("in");
  auto out = driver.output<std::string, std::int64_t>("out");
  in.pipe("k", 77, 5);
  in.pipe("k", -1, 5);
  driver.pipe("in", {.key = "k", .value = "bad", .timestamp = 5});
  EXPECT_THAT(out.read(), ElementsAre(keyValue("k", 77, 77)));
  EXPECT_EQ(driver.droppedRecords(), 2U);
}

TEST(TopologyTestDriver, FailuresOfUserCodeAndBytesReachTheTest) {
  StreamsBuilder builder;
  builder.stream<std::string, std::int64_t>("in")
      .peek([](const std::int64_t& v) {
        if (v == 1) throw std::runtime_error("one");
      })
      .to("out");
  const Topology topology = builder.build();
  TopologyTestDriver thrower(topology);
  EXPECT_THROW((thrower.input<std::string, std::int64_t>("in").pipe("k", 1)), DriverError);
  TopologyTestDriver reader(topology);
  EXPECT_THROW(reader.pipe("in", {.key = "k", .value = "bad", .timestamp = 0}), DriverError);
  TopologyTestDriver other(topology);
  EXPECT_THROW(other.pipe("no-such-topic", {.timestamp = 0}), DriverError);
}

TEST(StreamsBuilder, MistakesAreNamedByBuild) {
  {
    StreamsBuilder builder;
    builder.stream<std::string, std::string>("in").filter([](const std::string&) { return true; },
                                                          {.name = "a/b"});
    EXPECT_THROW((void)builder.build(), TopologyError);
  }
  {
    StreamsBuilder builder;
    builder.stream<std::string, std::string>("in").groupByKey().windowedBy(tumbling(0ms)).count();
    const auto built = builder.tryBuild();
    ASSERT_FALSE(built);
    EXPECT_EQ(built.error().detail, "window size must be larger than zero");
  }
  {
    StreamsBuilder builder;
    builder.stream<std::string, std::string>("in");
    builder.stream<std::string, std::int64_t>("in");
    ASSERT_FALSE(builder.tryBuild());
  }
}

TEST(KStream, SplitSendsToTheFirstBranchThatMatches) {
  StreamsBuilder builder;
  auto branches = builder.stream<std::string, std::int64_t>("in")
                      .split({.name = "by-size-"})
                      .branch([](const std::int64_t& v) { return v > 10; }, {.name = "big"})
                      .branch([](const std::int64_t& v) { return v > 5; })
                      .defaultBranch({.name = "small"});
  ASSERT_EQ(branches.size(), 3U);
  branches.at("by-size-big").to("big");
  branches.at("by-size-2").to("middle");
  branches.at("by-size-small").to("small");
  TopologyTestDriver driver(builder.build());
  auto in = driver.input<std::string, std::int64_t>("in");
  auto big = driver.output<std::string, std::int64_t>("big");
  auto middle = driver.output<std::string, std::int64_t>("middle");
  auto small = driver.output<std::string, std::int64_t>("small");
  for (const std::int64_t v : {11, 6, 1}) in.pipe("k", v);
  EXPECT_THAT(big.read(), ElementsAre(keyValue("k", 11)));
  EXPECT_THAT(middle.read(), ElementsAre(keyValue("k", 6)));
  EXPECT_THAT(small.read(), ElementsAre(keyValue("k", 1)));
  EXPECT_THAT(big.read(), IsEmpty());
}

}  // namespace
}  // namespace millrace
