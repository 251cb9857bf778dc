// Topics, configurations and the cluster.
#include "client/admin.h"
#include "client/admin_core.h"
#include "protocol/messages/create_partitions_request.h"
#include "protocol/messages/create_partitions_response.h"
#include "protocol/messages/create_topics_request.h"
#include "protocol/messages/create_topics_response.h"
#include "protocol/messages/delete_records_request.h"
#include "protocol/messages/delete_records_response.h"
#include "protocol/messages/delete_topics_request.h"
#include "protocol/messages/delete_topics_response.h"
#include "protocol/messages/describe_cluster_request.h"
#include "protocol/messages/describe_cluster_response.h"
#include "protocol/messages/describe_configs_request.h"
#include "protocol/messages/describe_configs_response.h"
#include "protocol/messages/incremental_alter_configs_request.h"
#include "protocol/messages/incremental_alter_configs_response.h"

#include <algorithm>

namespace millrace {
namespace {

using namespace protocol;
using client::body;
using client::makeCall;
using client::Reply;
using client::statusOf;

/// Entries that a broker refuses because it is not ready yet (no controller): the whole request is
/// asked again.
template <class Entries>
bool anyNotReady(const Entries& entries) {
  return std::any_of(entries.begin(), entries.end(), [](const auto& entry) {
    const Errc code = fromWire(entry.error_code);
    return code == Errc::kNotController || code == Errc::kRequestTimedOut ||
           code == Errc::kNetworkException;
  });
}

CreateTopicsRequest::CreatableTopic creatable(const NewTopic& topic) {
  CreateTopicsRequest::CreatableTopic t;
  t.name = Text(topic.name);
  t.num_partitions = topic.partitions;
  t.replication_factor = topic.replicationFactor;
  for (const auto& [partition, brokers] : topic.assignment) {
    CreateTopicsRequest::CreatableReplicaAssignment a;
    a.partition_index = partition;
    a.broker_ids = brokers;
    t.assignments.push_back(std::move(a));
  }
  for (const auto& [key, value] : topic.configs) {
    CreateTopicsRequest::CreatableTopicConfig c;
    c.name = Text(key);
    c.value = Text(value);
    t.configs.push_back(std::move(c));
  }
  return t;
}

ConfigEntry readEntry(const DescribeConfigsResponse::DescribeConfigsResourceResult& from) {
  ConfigEntry entry;
  entry.name = from.name.str();
  if (from.value) entry.value = from.value->str();
  switch (from.config_source) {
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
    case 8: entry.source = static_cast<ConfigSource>(from.config_source); break;
    default: entry.source = ConfigSource::kUnknown;
  }
  entry.read_only = from.read_only;
  entry.sensitive = from.is_sensitive;
  return entry;
}

client::Call deleteRecordsCall(const std::map<TopicPartition, std::int64_t>& before,
                               Millis timeout_ms) {
  return makeCall<DeleteRecordsRequest, DeleteRecordsResponse>(
      {0, 2}, timeout_ms, [before, timeout_ms](DeleteRecordsRequest& r, std::int16_t) {
        r.timeout_ms = static_cast<std::int32_t>(timeout_ms);
        for (const auto& [tp, offset] : before) {
          if (r.topics.empty() || r.topics.back().name.view() != tp.topic) {
            DeleteRecordsRequest::DeleteRecordsTopic topic;
            topic.name = Text(tp.topic);
            r.topics.push_back(std::move(topic));
          }
          DeleteRecordsRequest::DeleteRecordsPartition p;
          p.partition_index = tp.partition;
          p.offset = offset;
          r.topics.back().partitions.push_back(std::move(p));
        }
      });
}

TopicDescription describe(const client::TopicMeta& topic) {
  TopicDescription out{topic.name, topic.id, topic.internal, {}};
  for (const client::PartitionMeta& p : topic.partitions) {
    out.partitions.push_back(
        TopicPartitionDescription{p.index, p.leader, p.leader_epoch, p.replicas, p.in_sync});
  }
  return out;
}

}  // namespace

Result<AdminResults<std::string, Uuid>> Admin::createTopics(const std::vector<NewTopic>& topics) {
  return createTopics(topics, CreateTopicsOptions{});
}

Result<AdminResults<std::string, Uuid>> Admin::createTopics(const std::vector<NewTopic>& topics,
                                                            CreateTopicsOptions options) {
  const auto make = [&](Millis timeout_ms) {
    return makeCall<CreateTopicsRequest, CreateTopicsResponse>(
        {2, 7}, timeout_ms, [topics, options, timeout_ms](CreateTopicsRequest& r, std::int16_t) {
          for (const NewTopic& topic : topics) r.topics.push_back(creatable(topic));
          r.timeout_ms = static_cast<std::int32_t>(timeout_ms);
          r.validate_only = options.validateOnly;
        });
  };
  MILLRACE_TRY(const Reply reply, core_->askAny(make, [](const Reply& r) {
    return anyNotReady(body<CreateTopicsResponse>(r).topics);
  }));
  AdminResults<std::string, Uuid> out;
  for (const auto& t : body<CreateTopicsResponse>(reply).topics) {
    const std::string name = t.name.str();
    const Status status = statusOf(t.error_code, t.error_message, "create topic " + name);
    if (status) {
      out.insert_or_assign(name, t.topic_id);
    } else {
      out.insert_or_assign(name, std::unexpected(status.error()));
    }
  }
  return out;
}

Status Admin::createTopic(const NewTopic& topic) {
  MILLRACE_TRY(auto results, createTopics({topic}));
  const auto it = results.find(topic.name);
  if (it == results.end()) return fail(Errc::kUnknownServerError, "the answer names no topic");
  if (!it->second) return std::unexpected(it->second.error());
  return {};
}

Result<AdminResults<std::string, void>> Admin::deleteTopics(
    const std::vector<std::string>& topics) {
  const auto make = [&](Millis timeout_ms) {
    return makeCall<DeleteTopicsRequest, DeleteTopicsResponse>(
        {1, 6}, timeout_ms, [topics, timeout_ms](DeleteTopicsRequest& r, std::int16_t version) {
          r.timeout_ms = static_cast<std::int32_t>(timeout_ms);
          for (const std::string& name : topics) {
            if (version < 6) {
              r.topic_names.emplace_back(name);
              continue;
            }
            DeleteTopicsRequest::DeleteTopicState topic;
            topic.name = Text(name);
            r.topics.push_back(std::move(topic));
          }
        });
  };
  MILLRACE_TRY(const Reply reply, core_->askAny(make, [](const Reply& r) {
    return anyNotReady(body<DeleteTopicsResponse>(r).responses);
  }));
  AdminResults<std::string, void> out;
  for (const auto& t : body<DeleteTopicsResponse>(reply).responses) {
    const std::string name = t.name ? t.name->str() : std::string();
    out.insert_or_assign(name, statusOf(t.error_code, t.error_message, "delete topic " + name));
  }
  return out;
}

Result<AdminResults<std::string, void>> Admin::createPartitions(
    const std::map<std::string, std::int32_t>& totals) {
  const auto make = [&](Millis timeout_ms) {
    return makeCall<CreatePartitionsRequest, CreatePartitionsResponse>(
        {0, 3}, timeout_ms, [totals, timeout_ms](CreatePartitionsRequest& r, std::int16_t) {
          r.timeout_ms = static_cast<std::int32_t>(timeout_ms);
          for (const auto& [name, count] : totals) {
            CreatePartitionsRequest::CreatePartitionsTopic topic;
            topic.name = Text(name);
            topic.count = count;
            topic.assignments = std::nullopt;
            r.topics.push_back(std::move(topic));
          }
        });
  };
  MILLRACE_TRY(const Reply reply, core_->askAny(make, [](const Reply& r) {
    return anyNotReady(body<CreatePartitionsResponse>(r).results);
  }));
  AdminResults<std::string, void> out;
  for (const auto& t : body<CreatePartitionsResponse>(reply).results) {
    const std::string name = t.name.str();
    out.insert_or_assign(name, statusOf(t.error_code, t.error_message, "partitions of " + name));
  }
  return out;
}

Result<std::vector<TopicListing>> Admin::listTopics() {
  MILLRACE_TRY(const client::ClusterImage image, core_->cluster(std::nullopt, core_->deadline()));
  std::vector<TopicListing> out;
  for (const auto& topic : image.topics) {
    if (topic->error == Errc::kNone)
      out.push_back(TopicListing{topic->name, topic->id, topic->internal});
  }
  return out;
}

Result<AdminResults<std::string, TopicDescription>> Admin::describeTopics(
    const std::vector<std::string>& topics) {
  const auto deadline = core_->deadline();
  AdminResults<std::string, TopicDescription> out;
  if (topics.empty()) return out;
  for (;;) {
    MILLRACE_TRY(const client::ClusterImage image, core_->cluster(topics, deadline));
    bool again = false;
    for (const std::string& name : topics) {
      const client::TopicMeta* const found = image.topics.find(name);
      const Errc code = found == nullptr ? Errc::kUnknownTopicOrPartition : found->error;
      if (code == Errc::kNone) {
        out.insert_or_assign(name, describe(*found));
        continue;
      }
      again = again || code == Errc::kLeaderNotAvailable;
      out.insert_or_assign(name,
                           fail(code, "topic " + name + ": " + std::string(errorMessage(code))));
    }
    if (!again || !core_->pause(deadline)) return out;
  }
}

Result<ClusterDescription> Admin::describeCluster() {
  const auto make = [](Millis timeout_ms) {
    return makeCall<DescribeClusterRequest, DescribeClusterResponse>(
        {0, 2}, timeout_ms, [](DescribeClusterRequest&, std::int16_t) {});
  };
  MILLRACE_TRY(const Reply reply, core_->askAny(make, [](const Reply&) { return false; }));
  const auto& answer = body<DescribeClusterResponse>(reply);
  MILLRACE_CHECK_OK(statusOf(answer.error_code, answer.error_message, "describe cluster"));
  ClusterDescription out{answer.cluster_id.str(), answer.controller_id, {}};
  for (const auto& b : answer.brokers) {
    out.nodes.push_back(ClusterNode{b.broker_id, b.host.str(), b.port,
                                    b.rack ? std::optional(b.rack->str()) : std::nullopt});
  }
  return out;
}

Result<AdminResults<ConfigResource, std::vector<ConfigEntry>>> Admin::describeConfigs(
    const std::vector<ConfigResource>& resources) {
  const auto make = [&](Millis timeout_ms) {
    return makeCall<DescribeConfigsRequest, DescribeConfigsResponse>(
        {1, 4}, timeout_ms, [resources](DescribeConfigsRequest& r, std::int16_t) {
          for (const ConfigResource& resource : resources) {
            DescribeConfigsRequest::DescribeConfigsResource d;
            d.resource_type = static_cast<std::int8_t>(resource.type);
            d.resource_name = Text(resource.name);
            d.configuration_keys = std::nullopt;
            r.resources.push_back(std::move(d));
          }
        });
  };
  MILLRACE_TRY(const Reply reply, core_->askAny(make, [](const Reply&) { return false; }));
  AdminResults<ConfigResource, std::vector<ConfigEntry>> out;
  for (const auto& result : body<DescribeConfigsResponse>(reply).results) {
    const ConfigResource resource{static_cast<ConfigResourceType>(result.resource_type),
                                  result.resource_name.str()};
    const Status status =
        statusOf(result.error_code, result.error_message, "configuration of " + resource.name);
    if (!status) {
      out.insert_or_assign(resource, std::unexpected(status.error()));
      continue;
    }
    std::vector<ConfigEntry> entries;
    for (const auto& config : result.configs) entries.push_back(readEntry(config));
    out.insert_or_assign(resource, std::move(entries));
  }
  return out;
}

Result<AdminResults<ConfigResource, void>> Admin::alterConfigs(
    const std::map<ConfigResource, std::vector<AlterConfig>>& changes) {
  const auto make = [&](Millis timeout_ms) {
    return makeCall<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>(
        {0, 1}, timeout_ms, [changes](IncrementalAlterConfigsRequest& r, std::int16_t) {
          for (const auto& [resource, list] : changes) {
            IncrementalAlterConfigsRequest::AlterConfigsResource a;
            a.resource_type = static_cast<std::int8_t>(resource.type);
            a.resource_name = Text(resource.name);
            for (const AlterConfig& change : list) {
              IncrementalAlterConfigsRequest::AlterableConfig c;
              c.name = Text(change.name);
              c.config_operation = static_cast<std::int8_t>(change.op);
              c.value = change.value ? std::optional<Text>(Text(*change.value)) : std::nullopt;
              a.configs.push_back(std::move(c));
            }
            r.resources.push_back(std::move(a));
          }
        });
  };
  MILLRACE_TRY(const Reply reply, core_->askAny(make, [](const Reply& r) {
    return anyNotReady(body<IncrementalAlterConfigsResponse>(r).responses);
  }));
  AdminResults<ConfigResource, void> out;
  for (const auto& r : body<IncrementalAlterConfigsResponse>(reply).responses) {
    const ConfigResource resource{static_cast<ConfigResourceType>(r.resource_type),
                                  r.resource_name.str()};
    out.insert_or_assign(
        resource, statusOf(r.error_code, r.error_message, "configuration of " + resource.name));
  }
  return out;
}

Result<AdminResults<TopicPartition, std::int64_t>> Admin::deleteRecords(
    const std::map<TopicPartition, std::int64_t>& before) {
  const auto deadline = core_->deadline();
  std::set<std::string> names;
  for (const auto& [tp, offset] : before) names.insert(tp.topic);
  MILLRACE_TRY(const client::ClusterImage image,
               core_->cluster(std::vector<std::string>(names.begin(), names.end()), deadline));
  AdminResults<TopicPartition, std::int64_t> out;
  std::map<client::NodeId, std::map<TopicPartition, std::int64_t>> by_leader;
  for (const auto& [tp, offset] : before) {
    const client::PartitionMeta* meta = image.partition(tp.topic, tp.partition);
    if (meta == nullptr || meta->leader < 0) {
      out.insert_or_assign(tp, fail(Errc::kUnknownTopicOrPartition,
                                    tp.toString() + " does not exist or has no leader"));
      continue;
    }
    by_leader[meta->leader][tp] = offset;
  }
  for (const auto& [leader, part] : by_leader) {
    auto reply = client::callAndWait(*core_->base().transport, leader,
                                     deleteRecordsCall(part, core_->attemptMs(deadline)));
    if (!reply) {
      for (const auto& [tp, offset] : part)
        out.insert_or_assign(tp, std::unexpected(reply.error()));
      continue;
    }
    for (const auto& topic : body<DeleteRecordsResponse>(*reply).topics) {
      for (const auto& p : topic.partitions) {
        const TopicPartition tp{topic.name.str(), p.partition_index};
        const Status status =
            statusOf(p.error_code, std::nullopt, "delete records of " + tp.toString());
        if (status) {
          out.insert_or_assign(tp, p.low_watermark);
        } else {
          out.insert_or_assign(tp, std::unexpected(status.error()));
        }
      }
    }
  }
  return out;
}

}  // namespace millrace
