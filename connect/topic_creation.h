// Topics that a source connector makes before it writes to them: topic.creation.* (KIP-158).
#pragma once

#include "client/admin.h"
#include "connect/worker_context.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace millrace::connect {

/// How new topics look, by the first group whose patterns cover the name, else by the default
/// group.
class TopicCreationRules {
 public:
  /// None where the connector sets no topic.creation.* key: the brokers then create topics as they
  /// see fit. Errors: kConfig, naming every key that is wrong.
  [[nodiscard]] static Result<std::optional<TopicCreationRules>> read(const Config& connector);

  [[nodiscard]] NewTopic describe(const std::string& topic) const;

 private:
  /// A pattern that matches whole names, as in Java.
  class Pattern;
  struct Group {
    std::vector<std::shared_ptr<const Pattern>> include;
    std::vector<std::shared_ptr<const Pattern>> exclude;
    NewTopic topic;  ///< without its name
    [[nodiscard]] bool covers(const std::string& name) const;
  };
  [[nodiscard]] static Result<Group> readGroup(const Config& connector, const std::string& name,
                                               const NewTopic& defaults);
  [[nodiscard]] static Result<std::vector<std::shared_ptr<const Pattern>>> patterns(
      const std::string& key, const std::vector<std::string>& texts);

  std::vector<Group> groups_;
  Group default_;
};

/// A source task's: asks the cluster once for each topic. Used on the task's thread.
class TopicCreator {
 public:
  /// Errors: kConfig.
  [[nodiscard]] static Result<TopicCreator> make(const WorkerContext& worker,
                                                 const ConnectorConfig& connector);
  /// Makes the topic where it does not exist. Does nothing where the worker
  /// (topic.creation.enable) or the connector does not want it. Errors: the cluster's.
  Status ensure(const std::string& topic);

 private:
  std::optional<TopicCreationRules> rules_;
  std::optional<Admin> admin_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace millrace::connect
