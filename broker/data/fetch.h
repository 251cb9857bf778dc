// Fetch: record batches from the partitions' files to the client, at once or when enough has
// arrived.
#pragma once

#include "base/net/task.h"
#include "broker/request_context.h"
#include "protocol/messages/fetch_request.h"
#include "protocol/messages/fetch_response.h"

namespace millrace::broker {

struct Services;

/// Reads on the partitions' shards, one hop per shard. While less than min.bytes is there, it
/// waits, parked, for the partitions to grow, until max.wait has passed or the client has gone.
/// Records are answered as ranges of files.
[[nodiscard]] Task<protocol::FetchResponse> handleFetch(Services& services, RequestContext context,
                                                        protocol::FetchRequest request);

}  // namespace millrace::broker
