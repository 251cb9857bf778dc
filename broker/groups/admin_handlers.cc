// FindCoordinator, DescribeGroups, ListGroups and DeleteGroups.
#include "base/net/gate.h"
#include "base/net/shard.h"
#include "broker/groups/group_coordinator.h"
#include "broker/groups/group_handlers.h"
#include "broker/groups/group_service.h"
#include "broker/handler_table.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/services.h"
#include "protocol/messages/delete_groups_request.h"
#include "protocol/messages/delete_groups_response.h"
#include "protocol/messages/describe_groups_request.h"
#include "protocol/messages/describe_groups_response.h"
#include "protocol/messages/find_coordinator_request.h"
#include "protocol/messages/find_coordinator_response.h"
#include "protocol/messages/list_groups_request.h"
#include "protocol/messages/list_groups_response.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <set>

namespace millrace::broker {
namespace {

using protocol::DescribeGroupsResponse;
using protocol::FindCoordinatorRequest;
using protocol::FindCoordinatorResponse;
using protocol::ListGroupsResponse;

enum class CoordinatorType : std::int8_t { kGroup = 0, kTransaction = 1, kShare = 2 };

/// READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS as Kafka's bit set: everything that a
/// group knows.
constexpr std::int32_t kAllGroupOperations = 3400;

/// "group:topic id:partition" (KIP-932).
bool isShareKey(std::string_view key) {
  const std::size_t last = key.rfind(':');
  if (last == key.npos || last == 0) return false;
  const std::size_t middle = key.rfind(':', last - 1);
  if (middle == key.npos || middle == 0) return false;
  const std::string_view number = key.substr(last + 1);
  std::int32_t partition = -1;
  const auto [stop, error] =
      std::from_chars(number.data(), number.data() + number.size(), partition);
  if (error != std::errc{} || stop != number.data() + number.size()) return false;
  return parseUuid(key.substr(middle + 1, last - middle - 1)).has_value();
}

struct Located {
  Errc error = Errc::kNone;
  BrokerEndpoint endpoint;
};

/// The broker that leads the partition of a key. On a single node every coordinator is this one.
Located locate(const GroupService& service, const MetadataImage& image, std::int32_t node_id,
               std::string_view listener, CoordinatorType type, std::string_view key) {
  Located out;
  if (type == CoordinatorType::kGroup) {
    out.error = service.routeOf(key).error;
  } else if (type == CoordinatorType::kShare && !isShareKey(key)) {
    out.error = Errc::kInvalidRequest;
  }
  const auto broker = image.broker(node_id);
  if (out.error == Errc::kNone && !broker) out.error = Errc::kCoordinatorNotAvailable;
  if (out.error == Errc::kNone) out.endpoint = endpointFor(*broker, listener);
  return out;
}

Task<> ensureTopicOf(GroupService* service, CoordinatorType type) {
  if (type == CoordinatorType::kGroup) co_await service->ensureInternalTopic(kOffsetsTopic);
  if (type == CoordinatorType::kTransaction) {
    co_await service->ensureInternalTopic(kTransactionTopic);
  }
}

Task<FindCoordinatorResponse> handleFind(GroupService* service, RequestContext context,
                                         FindCoordinatorRequest request) {
  FindCoordinatorResponse response;
  const auto type = static_cast<CoordinatorType>(request.key_type);
  // Share coordinators came with version 6.
  const bool known = request.key_type >= 0 && request.key_type <= (context.version >= 6 ? 2 : 1);
  const bool understood = request.key_type >= 0 && request.key_type <= 2;
  // Where it cannot be created, each key hears that from its route.
  if (known) co_await ensureTopicOf(service, type);
  Services& services = service->services();
  const ImagePtr image = services.image->current();
  const std::int32_t node = services.identity.node_id;
  const auto find = [&](std::string_view key) {
    Located refused;
    refused.error = Errc::kInvalidRequest;
    return known ? locate(*service, *image, node, context.session->listener_name, type, key)
                 : refused;
  };
  const auto fill = [&](auto& out, const Located& at) {
    out.error_code = static_cast<std::int16_t>(at.error);
    out.node_id = at.error == Errc::kNone ? node : -1;
    out.host = at.endpoint.host;
    out.port = at.error == Errc::kNone ? at.endpoint.port : -1;
  };
  if (context.version < 4) {
    const Located at = find(request.key);
    fill(response, at);
    response.error_message = at.error == Errc::kNone ? "NONE" : Text(errorMessage(at.error));
    co_return response;
  }
  for (const Text& key : request.coordinator_keys) {
    auto& out = response.coordinators.emplace_back();
    out.key = key;
    fill(out, find(key));
    if (!understood) out.error_message = Text(errorMessage(Errc::kInvalidRequest));
  }
  co_return response;
}

DescribeGroupsResponse::DescribedGroup describe(const ClassicGroup& group) {
  DescribeGroupsResponse::DescribedGroup out;
  out.group_id = group.id();
  out.group_state = Text(groupStateName(group.state()));
  out.protocol_type = group.protocolType();
  // What the members said counts only once the group has chosen.
  const bool stable = group.is(GroupState::kStable);
  if (stable && group.protocolName()) out.protocol_data = *group.protocolName();
  for (const GroupMember& m : group.members()) {
    auto& member = out.members.emplace_back();
    member.member_id = m.id;
    if (m.instance_id) member.group_instance_id = *m.instance_id;
    member.client_id = m.client_id;
    member.client_host = m.client_host;
    member.member_assignment = m.assignment;
    if (stable && group.protocolName())
      member.member_metadata = m.metadataFor(*group.protocolName());
  }
  return out;
}

DescribeGroupsResponse::DescribedGroup describeMissing(const std::string& group_id, Errc error,
                                                       std::int16_t version) {
  DescribeGroupsResponse::DescribedGroup out;
  out.group_id = group_id;
  out.group_state = Text(groupStateName(GroupState::kDead));
  if (error != Errc::kNone) {
    out.error_code = static_cast<std::int16_t>(error);
    out.group_state = Text();
  } else if (version >= 6) {
    // Before, a group that does not exist was a dead one without an error.
    out.error_code = static_cast<std::int16_t>(Errc::kGroupIdNotFound);
    out.error_message = fmt::format("Group {} not found.", group_id);
  }
  return out;
}

Task<DescribeGroupsResponse> handleDescribe(GroupService* service, RequestContext context,
                                            protocol::DescribeGroupsRequest request) {
  DescribeGroupsResponse response;
  for (const Text& name : request.groups) {
    const std::string id = name.str();
    const GroupService::Route route = service->routeOf(id);
    auto run = [service, &route, &id, version = context.version] {
      const auto coordinator = service->find(route.partition);
      if (!coordinator) return describeMissing(id, Errc::kNotCoordinator, version);
      if (coordinator->status() != Errc::kNone)
        return describeMissing(id, coordinator->status(), version);
      const ClassicGroup* const group = coordinator->groups().find(id);
      return group ? describe(*group) : describeMissing(id, Errc::kNone, version);
    };
    DescribeGroupsResponse::DescribedGroup described;
    if (route.error == Errc::kNone) {
      described = co_await onShard(*route.shard, run);
    } else {
      described = describeMissing(id, route.error, context.version);
    }
    if (request.include_authorized_operations)
      described.authorized_operations = kAllGroupOperations;
    response.groups.push_back(std::move(described));
  }
  co_return response;
}

std::set<std::string> lowered(const std::vector<Text>& names) {
  std::set<std::string> out;
  for (const Text& name : names) {
    std::string low = name.str();
    std::ranges::transform(low, low.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    out.insert(std::move(low));
  }
  return out;
}

bool matches(const std::set<std::string>& filter, std::string_view value) {
  const Text text(value);
  return filter.empty() || filter.contains(*lowered({text}).begin());
}

Task<ListGroupsResponse> handleList(GroupService* service, RequestContext,
                                    protocol::ListGroupsRequest request) {
  ListGroupsResponse response;
  const auto states = lowered(request.states_filter);
  const auto types = lowered(request.types_filter);
  ShardPool& shards = *service->services().shards;
  for (int s = 0; s < shards.size(); ++s) {
    auto run = [service, &states, &types] {
      ListGroupsResponse part;
      for (const auto& coordinator : service->local()) {
        if (coordinator->status() == Errc::kCoordinatorLoadInProgress) {
          part.error_code = static_cast<std::int16_t>(Errc::kCoordinatorLoadInProgress);
          continue;
        }
        for (const ClassicGroup* group : coordinator->groups().groups()) {
          const std::string_view state = groupStateName(group->state());
          if (!matches(states, state) || !matches(types, "classic")) continue;
          auto& out = part.groups.emplace_back();
          out.group_id = group->id();
          out.protocol_type = group->protocolType();
          out.group_state = Text(state);
          out.group_type = "classic";
        }
      }
      return part;
    };
    ListGroupsResponse part = co_await onShard(shards.at(s), run);
    if (part.error_code != 0) response.error_code = part.error_code;
    std::ranges::move(part.groups, std::back_inserter(response.groups));
  }
  // All or nothing: a list that lacks some would be taken for complete.
  if (response.error_code != 0) response.groups.clear();
  co_return response;
}

Task<Errc> deleteThere(GroupService* service, std::int32_t partition, std::string group_id) {
  const auto coordinator = service->find(partition);
  if (!coordinator) co_return Errc::kNotCoordinator;
  co_return co_await coordinator->deleteGroup(std::move(group_id));
}

Task<protocol::DeleteGroupsResponse> handleDelete(GroupService* service, RequestContext,
                                                  protocol::DeleteGroupsRequest request) {
  protocol::DeleteGroupsResponse response;
  std::set<std::string_view> seen;
  for (const Text& name : request.groups_names) {
    if (!seen.insert(name.view()).second) continue;
    const std::string id = name.str();
    const GroupService::Route route = service->routeOf(id);
    Errc error = route.error;
    if (error == Errc::kNone) {
      auto run = [service, &route, &id] { return deleteThere(service, route.partition, id); };
      error = co_await onShardAsync(*route.shard, run);
    }
    auto& out = response.results.emplace_back();
    out.group_id = name;
    out.error_code = static_cast<std::int16_t>(error);
  }
  co_return response;
}

}  // namespace

void registerGroupAdminHandlers(HandlerTable& table, GroupService& service) {
  GroupService* const s = &service;
  table.add<FindCoordinatorRequest, FindCoordinatorResponse>(
      [s](RequestContext c, FindCoordinatorRequest r) { return handleFind(s, c, std::move(r)); });
  table.add<protocol::DescribeGroupsRequest, DescribeGroupsResponse>(
      [s](RequestContext c, protocol::DescribeGroupsRequest r) {
        return handleDescribe(s, c, std::move(r));
      });
  table.add<protocol::ListGroupsRequest, ListGroupsResponse>(
      [s](RequestContext c, protocol::ListGroupsRequest r) {
        return handleList(s, c, std::move(r));
      });
  table.add<protocol::DeleteGroupsRequest, protocol::DeleteGroupsResponse>(
      [s](RequestContext c, protocol::DeleteGroupsRequest r) {
        return handleDelete(s, c, std::move(r));
      });
}

}  // namespace millrace::broker
