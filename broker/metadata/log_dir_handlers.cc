// AlterReplicaLogDirs: replicas move between the data directories of this node (KIP-113).
#include "broker/handler_table.h"
#include "broker/metadata/metadata_handlers.h"
#include "broker/replica_moves.h"
#include "broker/services.h"
#include "protocol/messages/alter_replica_log_dirs_request.h"
#include "protocol/messages/alter_replica_log_dirs_response.h"

#include <map>

namespace millrace::broker {
namespace {

using protocol::AlterReplicaLogDirsRequest;
using protocol::AlterReplicaLogDirsResponse;

Task<AlterReplicaLogDirsResponse> alterReplicaLogDirs(Services& services, RequestContext,
                                                      AlterReplicaLogDirsRequest request) {
  // As in Kafka, a partition that stands there twice goes where it is said last.
  std::map<std::string, std::map<std::int32_t, std::string>> wanted;
  for (const auto& dir : request.dirs)
    for (const auto& topic : dir.topics)
      for (const std::int32_t index : topic.partitions)
        wanted[topic.name.str()][index] = dir.path.str();
  AlterReplicaLogDirsResponse response;
  for (const auto& [name, partitions] : wanted) {
    auto& topic = response.results.emplace_back();
    topic.topic_name = name;
    for (const auto& [index, directory] : partitions) {
      ReplicaMoves::Wanted one{{name, PartitionIndex{index}}, directory};
      const Errc refused = co_await services.replica_moves->move(std::move(one));
      auto& partition = topic.partitions.emplace_back();
      partition.partition_index = index;
      partition.error_code = static_cast<std::int16_t>(refused);
    }
  }
  co_return response;
}

}  // namespace

void registerLogDirHandlers(HandlerTable& table, Services& services) {
  Services* const s = &services;
  table.add<AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse>(
      [s](RequestContext c, AlterReplicaLogDirsRequest r) {
        return alterReplicaLogDirs(*s, c, std::move(r));
      });
}

}  // namespace millrace::broker
