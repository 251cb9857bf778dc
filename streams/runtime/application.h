// What the threads of one application share.
#pragma once

#include "base/clock.h"
#include "client/admin.h"
#include "streams/runtime/state_directory.h"
#include "streams/runtime/streams.h"
#include "streams/runtime/streams_config.h"
#include "streams/state/task_database.h"
#include "streams/topology.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>

namespace millrace::streams {

struct Counters {
  std::atomic<std::uint64_t> processed{0};
  std::atomic<std::uint64_t> dropped{0};
  std::atomic<std::uint64_t> restored{0};
  std::atomic<std::uint64_t> commits{0};
};

/// Lives as long as any of its threads. The topology, configuration and listeners do not change
/// after start().
struct Application {
  Topology topology;
  StreamsConfig config;
  RestoreListener restore_listener;
  std::shared_ptr<StateDirectory> directory;  ///< null where no store is persistent
  Uuid process_id;
  std::shared_ptr<StateMemory> memory;
  std::unique_ptr<Admin> admin;
  const Clock* clock = &systemClock();
  Counters counters;
  /// An error code for the next subscriptions: a handler asked for the shutdown of all instances.
  std::atomic<bool> shutdown_requested{false};
};

}  // namespace millrace::streams
