// DeleteRecords: raises where a partition begins.
#pragma once

#include "base/net/task.h"
#include "broker/request_context.h"
#include "protocol/messages/delete_records_request.h"
#include "protocol/messages/delete_records_response.h"

namespace millrace::broker {

struct Services;

/// Acts on the partitions' shards, one hop per shard. Offset -1 deletes up to the high watermark.
[[nodiscard]] Task<protocol::DeleteRecordsResponse> handleDeleteRecords(
    Services& services, RequestContext context, protocol::DeleteRecordsRequest request);

}  // namespace millrace::broker
