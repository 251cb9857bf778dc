#include "base/net/shard.h"

#include "base/assert.h"

#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <string>

namespace millrace {

namespace {
thread_local Shard* current_shard = nullptr;

/// A peer that went away is an error of the write. sendfile has no flag to say so, and the signal
/// would end the process.
void blockSigpipe() {
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  const int failed = pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  MILLRACE_ASSERT(failed == 0, "pthread_sigmask");
}
}  // namespace

Shard::Shard(int index) : index_(index), work_(context_.get_executor()) {}

Shard::~Shard() { stop(); }

Shard* Shard::current() { return current_shard; }

void Shard::start() {
  MILLRACE_ASSERT(!thread_.joinable(), "the shard runs already");
  thread_ = std::thread([this] { run(); });
}

void Shard::stop() {
  if (!thread_.joinable()) return;
  MILLRACE_ASSERT(!runsHere(), "a shard cannot wait for its own end");
  work_.reset();
  context_.stop();
  thread_.join();
}

void Shard::run() {
  const std::string name = "shard-" + std::to_string(index_);
  pthread_setname_np(pthread_self(), name.c_str());
  blockSigpipe();
  current_shard = this;
  context_.run();
  current_shard = nullptr;
}

ShardPool::ShardPool(int count) {
  if (count <= 0) count = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  for (int i = 0; i < count; ++i) shards_.push_back(std::make_unique<Shard>(i));
}

void ShardPool::start() {
  for (auto& shard : shards_) shard->start();
}

void ShardPool::stop() {
  for (auto& shard : shards_) shard->stop();
}

}  // namespace millrace
