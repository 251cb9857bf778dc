// DescribeProducers: the idempotent and transactional producers that partitions remember (KIP-664).
#pragma once

#include "base/net/task.h"
#include "broker/request_context.h"
#include "protocol/messages/describe_producers_request.h"
#include "protocol/messages/describe_producers_response.h"

namespace millrace::broker {

struct Services;

/// Answers on the partitions' shards, one hop per shard.
[[nodiscard]] Task<protocol::DescribeProducersResponse> handleDescribeProducers(
    Services& services, RequestContext context, protocol::DescribeProducersRequest request);

}  // namespace millrace::broker
