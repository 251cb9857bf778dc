// Groups and their committed offsets.
#include "client/admin.h"
#include "client/admin_core.h"
#include "client/consumer_protocol.h"
#include "protocol/messages/delete_groups_request.h"
#include "protocol/messages/delete_groups_response.h"
#include "protocol/messages/describe_groups_request.h"
#include "protocol/messages/describe_groups_response.h"
#include "protocol/messages/list_groups_request.h"
#include "protocol/messages/list_groups_response.h"
#include "protocol/messages/offset_delete_request.h"
#include "protocol/messages/offset_delete_response.h"

#include <algorithm>

namespace millrace {
namespace {

using namespace protocol;
using client::body;
using client::makeCall;
using client::Reply;
using client::statusOf;

bool coordinatorNotReady(std::int16_t code) {
  const Errc errc = fromWire(code);
  return errc == Errc::kNotCoordinator || errc == Errc::kCoordinatorNotAvailable ||
         errc == Errc::kCoordinatorLoadInProgress;
}

GroupDescription readGroup(const DescribeGroupsResponse::DescribedGroup& from,
                           std::int32_t coordinator) {
  GroupDescription out{from.group_id.str(),
                       from.group_state.str(),
                       from.protocol_type.str(),
                       from.protocol_data.str(),
                       coordinator,
                       {}};
  for (const auto& m : from.members) {
    GroupMember member{m.member_id.str(), m.client_id.str(), m.client_host.str(), std::nullopt, {}};
    if (m.group_instance_id) member.group_instance_id = m.group_instance_id->str();
    if (out.protocol_type == client::kConsumerProtocolType) {
      const auto assignment = client::decodeAssignment(m.member_assignment.view());
      if (assignment) member.assignment = assignment->partitions;
    }
    out.members.push_back(std::move(member));
  }
  return out;
}

}  // namespace

Result<std::vector<GroupListing>> Admin::listGroups() {
  const auto deadline = core_->deadline();
  MILLRACE_TRY(const client::ClusterImage image,
               core_->cluster(std::vector<std::string>{}, deadline));
  std::map<std::string, GroupListing> found;
  for (const client::NodeAddress& node :
       image.nodes) {  // each broker knows the groups it coordinates
    for (;;) {
      const auto reply = client::callAndWait(
          *core_->base().transport, node.id,
          makeCall<ListGroupsRequest, ListGroupsResponse>({0, 5}, core_->attemptMs(deadline),
                                                          [](ListGroupsRequest&, std::int16_t) {}));
      if (!reply && isRetriable(reply.error().code) && core_->pause(deadline)) continue;
      if (!reply) return std::unexpected(reply.error());
      const auto& answer = body<ListGroupsResponse>(*reply);
      if (coordinatorNotReady(answer.error_code) && core_->pause(deadline)) continue;
      MILLRACE_CHECK_OK(statusOf(answer.error_code, std::nullopt, "list groups"));
      for (const auto& g : answer.groups) {
        found[g.group_id.str()] = GroupListing{g.group_id.str(), g.protocol_type.str(),
                                               g.group_state.str(), g.group_type.str()};
      }
      break;
    }
  }
  std::vector<GroupListing> out;
  for (auto& [id, listing] : found) out.push_back(std::move(listing));
  return out;
}

Result<AdminResults<std::string, GroupDescription>> Admin::describeGroups(
    const std::vector<std::string>& groups) {
  AdminResults<std::string, GroupDescription> out;
  for (const std::string& group : groups) {
    client::NodeId coordinator = client::kAnyNode;
    const auto make = [&](Millis timeout_ms) {
      return makeCall<DescribeGroupsRequest, DescribeGroupsResponse>(
          {0, 6}, timeout_ms,
          [group](DescribeGroupsRequest& r, std::int16_t) { r.groups.emplace_back(group); });
    };
    MILLRACE_TRY(const Reply reply, core_->askCoordinator(group, make, [](const Reply& r) {
      const auto& list = body<DescribeGroupsResponse>(r).groups;
      return std::any_of(list.begin(), list.end(),
                         [](const auto& g) { return coordinatorNotReady(g.error_code); });
    }));
    const auto where = core_->coordinator(group, core_->deadline());
    if (where) coordinator = *where;
    for (const auto& g : body<DescribeGroupsResponse>(reply).groups) {
      const Status status = statusOf(g.error_code, g.error_message, "group " + group);
      if (status) {
        out.insert_or_assign(group, readGroup(g, coordinator));
      } else {
        out.insert_or_assign(group, std::unexpected(status.error()));
      }
    }
  }
  return out;
}

Result<AdminResults<std::string, void>> Admin::deleteGroups(
    const std::vector<std::string>& groups) {
  AdminResults<std::string, void> out;
  for (const std::string& group : groups) {
    const auto make = [&](Millis timeout_ms) {
      return makeCall<DeleteGroupsRequest, DeleteGroupsResponse>(
          {0, 2}, timeout_ms,
          [group](DeleteGroupsRequest& r, std::int16_t) { r.groups_names.emplace_back(group); });
    };
    MILLRACE_TRY(const Reply reply, core_->askCoordinator(group, make, [](const Reply& r) {
      const auto& list = body<DeleteGroupsResponse>(r).results;
      return std::any_of(list.begin(), list.end(),
                         [](const auto& g) { return coordinatorNotReady(g.error_code); });
    }));
    for (const auto& g : body<DeleteGroupsResponse>(reply).results) {
      out.insert_or_assign(g.group_id.str(),
                           statusOf(g.error_code, std::nullopt, "delete group " + group));
    }
  }
  return out;
}

Result<std::map<TopicPartition, OffsetAndMetadata>> Admin::listGroupOffsets(
    const std::string& group, const std::vector<TopicPartition>& partitions) {
  const auto wanted = partitions.empty() ? std::nullopt : std::optional(partitions);
  const auto make = [&](Millis timeout_ms) {
    return client::offsetFetchCall(group, wanted, false, timeout_ms);
  };
  MILLRACE_TRY(const Reply reply, core_->askCoordinator(group, make, [](const Reply& r) {
    const auto read = client::readOffsetFetch(r);
    return !read && isRetriable(read.error().code);
  }));
  return client::readOffsetFetch(reply);
}

Result<AdminResults<TopicPartition, void>> Admin::alterGroupOffsets(
    const std::string& group, const std::map<TopicPartition, OffsetAndMetadata>& offsets) {
  const auto make = [&](Millis timeout_ms) {
    return client::offsetCommitCall(client::CommitIdentity{group}, offsets, timeout_ms);
  };
  MILLRACE_TRY(const Reply reply, core_->askCoordinator(group, make, [](const Reply& r) {
    const auto answers = client::readOffsetCommit(r);
    return std::any_of(answers.begin(), answers.end(), [](const auto& a) {
      return coordinatorNotReady(static_cast<std::int16_t>(a.second));
    });
  }));
  AdminResults<TopicPartition, void> out;
  for (const auto& [tp, code] : client::readOffsetCommit(reply)) {
    Status status = statusOf(static_cast<std::int16_t>(code), std::nullopt,
                             "offset of " + group + " for " + tp.toString());
    if (code == Errc::kUnknownMemberId) {
      status = fail(code, "group " + group + " has active members: stop them first");
    }
    out.insert_or_assign(tp, std::move(status));
  }
  return out;
}

Result<AdminResults<TopicPartition, void>> Admin::deleteGroupOffsets(
    const std::string& group, const std::vector<TopicPartition>& partitions) {
  std::vector<TopicPartition> sorted = partitions;
  std::sort(sorted.begin(), sorted.end());
  const auto make = [&](Millis timeout_ms) {
    return makeCall<OffsetDeleteRequest, OffsetDeleteResponse>(
        {0, 0}, timeout_ms, [group, sorted](OffsetDeleteRequest& r, std::int16_t) {
          r.group_id = Text(group);
          for (const TopicPartition& tp : sorted) {
            if (r.topics.empty() || r.topics.back().name.view() != tp.topic) {
              OffsetDeleteRequest::OffsetDeleteRequestTopic topic;
              topic.name = Text(tp.topic);
              r.topics.push_back(std::move(topic));
            }
            OffsetDeleteRequest::OffsetDeleteRequestPartition p;
            p.partition_index = tp.partition;
            r.topics.back().partitions.push_back(std::move(p));
          }
        });
  };
  MILLRACE_TRY(const Reply reply, core_->askCoordinator(group, make, [](const Reply& r) {
    return coordinatorNotReady(body<OffsetDeleteResponse>(r).error_code);
  }));
  const auto& answer = body<OffsetDeleteResponse>(reply);
  MILLRACE_CHECK_OK(statusOf(answer.error_code, std::nullopt, "delete offsets of " + group));
  AdminResults<TopicPartition, void> out;
  for (const auto& topic : answer.topics) {
    for (const auto& p : topic.partitions) {
      const TopicPartition tp{topic.name.str(), p.partition_index};
      out.insert_or_assign(tp, statusOf(p.error_code, std::nullopt, tp.toString()));
    }
  }
  return out;
}

}  // namespace millrace
