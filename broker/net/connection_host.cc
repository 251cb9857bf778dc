#include "broker/net/connection_host.h"

#include "broker/net/connection.h"

#include <algorithm>
#include <chrono>
#include <vector>

namespace millrace::broker {

void ConnectionHost::add(Connection* connection) {
  connections_.insert(connection);
  metrics_.connections.add(1);
}

void ConnectionHost::remove(Connection* connection) {
  if (connections_.erase(connection) == 0) return;
  metrics_.connections.add(-1);
  if (connections_.empty()) chunks_.trim();
}

void ConnectionHost::closeAll() {
  const std::vector<Connection*> all(connections_.begin(), connections_.end());
  for (Connection* connection : all) connection->close();
}

Task<> ConnectionHost::watchIdle() {
  const Millis limit = limits_.max_idle_ms;
  if (limit < 0) co_return;
  while (!gate_.isClosed()) {
    const Millis now = clock_.monotonicMs();
    Millis oldest = now;
    const std::vector<Connection*> all(connections_.begin(), connections_.end());
    for (Connection* connection : all) {
      const bool expired = connection->isIdle() && now - connection->lastActiveMs() >= limit;
      if (expired) {
        connection->close();
      } else if (connection->isIdle()) {
        oldest = std::min(oldest, connection->lastActiveMs());
      }
    }
    const std::chrono::milliseconds pause(std::max<Millis>(oldest + limit - now, 1));
    const bool slept = co_await sleepFor(pause);
    if (!slept) co_return;
  }
}

}  // namespace millrace::broker
