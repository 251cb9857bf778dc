// OffsetForLeaderEpoch: where a leader's epoch ended, so that a client finds out whether what it
// has read was cut off since (KIP-101, KIP-320).
#pragma once

#include "base/net/task.h"
#include "broker/request_context.h"
#include "protocol/messages/offset_for_leader_epoch_request.h"
#include "protocol/messages/offset_for_leader_epoch_response.h"

namespace millrace::broker {

struct Services;

/// Answers on the partitions' shards, one hop per shard. An epoch that is not known is answered as
/// epoch -1 and offset -1, without an error (Kafka's LeaderEpochFileCache).
[[nodiscard]] Task<protocol::OffsetForLeaderEpochResponse> handleOffsetForLeaderEpoch(
    Services& services, RequestContext context, protocol::OffsetForLeaderEpochRequest request);

}  // namespace millrace::broker
