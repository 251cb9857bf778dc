// ListOffsets: where a partition begins and ends, and which offset a time has.
#pragma once

#include "base/net/task.h"
#include "broker/request_context.h"
#include "protocol/messages/list_offsets_request.h"
#include "protocol/messages/list_offsets_response.h"

namespace millrace::broker {

struct Services;

/// Looks up on the partitions' shards, one hop per shard. Searches by time may read a few blocks of
/// a segment.
[[nodiscard]] Task<protocol::ListOffsetsResponse> handleListOffsets(
    Services& services, RequestContext context, protocol::ListOffsetsRequest request);

}  // namespace millrace::broker
