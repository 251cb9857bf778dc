// ApiVersions: what this broker serves, told before anything else is asked.
#pragma once

#include "base/net/task.h"
#include "broker/handler_table.h"
#include "broker/request_context.h"
#include "protocol/messages/api_versions_request.h"
#include "protocol/messages/api_versions_response.h"

namespace millrace::broker {

struct Services;

/// Lists the apis that `table` has a handler for, and no others: clients take what is listed at its
/// word. Notes the client's software in the session (KIP-511).
[[nodiscard]] Task<protocol::ApiVersionsResponse> handleApiVersions(
    const HandlerTable& table, Services& services, RequestContext context,
    protocol::ApiVersionsRequest request);

}  // namespace millrace::broker
