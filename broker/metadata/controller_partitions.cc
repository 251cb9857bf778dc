// New partitions of existing topics (Kafka's ReplicationControlManager.createPartitions).
#include "broker/metadata/controller.h"
#include "broker/metadata/replica_placer.h"
#include "protocol/messages/create_partitions_request.h"
#include "protocol/messages/create_partitions_response.h"

#include <fmt/core.h>

#include <map>
#include <set>

namespace millrace::broker {
namespace {

using protocol::CreatePartitionsRequest;
using protocol::CreatePartitionsResponse;
using TopicRequest = CreatePartitionsRequest::CreatePartitionsTopic;

/// Kafka refuses more records than one operation may write.
constexpr std::int32_t kMaxNewPartitions = 10'000;

Result<std::vector<Placement>> placementsOf(const MetadataImage& image, const TopicImage& topic,
                                            const TopicRequest& request) {
  const auto current = static_cast<std::int32_t>(topic.partitions.size());
  if (request.count == current) {
    return fail(Errc::kInvalidPartitions,
                fmt::format("Topic already has {} partition(s).", current));
  }
  if (request.count < current) {
    return fail(
        Errc::kInvalidPartitions,
        fmt::format("The topic {} currently has {} partition(s); {} would not be an increase.",
                    topic.name, current, request.count));
  }
  const std::int32_t additional = request.count - current;
  const std::size_t factor = topic.partitions.front().replicas.size();
  if (!request.assignments) {
    if (additional > kMaxNewPartitions) return fail(Errc::kUnknownServerError);
    return placeReplicas(image, current, additional, static_cast<std::int16_t>(factor));
  }
  if (static_cast<std::size_t>(additional) != request.assignments->size()) {
    return fail(
        Errc::kInvalidReplicaAssignment,
        fmt::format("Attempted to add {} additional partition(s), but only {} assignment(s) were "
                    "specified.",
                    additional, request.assignments->size()));
  }
  std::vector<Placement> placements;
  for (const auto& assignment : *request.assignments) {
    const std::int32_t index = current + static_cast<std::int32_t>(placements.size());
    MILLRACE_TRY(Placement placement, checkAssignment(image, index, assignment.broker_ids, factor));
    placements.push_back(std::move(placement));
  }
  return placements;
}

}  // namespace

Decision<CreatePartitionsResponse> Controller::createPartitions(
    const MetadataImage& image, const CreatePartitionsRequest& request) const {
  Decision<CreatePartitionsResponse> decision;
  std::map<std::string_view, int> counts;
  for (const TopicRequest& t : request.topics) ++counts[t.name.view()];
  std::set<std::string_view> answered;
  DirectoryChooser directories(image);
  for (const TopicRequest& t : request.topics) {
    if (!answered.insert(t.name.view()).second) continue;
    auto& result = decision.response.results.emplace_back();
    result.name = t.name.str();
    result.error_message.reset();
    const TopicPtr topic = image.topic(t.name.view());
    const auto placements = [&]() -> Result<std::vector<Placement>> {
      if (counts.at(t.name.view()) > 1) return fail(Errc::kInvalidRequest, "Duplicate topic name.");
      if (!topic) return fail(Errc::kUnknownTopicOrPartition);
      return placementsOf(image, *topic, t);
    }();
    if (!placements) {
      result.error_code = static_cast<std::int16_t>(toWire(placements.error().code));
      if (!placements.error().detail.empty()) result.error_message = placements.error().detail;
      continue;
    }
    if (request.validate_only) continue;
    auto index = static_cast<std::int32_t>(topic->partitions.size());
    for (const Placement& placement : *placements) {
      decision.records.emplace_back(newPartitionRecord(topic->id, index++, placement, directories));
    }
  }
  return decision;
}

}  // namespace millrace::broker
