// The thread behind a client: its timers, and its connections where it has any.
#pragma once

#include "base/clock.h"
#include "base/net/shard.h"
#include "client/transport.h"

#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace millrace::client {

class MetadataService;
class TcpTransport;
struct CommonConfig;

/// One event loop on one thread, owned by one client. Tasks are plain functions.
class ClientRuntime {
 public:
  ClientRuntime();
  ~ClientRuntime();
  ClientRuntime(const ClientRuntime&) = delete;
  ClientRuntime& operator=(const ClientRuntime&) = delete;

  [[nodiscard]] Shard& shard() { return shard_; }
  [[nodiscard]] bool runsHere() const { return shard_.runsHere(); }
  /// Queues a call on the thread. From any thread.
  void post(std::move_only_function<void()> fn) { shard_.post(std::move(fn)); }
  /// Runs what is queued, ends the loop and joins. Not from the runtime's thread.
  void stop();

 private:
  Shard shard_;
  std::mutex mutex_;
  bool stopped_ = false;
};

/// Calls one function at one time on the runtime's thread; moving the time replaces it. Used on
/// that thread only.
class Alarm {
 public:
  Alarm(ClientRuntime& runtime, std::function<void()> fire);
  ~Alarm();
  /// In `delay_ms` from now; an earlier time that is set already stays.
  void setWithin(Millis delay_ms);
  void cancel();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// What producer, consumer and admin stand on: a runtime, a way to the brokers, a picture of the
/// cluster.
class ClientBase {
 public:
  ClientBase(const CommonConfig& config, std::shared_ptr<Transport> transport, bool auto_create);
  ~ClientBase();

  /// Fails what is under way and joins the thread. Idempotent. Not from the runtime's thread.
  void shutdown();

  /// Shared with what may come back late from a transport on other threads.
  std::shared_ptr<ClientRuntime> runtime;
  std::shared_ptr<Transport> transport;
  std::shared_ptr<MetadataService> metadata;

 private:
  std::shared_ptr<TcpTransport> own_;  // null with a transport that others share
};

}  // namespace millrace::client
