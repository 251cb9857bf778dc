// The generated list of messages. Not for other rooms: message.h has findMessage and allMessages.
#pragma once

#include "protocol/api.h"
#include "protocol/message.h"

#include <span>

namespace millrace::protocol {

[[nodiscard]] std::span<const MessageInfo* const> messageList();

}  // namespace millrace::protocol
