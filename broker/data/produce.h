// Produce: from the request's batches to the partitions' logs.
#pragma once

#include "base/net/task.h"
#include "broker/request_context.h"
#include "protocol/messages/produce_request.h"
#include "protocol/messages/produce_response.h"

namespace millrace::broker {

struct Services;

/// Appends every partition's batch on the partition's shard, one hop per shard, and answers per
/// partition. Nothing of the request is copied: batches go from the frame to the file. Requests of
/// one connection append in their order.
[[nodiscard]] Task<protocol::ProduceResponse> handleProduce(Services& services,
                                                            RequestContext context,
                                                            protocol::ProduceRequest request);

}  // namespace millrace::broker
