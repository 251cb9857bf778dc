#include "broker/net/connection_host.h"

#include "broker/net/connection.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

namespace millrace::broker {

void ConnectionHost::add(Connection* connection) {
  connections_.insert(connection);
  load_.fetch_add(1, std::memory_order_relaxed);
  metrics_.connections.add(1);
}

ConnectionHost* ConnectionHost::betterFor(const ShardAffinity& affinity) const {
  constexpr int kSpread = 2;
  const auto wanted = affinity.shard();
  if (!wanted || *wanted == shard_.index()) return nullptr;
  ConnectionHost& host = *all_[static_cast<std::size_t>(*wanted)];
  return host.load() > load() + kSpread ? nullptr : &host;
}

void ConnectionHost::awaitRoom(Connection* connection) {
  starved_.insert(connection);
  budget_.wait(*this);
}

void ConnectionHost::onRoom() {
  shard_.post([this] {
    const auto starved = std::exchange(starved_, {});
    for (Connection* connection : starved) connection->onRoom();
  });
}

void ConnectionHost::remove(Connection* connection) {
  starved_.erase(connection);
  if (connections_.erase(connection) == 0) return;
  load_.fetch_sub(1, std::memory_order_relaxed);
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
      const bool idle = connection->waitsForClient();
      if (idle && now - connection->lastActiveMs() >= limit) {
        connection->close();
      } else if (idle) {
        oldest = std::min(oldest, connection->lastActiveMs());
      }
    }
    const std::chrono::milliseconds pause(std::max<Millis>(oldest + limit - now, 1));
    const bool slept = co_await sleepFor(pause);
    if (!slept) co_return;
  }
}

}  // namespace millrace::broker
