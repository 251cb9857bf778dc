// What members of a consumer group tell each other through the coordinator (ConsumerProtocol).
#pragma once

#include "client/assignor.h"

namespace millrace::client {

inline constexpr const char* kConsumerProtocolType = "consumer";

/// Version 3, which older readers take by its first fields.
[[nodiscard]] Bytes encodeSubscription(const MemberSubscription& subscription);
/// Any version. Errors: kMalformed.
[[nodiscard]] Result<MemberSubscription> decodeSubscription(BytesView bytes);
[[nodiscard]] Bytes encodeAssignment(const MemberAssignment& assignment);
/// Empty bytes are an empty assignment. Errors: kMalformed.
[[nodiscard]] Result<MemberAssignment> decodeAssignment(BytesView bytes);

}  // namespace millrace::client
