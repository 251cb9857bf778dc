// What a handler knows about the request it serves, and how it asks for an unusual reply.
#pragma once

#include "base/clock.h"
#include "broker/shard_affinity.h"
#include "protocol/api_key.h"

#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>

namespace millrace {
class Shard;
}

namespace millrace::broker {

/// One client's connection as handlers see it. Lives on the connection's shard at least as long as
/// any of its requests. In-process clients have one, too.
struct Session {
  /// "/127.0.0.1" as Kafka writes hosts of clients (group members, logs).
  std::string client_host;
  /// Name of the listener, "PLAINTEXT"; "IN_PROCESS" for in-process clients.
  std::string listener_name;
  /// From ApiVersions v3+ (KIP-511); "unknown" until then.
  std::string client_software_name = "unknown";
  std::string client_software_version = "unknown";
  /// Where the client reached us, for advertised addresses that follow the listener.
  std::string local_host;
  std::uint16_t local_port = 0;
  /// What to call when the client has gone: a parked handler adds itself, so that it does not wait
  /// for nobody, and removes itself when it goes on.
  std::list<std::function<void()>> on_close;
  bool closed = false;
};

class RequestPermit;

/// What the connection is to know beside the reply. Set by the handler before it returns.
struct ReplyControl {
  /// No answer is sent (Produce with acks=0).
  bool suppressed = false;
  /// The connection is closed in place of an answer; `close_reason` is logged.
  bool close = false;
  std::string close_reason;
  /// The shard of the partitions that the request worked on, as ShardAffinity has it.
  int shard = ShardAffinity::kNowhere;
};

/// Passed by value to every handler. What it points to outlives the handler's coroutine.
struct RequestContext {
  /// The shard that the handler runs on (the connection's).
  Shard* shard = nullptr;
  protocol::ApiKey api{};
  std::int16_t version = 0;
  /// Empty where the client sent null.
  std::string_view client_id;
  Session* session = nullptr;
  ReplyControl* reply = nullptr;
  /// What the request holds of the broker's RequestBudget; null in process.
  RequestPermit* permit = nullptr;
  /// Monotonic, when the whole frame had arrived.
  Millis received_ms = 0;
};

}  // namespace millrace::broker
