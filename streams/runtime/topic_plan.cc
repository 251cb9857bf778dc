#include "streams/runtime/topic_plan.h"

#include <algorithm>
#include <optional>

namespace millrace::streams {
namespace {

class Planner {
 public:
  Planner(const Topology& topology, const std::string& application_id,
          const std::map<std::string, std::int32_t>& existing)
      : topology_(topology), application_id_(application_id), existing_(existing) {}

  Result<TopicPlan> make() {
    MILLRACE_CHECK_OK(checkSources());
    MILLRACE_CHECK_OK(countRepartitionTopics());
    for (const Subtopology& sub : topology_.subtopologies()) {
      for (const auto& group : sub.copartition_groups) MILLRACE_CHECK_OK(copartition(group));
    }
    TopicPlan plan;
    for (const Subtopology& sub : topology_.subtopologies()) {
      if (!sub.global) describe(sub, plan);
    }
    return plan;
  }

 private:
  [[nodiscard]] std::string real(const std::string& topic) const {
    return realTopic(topology_, application_id_, topic);
  }
  [[nodiscard]] bool isRepartition(const std::string& topic) const {
    return topology_.isInternal(topic);
  }

  Status checkSources() {
    for (const Subtopology& sub : topology_.subtopologies()) {
      for (const std::string& topic : sub.source_topics) {
        if (isRepartition(topic)) continue;
        const auto found = existing_.find(real(topic));
        if (found == existing_.end() || found->second <= 0) {
          return fail(
              Errc::kUnknownTopicOrPartition,
              "source topic " + topic + " does not exist; create it before the application starts");
        }
        counts_[topic] = found->second;
      }
      for (const auto& [name, topic] : sub.repartition_topics) {
        if (topic.partitions) counts_[name] = *topic.partitions;
      }
    }
    return {};
  }

  /// The most partitions of what the writers of `topic` read; nullopt while one of them is not
  /// known.
  [[nodiscard]] std::optional<std::int32_t> countFromWriters(const std::string& topic) const {
    std::int32_t most = 0;
    for (const Subtopology& sub : topology_.subtopologies()) {
      if (!sub.sink_topics.contains(topic)) continue;
      for (const std::string& source : sub.source_topics) {
        const auto found = counts_.find(source);
        if (found == counts_.end()) return std::nullopt;
        most = std::max(most, found->second);
      }
    }
    if (most == 0) return std::nullopt;
    return most;
  }

  Status countRepartitionTopics() {
    for (bool progress = true; progress;) {
      progress = false;
      std::string missing;
      for (const Subtopology& sub : topology_.subtopologies()) {
        for (const auto& [name, topic] : sub.repartition_topics) {
          if (counts_.contains(name)) continue;
          const auto count = countFromWriters(name);
          if (count) counts_[name] = *count;
          progress = progress || count.has_value();
          if (!count) missing = name;
        }
      }
      if (!progress && !missing.empty()) {
        return fail(Errc::kConfig, "the number of partitions of " + missing + " depends on itself");
      }
    }
    return {};
  }

  [[nodiscard]] bool isFixed(const std::string& topic) const {
    if (!isRepartition(topic)) return true;
    for (const Subtopology& sub : topology_.subtopologies()) {
      const auto found = sub.repartition_topics.find(topic);
      if (found != sub.repartition_topics.end()) return found->second.partitions.has_value();
    }
    return false;
  }

  Status copartition(const std::set<std::string>& group) {
    std::optional<std::int32_t> fixed;
    std::string fixed_by;
    std::int32_t most = 0;
    for (const std::string& topic : group) {
      const std::int32_t count = counts_.at(topic);
      most = std::max(most, count);
      if (!isFixed(topic)) continue;
      if (fixed && *fixed != count) {
        return fail(Errc::kConfig, "Topics not co-partitioned: " + fixed_by + " has " +
                                       std::to_string(*fixed) + " partitions, " + topic + " has " +
                                       std::to_string(count));
      }
      fixed = count;
      fixed_by = topic;
    }
    for (const std::string& topic : group) {
      if (!isFixed(topic)) counts_[topic] = fixed.value_or(most);
    }
    return {};
  }

  void describe(const Subtopology& sub, TopicPlan& plan) {
    std::int32_t tasks = 0;
    for (const std::string& topic : sub.source_topics) {
      const std::int32_t count = counts_.at(topic);
      tasks = std::max(tasks, count);
      plan.partitions[real(topic)] = count;
    }
    plan.tasks[sub.id] = tasks;
    for (const auto& [name, topic] : sub.repartition_topics) {
      plan.repartition.push_back({real(name), counts_.at(name), topic.configs});
    }
    for (const auto& [store, changelog] : sub.changelogs) {
      if (!changelog.created) continue;
      plan.changelogs.push_back(
          {decorateTopic(application_id_, changelog.topic.name), tasks, changelog.topic.configs});
    }
  }

  const Topology& topology_;
  const std::string& application_id_;
  const std::map<std::string, std::int32_t>& existing_;
  std::map<std::string, std::int32_t> counts_;  // by the topology's name
};

}  // namespace

Result<TopicPlan> planTopics(const Topology& topology, const std::string& application_id,
                             const std::map<std::string, std::int32_t>& existing) {
  return Planner(topology, application_id, existing).make();
}

std::string realTopic(const Topology& topology, const std::string& application_id,
                      const std::string& topic) {
  return topology.isInternal(topic) ? decorateTopic(application_id, topic) : topic;
}

std::vector<TopicPartition> inputPartitions(const Topology& topology,
                                            const std::string& application_id,
                                            const std::map<std::string, std::int32_t>& partitions,
                                            TaskId task) {
  std::vector<TopicPartition> inputs;
  for (const Subtopology& sub : topology.subtopologies()) {
    if (sub.id != task.subtopology) continue;
    for (const std::string& topic : sub.source_topics) {
      const std::string name = realTopic(topology, application_id, topic);
      const auto count = partitions.find(name);
      if (count != partitions.end() && task.partition < count->second)
        inputs.push_back({name, task.partition});
    }
  }
  std::ranges::sort(inputs);
  return inputs;
}

std::vector<std::string> sourceTopics(const Topology& topology, const std::string& application_id) {
  std::set<std::string> topics;
  for (const Subtopology& sub : topology.subtopologies()) {
    if (sub.global) continue;
    for (const std::string& topic : sub.source_topics)
      topics.insert(realTopic(topology, application_id, topic));
  }
  return {topics.begin(), topics.end()};
}

}  // namespace millrace::streams
