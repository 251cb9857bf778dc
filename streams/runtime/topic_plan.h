// Which internal topics an application needs, how many partitions they get, how many tasks there
// are.
#pragma once

#include "base/result.h"
#include "client/record.h"
#include "streams/topology.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace millrace::streams {

struct PlannedTopic {
  std::string name;  ///< with the application id
  std::int32_t partitions = 0;
  std::map<std::string, std::string> configs;
};

struct TopicPlan {
  std::map<std::int32_t, std::int32_t> tasks;  ///< subtopology to number of tasks
  /// Partitions by real topic name: sources of every subtopology.
  std::map<std::string, std::int32_t> partitions;
  std::vector<PlannedTopic> repartition;
  std::vector<PlannedTopic> changelogs;
};

/// Decides from the partition counts of the topics that exist (by real name; internal ones may be
/// missing). Kafka's rules: a repartition topic gets what was asked for, else the most partitions
/// of what its writers read; topics that are joined must agree, and repartition topics among them
/// follow the external ones. Errors: kUnknownTopicOrPartition naming a source topic that does not
/// exist; kConfig where topics are not copartitioned.
[[nodiscard]] Result<TopicPlan> planTopics(const Topology& topology,
                                           const std::string& application_id,
                                           const std::map<std::string, std::int32_t>& existing);

/// The name on the cluster of a topic as the topology names it.
[[nodiscard]] std::string realTopic(const Topology& topology, const std::string& application_id,
                                    const std::string& topic);
/// The input partitions of a task, by topic, as Kafka orders them.
[[nodiscard]] std::vector<TopicPartition> inputPartitions(
    const Topology& topology, const std::string& application_id,
    const std::map<std::string, std::int32_t>& partitions, TaskId task);
/// Every source topic of the application, by real name.
[[nodiscard]] std::vector<std::string> sourceTopics(const Topology& topology,
                                                    const std::string& application_id);

}  // namespace millrace::streams
