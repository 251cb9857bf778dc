// The group APIs: finds the coordinator, translates messages, waits for its answer.
#include "base/net/gate.h"
#include "base/net/shard.h"
#include "broker/groups/group_coordinator.h"
#include "broker/groups/group_handlers.h"
#include "broker/groups/group_service.h"
#include "broker/handler_table.h"
#include "broker/request_budget.h"
#include "broker/services.h"
#include "protocol/messages/heartbeat_request.h"
#include "protocol/messages/heartbeat_response.h"
#include "protocol/messages/join_group_request.h"
#include "protocol/messages/join_group_response.h"
#include "protocol/messages/leave_group_request.h"
#include "protocol/messages/leave_group_response.h"
#include "protocol/messages/sync_group_request.h"
#include "protocol/messages/sync_group_response.h"

#include <algorithm>

namespace millrace::broker {
namespace {

std::optional<std::string> owned(const std::optional<Text>& text) {
  return text ? std::optional(text->str()) : std::nullopt;
}

JoinEvent eventOf(const RequestContext& context, const protocol::JoinGroupRequest& request) {
  JoinEvent event;
  event.group_id = request.group_id.str();
  event.member_id = request.member_id.str();
  event.instance_id = owned(request.group_instance_id);
  event.client_id = std::string(context.client_id);
  event.client_host = context.session->client_host;
  event.session_timeout_ms = request.session_timeout_ms;
  // Version 0 has one timeout for both.
  event.rebalance_timeout_ms =
      context.version == 0 ? request.session_timeout_ms : request.rebalance_timeout_ms;
  event.protocol_type = request.protocol_type.str();
  for (const auto& p : request.protocols)
    event.protocols.push_back({p.name.str(), p.metadata.str()});
  event.require_known_member_id = context.version >= 4 && !request.group_instance_id;
  event.may_skip_assignment = context.version >= 9;
  return event;
}

/// "No protocol" is null from version 7 on and empty before.
void fitProtocolName(protocol::JoinGroupResponse& response, std::int16_t version) {
  const bool none = !response.protocol_name || response.protocol_name->empty();
  if (!none) return;
  response.protocol_name.reset();
  if (version < 7) response.protocol_name = Text();
}

Task<protocol::JoinGroupResponse> joinThere(GroupService* service, std::int32_t partition,
                                            JoinEvent event) {
  const auto coordinator = service->find(partition);
  if (!coordinator) co_return joinError(event.member_id, Errc::kNotCoordinator);
  co_return co_await coordinator->join(std::move(event));
}

Task<protocol::JoinGroupResponse> handleJoin(GroupService* service, RequestContext context,
                                             protocol::JoinGroupRequest request) {
  JoinEvent event = eventOf(context, request);
  const GroupService::Route route = service->routeOf(event.group_id);
  protocol::JoinGroupResponse response;
  if (event.group_id.empty()) {
    response = joinError(event.member_id, Errc::kInvalidGroupId);
  } else if (route.error != Errc::kNone) {
    response = joinError(event.member_id, route.error);
  } else {
    auto run = [service, &route, &event] { return joinThere(service, route.partition, event); };
    parks(context);  // until the other members have come
    response = co_await onShardAsync(*route.shard, run);
  }
  fitProtocolName(response, context.version);
  co_return response;
}

SyncEvent eventOf(const protocol::SyncGroupRequest& request) {
  SyncEvent event;
  event.group_id = request.group_id.str();
  event.member_id = request.member_id.str();
  event.instance_id = owned(request.group_instance_id);
  event.generation = request.generation_id;
  event.protocol_type = owned(request.protocol_type);
  event.protocol_name = owned(request.protocol_name);
  for (const auto& a : request.assignments)
    event.assignments.insert_or_assign(a.member_id.str(), a.assignment.str());
  return event;
}

Task<protocol::SyncGroupResponse> syncThere(GroupService* service, std::int32_t partition,
                                            SyncEvent event) {
  const auto coordinator = service->find(partition);
  if (!coordinator) co_return syncError(Errc::kNotCoordinator);
  co_return co_await coordinator->sync(std::move(event));
}

Task<protocol::SyncGroupResponse> handleSync(GroupService* service, RequestContext context,
                                             protocol::SyncGroupRequest request) {
  // Version 5 clients say what they think was chosen; one that says nothing is wrong (KIP-559).
  const bool incomplete =
      context.version >= 5 && (!request.protocol_type || !request.protocol_name);
  if (incomplete) co_return syncError(Errc::kInconsistentGroupProtocol);
  SyncEvent event = eventOf(request);
  if (event.group_id.empty()) co_return syncError(Errc::kInvalidGroupId);
  const GroupService::Route route = service->routeOf(event.group_id);
  if (route.error != Errc::kNone) co_return syncError(route.error);
  auto run = [service, &route, &event] { return syncThere(service, route.partition, event); };
  parks(context);  // until the leader has assigned
  co_return co_await onShardAsync(*route.shard, run);
}

Task<protocol::HeartbeatResponse> handleHeartbeat(GroupService* service, RequestContext,
                                                  protocol::HeartbeatRequest request) {
  protocol::HeartbeatResponse response;
  const GroupService::Route route = service->routeOf(request.group_id);
  Errc error = request.group_id.empty() ? Errc::kInvalidGroupId : route.error;
  if (error == Errc::kNone) {
    auto run = [service, &route, &request] {
      const auto coordinator = service->find(route.partition);
      if (!coordinator) return Errc::kNotCoordinator;
      return coordinator->heartbeat(request.group_id.str(), request.member_id.str(),
                                    owned(request.group_instance_id), request.generation_id);
    };
    error = co_await onShard(*route.shard, run);
  }
  response.error_code = static_cast<std::int16_t>(error);
  co_return response;
}

std::vector<GroupMachine::Leaving> leavingOf(const protocol::LeaveGroupRequest& request,
                                             std::int16_t version) {
  std::vector<GroupMachine::Leaving> members;
  if (version < 3) {
    members.push_back({request.member_id.str(), std::nullopt});
    return members;
  }
  for (const auto& m : request.members)
    members.push_back({m.member_id.str(), owned(m.group_instance_id)});
  return members;
}

Task<protocol::LeaveGroupResponse> handleLeave(GroupService* service, RequestContext context,
                                               protocol::LeaveGroupRequest request) {
  protocol::LeaveGroupResponse response;
  const GroupService::Route route = service->routeOf(request.group_id);
  const auto members = leavingOf(request, context.version);
  GroupCoordinator::Left left;
  left.error = request.group_id.empty() ? Errc::kInvalidGroupId : route.error;
  if (left.error == Errc::kNone) {
    auto run = [service, &route, &request, &members] {
      const auto coordinator = service->find(route.partition);
      if (!coordinator) return GroupCoordinator::Left{Errc::kNotCoordinator, {}};
      return coordinator->leave(request.group_id.str(), members);
    };
    left = co_await onShard(*route.shard, run);
  }
  response.error_code = static_cast<std::int16_t>(left.error);
  if (left.error != Errc::kNone) co_return response;
  if (context.version < 3) {
    response.error_code = static_cast<std::int16_t>(left.members.front());
    co_return response;
  }
  for (std::size_t i = 0; i < members.size(); ++i) {
    auto& out = response.members.emplace_back();
    out.member_id = members[i].member_id;
    out.group_instance_id.reset();
    if (members[i].instance_id) out.group_instance_id = *members[i].instance_id;
    out.error_code = static_cast<std::int16_t>(left.members[i]);
  }
  co_return response;
}

}  // namespace

void registerGroupHandlers(HandlerTable& table, Services& services) {
  GroupService* const s = services.groups;
  table.add<protocol::JoinGroupRequest, protocol::JoinGroupResponse>(
      [s](RequestContext c, protocol::JoinGroupRequest r) {
        return handleJoin(s, c, std::move(r));
      });
  table.add<protocol::SyncGroupRequest, protocol::SyncGroupResponse>(
      [s](RequestContext c, protocol::SyncGroupRequest r) {
        return handleSync(s, c, std::move(r));
      });
  table.add<protocol::HeartbeatRequest, protocol::HeartbeatResponse>(
      [s](RequestContext c, protocol::HeartbeatRequest r) {
        return handleHeartbeat(s, c, std::move(r));
      });
  table.add<protocol::LeaveGroupRequest, protocol::LeaveGroupResponse>(
      [s](RequestContext c, protocol::LeaveGroupRequest r) {
        return handleLeave(s, c, std::move(r));
      });
  registerOffsetHandlers(table, *s);
  registerGroupAdminHandlers(table, *s);
}

}  // namespace millrace::broker
