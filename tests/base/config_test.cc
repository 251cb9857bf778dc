#include "base/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Config mustParse(const ConfigDef& def, const Properties& given) {
  auto parsed = Config::parse(def, given);
  EXPECT_TRUE(parsed.has_value()) << parsed.error().detail;
  return parsed ? *parsed : Config();
}

std::string problem(const ConfigDef& def, const Properties& given) {
  const auto parsed = Config::parse(def, given);
  if (parsed) return "";
  EXPECT_EQ(parsed.error().code, Errc::kConfig);
  return parsed.error().detail;
}

Properties producer(const std::string& key, const std::string& value) {
  return {{"bootstrap.servers", "a:1"},
          {"key.serializer", "s"},
          {"value.serializer", "s"},
          {key, value}};
}

TEST(Config, DefaultsHaveTheirTypes) {
  const Config config = mustParse(producerConfigDef(), producer("acks", "1"));
  EXPECT_EQ(config.getString("acks"), "1");
  EXPECT_EQ(config.getLong("linger.ms"), 5);
  EXPECT_EQ(config.getInt("batch.size"), 16384);
  EXPECT_TRUE(config.getBool("enable.idempotence"));
  EXPECT_FALSE(config.isSet("enable.idempotence"));
  EXPECT_TRUE(config.isSet("acks"));
  EXPECT_THAT(config.getList("bootstrap.servers"), ElementsAre("a:1"));
  EXPECT_TRUE(config.isNull("transactional.id"));
  EXPECT_EQ(config.getString("transactional.id"), "");
}

TEST(Config, EveryDefaultOfEveryTablePassesItsOwnRule) {
  for (const char* table :
       {"broker", "topic", "group", "producer", "consumer", "admin", "streams",
        "connect standalone", "connect distributed", "connect source", "connect sink",
        "file source", "converter JsonConverter", "transform Cast"}) {
    const ConfigDef* const def = configTable(table);
    ASSERT_NE(def, nullptr) << table;
    for (const ConfigKey* key : def->keys()) {
      EXPECT_FALSE(key->doc.empty()) << key->name;
      if (!key->default_value) continue;
      const auto value = ConfigDef::parseValue(*key, *key->default_value);
      EXPECT_TRUE(value.has_value()) << table << ": " << key->name << ": " << value.error().detail;
    }
  }
}

TEST(Config, ReportsEveryProblemAtOnce) {
  const std::string text = problem(producerConfigDef(), {{"acks", "2"}, {"linger.ms", "soon"}});
  EXPECT_THAT(text, HasSubstr("acks=2"));
  EXPECT_THAT(text, HasSubstr("linger.ms=soon"));
  EXPECT_THAT(text, HasSubstr("bootstrap.servers must be set"));
}

TEST(Config, ChecksRanges) {
  const auto& def = producerConfigDef();
  EXPECT_THAT(problem(def, producer("batch.size", "-1")), HasSubstr("batch.size=-1"));
  EXPECT_EQ(problem(def, producer("batch.size", "0")), "");
  EXPECT_THAT(problem(def, producer("batch.size", "2147483648")), HasSubstr("whole number"));
  EXPECT_EQ(problem(def, producer("compression.gzip.level", "-1")), "");
  EXPECT_THAT(problem(def, producer("compression.gzip.level", "0")), HasSubstr("1..9|-1"));
  EXPECT_THAT(problem(def, producer("sasl.login.refresh.window.factor", "0.4")), HasSubstr("0.5"));
}

TEST(Config, ChecksWordsAndLists) {
  const Properties base{{"key.deserializer", "d"}, {"value.deserializer", "d"}};
  const auto check = [&base](const std::string& key, const std::string& value) {
    Properties given = base;
    given["bootstrap.servers"] = "a:1";
    given[key] = value;
    return problem(consumerConfigDef(), given);
  };
  EXPECT_EQ(check("group.protocol", "ConSumer"), "");
  EXPECT_NE(check("isolation.level", "READ_COMMITTED"), "");
  EXPECT_EQ(check("auto.offset.reset", "by_duration:PT1H30M"), "");
  EXPECT_NE(check("auto.offset.reset", "by_duration:1h"), "");
  EXPECT_NE(check("auto.offset.reset", "by_duration:PT"), "");
  EXPECT_THAT(check("bootstrap.servers", "a:1, a:1"), HasSubstr("twice"));
  EXPECT_THAT(check("bootstrap.servers", ""), HasSubstr("empty"));
}

/// What is wrong with a value under a rule; empty where nothing is.
std::string problemOf(std::string_view valid, std::string_view value,
                      ConfigType type = ConfigType::kString) {
  const ConfigKey key{.name = "k", .type = type, .valid = valid};
  const auto parsed = ConfigDef::parseValue(key, value);
  return parsed ? "" : parsed.error().detail;
}

TEST(ConfigRules, RegexMustBeOne) {
  for (const char* good : {"", "orders-.*", "(a|b)+", "[a-z&&]{2,}", "a(?=b)"})
    EXPECT_EQ(problemOf("regex", good), "") << good;
  for (const char* bad : {"(", "a)", "[z-a]", "*"})
    EXPECT_THAT(problemOf("regex", bad), HasSubstr("regular expression")) << bad;
  EXPECT_THAT(problemOf("nonempty|regex", ""), HasSubstr("empty"));
  EXPECT_THAT(problem(connectSinkConfigDef(),
                      {{"name", "n"}, {"connector.class", "C"}, {"topics.regex", "("}}),
              HasSubstr("topics.regex"));
}

