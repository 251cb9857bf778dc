#include "connect/topic_creation.h"

#include "base/log.h"

#include <boost/regex.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace millrace::connect {

namespace {

constexpr std::string_view kPrefix = "topic.creation.";
constexpr std::string_view kDefaultGroup = "default";

/// A group's own keys; what its table does not know are configurations of the topic.
Result<Config> parseGroup(const std::string& name, const ConfigDef& keys,
                          const Properties& properties) {
  auto config = Config::parse(keys, properties);
  if (!config) {
    return fail(Errc::kConfig, fmt::format("{}{}: {}", kPrefix, name, config.error().detail));
  }
  return config;
}

void addConfigs(const Config& group, NewTopic& topic) {
  for (const std::string& key : group.unknown()) topic.configs[key] = group.originals().at(key);
}

}  // namespace

class TopicCreationRules::Pattern {
 public:
  explicit Pattern(const std::string& text)
      : regex_(text, boost::regex::perl | boost::regex::no_except) {}
  [[nodiscard]] bool isValid() const { return regex_.status() == 0; }
  [[nodiscard]] bool matches(const std::string& name) const {
    return boost::regex_match(name, regex_);
  }

 private:
  boost::regex regex_;
};

bool TopicCreationRules::Group::covers(const std::string& name) const {
  const auto matches = [&name](const auto& pattern) { return pattern->matches(name); };
  return std::ranges::any_of(include, matches) && std::ranges::none_of(exclude, matches);
}

Result<std::vector<std::shared_ptr<const TopicCreationRules::Pattern>>>
TopicCreationRules::patterns(const std::string& key, const std::vector<std::string>& texts) {
  std::vector<std::shared_ptr<const Pattern>> made;
  for (const std::string& text : texts) {
    made.push_back(std::make_shared<const Pattern>(text));
    if (!made.back()->isValid())
      return fail(Errc::kConfig, fmt::format("{}: {} is no regular expression", key, text));
  }
  return made;
}

Result<TopicCreationRules::Group> TopicCreationRules::readGroup(const Config& connector,
                                                                const std::string& name,
                                                                const NewTopic& defaults) {
  const std::string prefix = fmt::format("{}{}.", kPrefix, name);
  MILLRACE_TRY(const Config config, parseGroup(name, *configTable("connect topic creation group"),
                                               connector.originalsWithPrefix(prefix)));
  Group group;
  MILLRACE_TRY(group.include, patterns(prefix + "include", config.getList("include")));
  MILLRACE_TRY(group.exclude, patterns(prefix + "exclude", config.getList("exclude")));
  group.topic.partitions =
      config.isSet("partitions") ? config.getInt("partitions") : defaults.partitions;
  group.topic.replicationFactor =
      config.isSet("replication.factor")
          ? static_cast<std::int16_t>(config.getInt("replication.factor"))
          : defaults.replicationFactor;
  addConfigs(config, group.topic);
  return group;
}

Result<std::optional<TopicCreationRules>> TopicCreationRules::read(const Config& connector) {
  Properties given = connector.originalsWithPrefix(kPrefix);
  if (given.empty()) return std::nullopt;
  Properties of_default =
      connector.originalsWithPrefix(fmt::format("{}{}.", kPrefix, kDefaultGroup));
  of_default.erase("include");  // it covers what no other group covers, whatever it says
  of_default.erase("exclude");
  MILLRACE_TRY(const Config config,
               parseGroup(std::string(kDefaultGroup),
                          *configTable("connect topic creation default"), of_default));
  TopicCreationRules rules;
  rules.default_.topic.partitions = config.getInt("partitions");
  rules.default_.topic.replicationFactor =
      static_cast<std::int16_t>(config.getInt("replication.factor"));
  addConfigs(config, rules.default_.topic);
  for (const std::string& name : connector.getList("topic.creation.groups")) {
    if (name == kDefaultGroup) continue;  // is there anyway
    MILLRACE_TRY(Group group, readGroup(connector, name, rules.default_.topic));
    rules.groups_.push_back(std::move(group));
  }
  return rules;
}

NewTopic TopicCreationRules::describe(const std::string& topic) const {
  const auto covers = [&topic](const Group& group) { return group.covers(topic); };
  const auto found = std::ranges::find_if(groups_, covers);
  NewTopic described = found == groups_.end() ? default_.topic : found->topic;
  described.name = topic;
  return described;
}

Result<TopicCreator> TopicCreator::make(const WorkerContext& worker,
                                        const ConnectorConfig& connector) {
  TopicCreator creator;
  if (!worker.config.getBool("topic.creation.enable")) return creator;
  MILLRACE_TRY(creator.rules_, TopicCreationRules::read(connector.config));
  if (!creator.rules_) return creator;
  MILLRACE_TRY(Admin admin, Admin::create(worker.adminOptions(connector)));
  creator.admin_.emplace(std::move(admin));
  return creator;
}

Status TopicCreator::ensure(const std::string& topic) {
  if (!rules_ || known_.contains(topic)) return {};
  MILLRACE_TRY(const auto described, admin_->describeTopics({topic}));
  const auto& found = described.at(topic);
  if (!found && found.error().code != Errc::kUnknownTopicOrPartition)
    return std::unexpected(found.error());
  if (!found) {
    const NewTopic wanted = rules_->describe(topic);
    const Status created = admin_->createTopic(wanted);
    // Another task may have been faster.
    if (!created && created.error().code != Errc::kTopicAlreadyExists) return created;
    MILLRACE_LOG_INFO("topic {} is there now: {} partitions, replication factor {}", topic,
                      wanted.partitions, wanted.replicationFactor);
  }
  known_.insert(topic);
  return {};
}

}  // namespace millrace::connect
