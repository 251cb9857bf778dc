// OffsetCommit, OffsetFetch and OffsetDelete.
#include "base/net/gate.h"
#include "base/net/shard.h"
#include "broker/groups/group_coordinator.h"
#include "broker/groups/group_handlers.h"
#include "broker/groups/group_service.h"
#include "broker/handler_table.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/services.h"
#include "protocol/messages/offset_commit_request.h"
#include "protocol/messages/offset_commit_response.h"
#include "protocol/messages/offset_delete_request.h"
#include "protocol/messages/offset_delete_response.h"
#include "protocol/messages/offset_fetch_request.h"
#include "protocol/messages/offset_fetch_response.h"

#include <map>

namespace millrace::broker {
namespace {

using protocol::OffsetCommitRequest;
using protocol::OffsetCommitResponse;
using protocol::OffsetDeleteRequest;
using protocol::OffsetDeleteResponse;
using protocol::OffsetFetchRequest;
using protocol::OffsetFetchResponse;

/// From this version on topics are named by their ids.
constexpr std::int16_t kTopicIdVersion = 10;

bool hasPartition(const TopicPtr& topic, std::int32_t partition) {
  return topic && topic->partition(partition) != nullptr;
}

/// What the request asks for, in its order; unknown topics and partitions are refused already.
std::vector<OffsetToCommit> offsetsOf(const OffsetCommitRequest& request, std::int16_t version,
                                      const MetadataImage& image, Millis wall_ms) {
  std::vector<OffsetToCommit> offsets;
  for (const auto& t : request.topics) {
    const bool by_id = version >= kTopicIdVersion;
    const TopicPtr topic = by_id ? image.topic(t.topic_id) : image.topic(t.name.view());
    for (const auto& p : t.partitions) {
      OffsetToCommit& o = offsets.emplace_back();
      o.topic = topic ? topic->name : t.name.str();
      o.partition = p.partition_index;
      o.offset.offset = p.committed_offset;
      o.offset.leader_epoch = p.committed_leader_epoch;
      if (p.committed_metadata) o.offset.metadata = p.committed_metadata->str();
      if (by_id) o.offset.topic_id = t.topic_id;
      if (request.retention_time_ms != -1)
        o.offset.expire_timestamp = wall_ms + request.retention_time_ms;
      if (!topic && by_id) {
        o.error = Errc::kUnknownTopicId;
      } else if (!hasPartition(topic, p.partition_index)) {
        o.error = Errc::kUnknownTopicOrPartition;
      }
    }
  }
  return offsets;
}

Task<std::vector<OffsetToCommit>> commitThere(GroupService* service, std::int32_t partition,
                                              CommitEvent event,
                                              std::vector<OffsetToCommit> offsets) {
  const auto coordinator = service->find(partition);
  if (coordinator) co_return co_await coordinator->commit(std::move(event), std::move(offsets));
  for (auto& o : offsets) {
    if (o.error == Errc::kNone) o.error = Errc::kNotCoordinator;
  }
  co_return offsets;
}

Task<OffsetCommitResponse> handleCommit(GroupService* service, RequestContext context,
                                        OffsetCommitRequest request) {
  Services& services = service->services();
  const ImagePtr image = services.image->current();
  auto offsets = offsetsOf(request, context.version, *image, services.clock->wallMs());
  CommitEvent event;
  event.group_id = request.group_id.str();
  event.member_id = request.member_id.str();
  if (request.group_instance_id) event.instance_id = request.group_instance_id->str();
  event.generation = request.generation_id_or_member_epoch;
  const GroupService::Route route = service->routeOf(event.group_id);
  if (route.error != Errc::kNone) {
    for (auto& o : offsets) {
      if (o.error == Errc::kNone) o.error = route.error;
    }
  } else if (!offsets.empty()) {
    auto run = [service, &route, &event, &offsets] {
      return commitThere(service, route.partition, event, std::move(offsets));
    };
    offsets = co_await onShardAsync(*route.shard, run);
  }
  OffsetCommitResponse response;
  std::size_t next = 0;
  for (const auto& t : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = t.name;
    out.topic_id = t.topic_id;
    for (const auto& p : t.partitions) {
      auto& result = out.partitions.emplace_back();
      result.partition_index = p.partition_index;
      result.error_code = static_cast<std::int16_t>(offsets[next++].error);
    }
  }
  co_return response;
}

/// One group of an OffsetFetch, in terms of names.
struct GroupFetch {
  std::string group_id;
  bool all = false;
  struct Topic {
    std::string name;
    Uuid id;
    std::vector<std::int32_t> partitions;
    Errc error = Errc::kNone;
  };
  std::vector<Topic> topics;
};

struct FetchedPartition {
  std::int32_t partition = 0;
  CommittedOffset offset;
};
struct FetchedGroup {
  Errc error = Errc::kNone;
  struct Topic {
    std::string name;
    Uuid id;
    Errc error = Errc::kNone;
    std::vector<FetchedPartition> partitions;
  };
  std::vector<Topic> topics;
};

/// On the coordinator's shard. A group that does not exist has no offsets; nobody hears that it
/// does not exist.
FetchedGroup fetchHere(const GroupCoordinator& coordinator, const GroupFetch& fetch) {
  FetchedGroup out;
  out.error = coordinator.status();
  if (out.error != Errc::kNone) return out;
  const OffsetStore& offsets = coordinator.offsets();
  if (fetch.all) {
    if (const auto* topics = offsets.all(fetch.group_id)) {
      for (const auto& [name, partitions] : *topics) {
        auto& topic = out.topics.emplace_back();
        topic.name = name;
        for (const auto& [partition, offset] : partitions)
          topic.partitions.push_back({partition, offset});
      }
    }
    return out;
  }
  for (const auto& asked : fetch.topics) {
    auto& topic = out.topics.emplace_back();
    topic.name = asked.name;
    topic.id = asked.id;
    topic.error = asked.error;
    for (const std::int32_t partition : asked.partitions) {
      const CommittedOffset* const found = asked.error == Errc::kNone
                                               ? offsets.find(fetch.group_id, asked.name, partition)
                                               : nullptr;
      topic.partitions.push_back({partition, found ? *found : CommittedOffset{}});
    }
  }
  return out;
}

Task<FetchedGroup> fetchGroup(GroupService* service, GroupFetch fetch) {
  const GroupService::Route route = service->routeOf(fetch.group_id);
  FetchedGroup out;
  out.error = route.error;
  if (route.error != Errc::kNone) co_return out;
  auto run = [service, &route, &fetch] {
    const auto coordinator = service->find(route.partition);
    if (coordinator) return fetchHere(*coordinator, fetch);
    FetchedGroup none;
    none.error = Errc::kNotCoordinator;
    return none;
  };
  out = co_await onShard(*route.shard, run);
  co_return out;
}

template <class To>
void fillPartition(To& to, const FetchedPartition& from, Errc error) {
  to.partition_index = from.partition;
  to.committed_offset = from.offset.offset;
  to.committed_leader_epoch = from.offset.leader_epoch;
  to.metadata = Text(from.offset.metadata);
  to.error_code = static_cast<std::int16_t>(error);
}

/// Versions 1 to 7: one group. Version 1 has no place for an error but in each partition.
void fillSingle(OffsetFetchResponse& response, const GroupFetch& fetch, const FetchedGroup& group,
                std::int16_t version) {
  if (version >= 2) response.error_code = static_cast<std::int16_t>(group.error);
  if (group.error != Errc::kNone) {
    if (version >= 2) return;
    for (const auto& asked : fetch.topics) {
      auto& topic = response.topics.emplace_back();
      topic.name = asked.name;
      for (const std::int32_t partition : asked.partitions) {
        fillPartition(topic.partitions.emplace_back(), {partition, {}}, group.error);
      }
    }
    return;
  }
  for (const auto& t : group.topics) {
    auto& topic = response.topics.emplace_back();
    topic.name = t.name;
    for (const auto& p : t.partitions) fillPartition(topic.partitions.emplace_back(), p, t.error);
  }
}

GroupFetch singleFetch(const OffsetFetchRequest& request) {
  GroupFetch fetch;
  fetch.group_id = request.group_id.str();
  fetch.all = !request.topics;
  if (request.topics) {
    for (const auto& t : *request.topics)
      fetch.topics.push_back({t.name.str(), {}, t.partition_indexes, Errc::kNone});
  }
  return fetch;
}

GroupFetch fetchOf(const OffsetFetchRequest::OffsetFetchRequestGroup& group, std::int16_t version,
                   const MetadataImage& image) {
  GroupFetch fetch;
  fetch.group_id = group.group_id.str();
  fetch.all = !group.topics;
  if (fetch.all) return fetch;
  for (const auto& t : *group.topics) {
    auto& topic = fetch.topics.emplace_back();
    topic.name = t.name.str();
    topic.id = t.topic_id;
    topic.partitions = t.partition_indexes;
    if (version < kTopicIdVersion) continue;
    const TopicPtr known = image.topic(t.topic_id);
    if (known) {
      topic.name = known->name;
    } else {
      topic.error = Errc::kUnknownTopicId;
    }
  }
  return fetch;
}

void fillGroup(OffsetFetchResponse& response, const GroupFetch& fetch, const FetchedGroup& group,
               std::int16_t version, const MetadataImage& image) {
  auto& out = response.groups.emplace_back();
  out.group_id = fetch.group_id;
  out.error_code = static_cast<std::int16_t>(group.error);
  for (const auto& t : group.topics) {
    Uuid id = t.id;
    if (version >= kTopicIdVersion && fetch.all) {
      const TopicPtr known = image.topic(t.name);
      if (!known) continue;  // offsets of a topic that has gone have no id to be called by
      id = known->id;
    }
    auto& topic = out.topics.emplace_back();
    topic.name = t.name;
    topic.topic_id = id;
    for (const auto& p : t.partitions) fillPartition(topic.partitions.emplace_back(), p, t.error);
  }
}

Task<OffsetFetchResponse> handleFetch(GroupService* service, RequestContext context,
                                      OffsetFetchRequest request) {
  OffsetFetchResponse response;
  const ImagePtr image = service->services().image->current();
  if (context.version < 8) {
    const GroupFetch fetch = singleFetch(request);
    const FetchedGroup group = co_await fetchGroup(service, fetch);
    fillSingle(response, fetch, group, context.version);
    co_return response;
  }
  for (const auto& g : request.groups) {
    const GroupFetch fetch = fetchOf(g, context.version, *image);
    const FetchedGroup group = co_await fetchGroup(service, fetch);
    fillGroup(response, fetch, group, context.version, *image);
  }
  co_return response;
}

Task<std::vector<OffsetToCommit>> deleteThere(GroupService* service, std::int32_t partition,
                                              std::string group_id,
                                              std::vector<OffsetToCommit> offsets) {
  const auto coordinator = service->find(partition);
  if (coordinator)
    co_return co_await coordinator->deleteOffsets(std::move(group_id), std::move(offsets));
  for (auto& o : offsets) o.error = Errc::kNotCoordinator;
  co_return offsets;
}

/// An error that concerns the group stands alone; the topics are left out then.
Errc groupError(const std::vector<OffsetToCommit>& offsets) {
  for (const auto& o : offsets) {
    switch (o.error) {
      case Errc::kNone:
      case Errc::kUnknownTopicOrPartition:
      case Errc::kGroupSubscribedToTopic: break;
      default: return o.error;
    }
  }
  return Errc::kNone;
}

Task<OffsetDeleteResponse> handleDelete(GroupService* service, RequestContext,
                                        OffsetDeleteRequest request) {
  OffsetDeleteResponse response;
  const ImagePtr image = service->services().image->current();
  std::vector<OffsetToCommit> offsets;
  for (const auto& t : request.topics) {
    const TopicPtr topic = image->topic(t.name.view());
    for (const auto& p : t.partitions) {
      OffsetToCommit& o = offsets.emplace_back();
      o.topic = t.name.str();
      o.partition = p.partition_index;
      if (!hasPartition(topic, p.partition_index)) o.error = Errc::kUnknownTopicOrPartition;
    }
  }
  const std::string group_id = request.group_id.str();
  const GroupService::Route route = service->routeOf(group_id);
  Errc error = group_id.empty() ? Errc::kInvalidGroupId : route.error;
  if (error == Errc::kNone && !offsets.empty()) {
    auto run = [service, &route, &group_id, &offsets] {
      return deleteThere(service, route.partition, group_id, std::move(offsets));
    };
    offsets = co_await onShardAsync(*route.shard, run);
    error = groupError(offsets);
  }
  response.error_code = static_cast<std::int16_t>(error);
  if (error != Errc::kNone) co_return response;
  std::size_t next = 0;
  for (const auto& t : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = t.name;
    for (const auto& p : t.partitions) {
      auto& result = out.partitions.emplace_back();
      result.partition_index = p.partition_index;
      result.error_code = static_cast<std::int16_t>(offsets[next++].error);
    }
  }
  co_return response;
}

}  // namespace

void registerOffsetHandlers(HandlerTable& table, GroupService& service) {
  GroupService* const s = &service;
  table.add<OffsetCommitRequest, OffsetCommitResponse>(
      [s](RequestContext c, OffsetCommitRequest r) { return handleCommit(s, c, std::move(r)); });
  table.add<OffsetFetchRequest, OffsetFetchResponse>(
      [s](RequestContext c, OffsetFetchRequest r) { return handleFetch(s, c, std::move(r)); });
  table.add<OffsetDeleteRequest, OffsetDeleteResponse>(
      [s](RequestContext c, OffsetDeleteRequest r) { return handleDelete(s, c, std::move(r)); });
}

}  // namespace millrace::broker