TEST(ConfigRules, VersionRangesAsMavenWritesThem) {
  for (const char* good :
       {"1.2.0", "4.0.0-rc1", "[1.0]", "[1.0,2.0)", "(,3]", "(1,)", "[1,2),[3,4]", " [1 , 2) "})
    EXPECT_EQ(problemOf("version-range", good), "") << good;
  for (const char* bad :
       {"", "[1.0", "(1.0)", "[1,2", "[1,2)x", "[1,2),", "1,2", "[,1,2]", "a b", "(1,1)"})
    EXPECT_THAT(problemOf("version-range", bad), HasSubstr("range")) << bad;
}

TEST(ConfigRules, ClassesAreNamed) {
  for (const char* good : {"StringConverter", "org.example.Outer$Inner", "_A1"})
    EXPECT_EQ(problemOf("class:Converter", good, ConfigType::kClass), "") << good;
  for (const char* bad : {"", "a..b", ".a", "a.", "1a", "my converter", "a-b"})
    EXPECT_THAT(problemOf("class:Converter", bad, ConfigType::kClass), HasSubstr("Converter"))
        << bad;
}

TEST(ConfigRules, ListenersAreUrls) {
  for (const char* good : {"http://:8083", "https://host:0,http://[::1]:8083"})
    EXPECT_EQ(problemOf("list|urls", good, ConfigType::kList), "") << good;
  for (const char* bad : {"host:8083", "ftp://h:1", "http://h", "http://h:70000", "http://a/b:1"})
    EXPECT_THAT(problemOf("list|urls", bad, ConfigType::kList), HasSubstr("URL")) << bad;
}

TEST(Config, ListsUnknownKeys) {
  const Config config = mustParse(producerConfigDef(), producer("lingerms", "3"));
  EXPECT_THAT(config.unknown(), ElementsAre("lingerms"));
}

TEST(Config, HidesPasswordsInErrors) {
  const ConfigDef def({{.name = "secret", .type = ConfigType::kPassword, .valid = "nonempty"}});
  EXPECT_THAT(problem(def, {{"secret", " "}}), HasSubstr("[hidden]"));
}

TEST(Config, OwnDefinitionsMergeWithTables) {
  ConfigDef def({{.name = "zeta", .type = ConfigType::kInt, .default_value = "3"},
                 {.name = "alpha", .type = ConfigType::kDouble, .default_value = "0.5"}});
  def.merge(fileSourceConfigDef());
  const Config config = mustParse(def, {{"topic", "t"}, {"zeta", " 4 "}});
  EXPECT_EQ(config.getInt("zeta"), 4);
  EXPECT_DOUBLE_EQ(config.getDouble("alpha"), 0.5);
  EXPECT_EQ(config.getInt("batch.size"), 2000);
}

TEST(Config, FinerSynonymGivesTheValueInItsOwnUnit) {
  const Config hours = mustParse(brokerConfigDef(), {{"node.id", "1"},
                                                     {"process.roles", "broker"},
                                                     {"controller.listener.names", "C"},
                                                     {"log.retention.hours", "2"}});
  EXPECT_EQ(hours.getLong("log.retention.ms"), 7'200'000);
  EXPECT_EQ(hours.origin("log.retention.ms"), ConfigOrigin::kSynonym);
  EXPECT_EQ(hours.getInt("log.retention.hours"), 2);
}

TEST(InheritConfig, TopicTakesTheBrokersFirstConfiguredSynonym) {
  const Config broker = mustParse(brokerConfigDef(), {{"node.id", "1"},
                                                      {"process.roles", "broker"},
                                                      {"controller.listener.names", "C"},
                                                      {"log.retention.minutes", "3"},
                                                      {"log.retention.hours", "2"},
                                                      {"log.cleanup.policy", "compact"}});
  const auto topic = inheritConfig(topicConfigDef(), broker, {{"segment.bytes", "2000000"}});
  ASSERT_TRUE(topic.has_value()) << topic.error().detail;
  EXPECT_EQ(topic->getLong("retention.ms"), 180'000);
  EXPECT_EQ(topic->origin("retention.ms"), ConfigOrigin::kSynonym);
  EXPECT_EQ(topic->getInt("segment.bytes"), 2'000'000);
  EXPECT_EQ(topic->getLong("segment.ms"), 604'800'000);
  EXPECT_THAT(topic->getList("cleanup.policy"), ElementsAre("compact"));
}

TEST(InheritConfig, RefusesUnknownKeys) {
  const Config broker = mustParse(
      brokerConfigDef(),
      {{"node.id", "1"}, {"process.roles", "broker"}, {"controller.listener.names", "C"}});
  const auto topic = inheritConfig(topicConfigDef(), broker, {{"retention", "1"}});
  ASSERT_FALSE(topic.has_value());
  EXPECT_THAT(topic.error().detail, HasSubstr("unknown configuration key retention"));
}

TEST(ConfigText, PrintsAsKafkaDoes) {
  EXPECT_EQ(configText(ConfigValue(0.5)), "0.5");
  EXPECT_EQ(configText(ConfigValue(1.0)), "1.0");
  EXPECT_EQ(configText(ConfigValue(true)), "true");
  EXPECT_EQ(configText(ConfigValue(std::vector<std::string>{"a", "b"})), "a,b");
  EXPECT_EQ(configText(ConfigValue()), std::nullopt);
}

}  // namespace
}  // namespace millrace
