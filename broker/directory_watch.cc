#include "broker/directory_watch.h"

#include "base/log.h"
#include "base/net/blocking_pool.h"
#include "base/net/shard.h"
#include "broker/metadata/metadata_service.h"
#include "broker/partitions.h"
#include "log/log_manager.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::broker {

void DirectoryWatch::failed(const std::string& directory, const Error& cause) {
  offline_.add(1);
  MILLRACE_LOG_ERROR("log.dirs: {} is offline from now on: {}", directory, cause.toString());
  Failure failure{directory, cause};
  {
    const std::lock_guard lock(mutex_);
    if (!started_) {
      waiting_.push_back(std::move(failure));
      return;
    }
  }
  act(std::move(failure));
}

void DirectoryWatch::start() {
  std::vector<Failure> waiting;
  {
    const std::lock_guard lock(mutex_);
    started_ = true;
    waiting.swap(waiting_);
  }
  for (Failure& failure : waiting) act(std::move(failure));
}

void DirectoryWatch::onFatal(std::function<void(const Error&)> stop_broker) {
  Status already;
  {
    const std::lock_guard lock(mutex_);
    stop_broker_ = std::move(stop_broker);
    already = fatal_;
  }
  if (!already) stop_broker_(already.error());
}

void DirectoryWatch::act(Failure failure) {
  Shard& shard = services_.shards->at(0);
  shard.post([this, &shard, failure = std::move(failure)]() mutable {
    spawn(gate_, shard, "directory failure", handle(std::move(failure)));
  });
}

bool DirectoryWatch::isFatal(const Failure& failure) const {
  if (failure.directory == metadata_directory_) return true;
  const auto states = services_.logs->directoryStates();
  return std::ranges::none_of(states, [](const auto& d) { return d.health.has_value(); });
}

void DirectoryWatch::giveUp(Error cause) {
  std::function<void(const Error&)> stop_broker;
  {
    const std::lock_guard lock(mutex_);
    if (!fatal_) return;
    fatal_ = std::unexpected(cause);
    stop_broker = stop_broker_;
  }
  MILLRACE_LOG_ERROR("the broker stops: {}", cause.detail);
  if (stop_broker) stop_broker(cause);
}

Task<> DirectoryWatch::handle(Failure failure) {
  if (isFatal(failure)) {
    giveUp(Error{failure.cause.code, fmt::format("it cannot work without the data directory {}: {}",
                                                 failure.directory, failure.cause.detail)});
    co_return;
  }
  std::vector<Uuid> online;
  for (const auto& state : services_.logs->directoryStates())
    if (state.health) online.push_back(state.id);
  std::ranges::sort(online);
  auto drop = [this, directory = failure.directory] { return dropPartitions(directory); };
  const Status told = co_await services_.metadata->directoriesFailed(std::move(online), drop);
  if (!told && told.error().code != Errc::kClosed) {
    MILLRACE_LOG_ERROR("metadata log: {}", told.error().toString());
  }
}

Task<> DirectoryWatch::dropPartitions(std::string directory) {
  const std::size_t dropped = co_await services_.partitions->dropDirectory(directory);
  auto abandon = [this, &directory] { services_.logs->abandon(directory); };
  co_await runBlocking(*services_.blocking, std::ref(abandon));
  MILLRACE_LOG_ERROR("log.dirs: {} is offline: {} partitions cannot be served", directory, dropped);
}

}  // namespace millrace::broker
