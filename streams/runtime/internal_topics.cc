#include "streams/runtime/internal_topics.h"

#include "base/log.h"

#include <chrono>
#include <thread>

namespace millrace::streams {
namespace {

constexpr int kAttempts = 40;
constexpr auto kPause = std::chrono::milliseconds(50);

Status checkCount(const PlannedTopic& topic, std::size_t existing) {
  if (existing == static_cast<std::size_t>(topic.partitions)) return {};
  return fail(Errc::kConfig, "internal topic " + topic.name + " has " + std::to_string(existing) +
                                 " partitions but the topology needs " +
                                 std::to_string(topic.partitions) +
                                 "; reset the application or give it a new application.id");
}

/// The topics that do not exist yet.
Result<std::vector<PlannedTopic>> missingOf(Admin& admin, const std::vector<PlannedTopic>& topics) {
  std::vector<std::string> names;
  for (const PlannedTopic& topic : topics) names.push_back(topic.name);
  MILLRACE_TRY(const auto described, admin.describeTopics(names));
  std::vector<PlannedTopic> missing;
  for (const PlannedTopic& topic : topics) {
    const auto found = described.find(topic.name);
    if (found != described.end() && found->second) {
      MILLRACE_CHECK_OK(checkCount(topic, found->second->partitions.size()));
      continue;
    }
    const bool unknown =
        found == described.end() || found->second.error().code == Errc::kUnknownTopicOrPartition;
    if (!unknown) return std::unexpected(found->second.error());
    missing.push_back(topic);
  }
  return missing;
}

Status create(Admin& admin, const std::vector<PlannedTopic>& topics, std::int16_t replication) {
  std::vector<NewTopic> wanted;
  for (const PlannedTopic& topic : topics) {
    wanted.push_back({topic.name, topic.partitions, replication, topic.configs});
  }
  MILLRACE_TRY(const auto created, admin.createTopics(wanted));
  for (const auto& [name, result] : created) {
    if (result) MILLRACE_LOG_INFO("streams: created internal topic {}", name);
    // Another member may have been faster: the next look checks what it made.
    else if (result.error().code != Errc::kTopicAlreadyExists)
      return std::unexpected(result.error());
  }
  return {};
}

}  // namespace

Status ensureTopics(Admin& admin, const std::vector<PlannedTopic>& topics,
                    std::int16_t replication) {
  if (topics.empty()) return {};
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    MILLRACE_TRY(const auto missing, missingOf(admin, topics));
    if (missing.empty()) return {};
    if (attempt > 0) std::this_thread::sleep_for(kPause);
    MILLRACE_CHECK_OK(create(admin, missing, replication));
  }
  return fail(Errc::kTimeout,
              "internal topic " + topics.front().name + " was created but does not show up");
}

}  // namespace millrace::streams
