// Partitions whose log changes its place: a copy in another data directory takes over (KIP-113).
// For that moment whoever wants to change the log is held back; readers are not.
#include "base/log.h"
#include "base/net/blocking_pool.h"
#include "broker/held_work.h"
#include "broker/partitions_impl.h"

namespace millrace::broker {

Hold* PartitionStore::Impl::holdOn(const TopicIdPartition& id) {
  auto& here = holds[static_cast<std::size_t>(Shard::current()->index())];
  const auto found = here.find(id);
  return found == here.end() ? nullptr : &found->second;
}

bool PartitionStore::isOpen(const TopicIdPartition& id) const {
  const auto& here = impl_->holds[static_cast<std::size_t>(Shard::current()->index())];
  return here.empty() || !here.contains(id);
}

void PartitionStore::holdBack(const TopicIdPartition& id, HeldWork& held,
                              std::move_only_function<void()> work) {
  held.add();
  impl_->holdOn(id)->waiting.emplace_back([&held, work = std::move(work)]() mutable {
    work();
    held.done();
  });
}

void PartitionStore::Impl::open(const TopicIdPartition& id) {
  auto& here = holds[static_cast<std::size_t>(Shard::current()->index())];
  const auto found = here.find(id);
  auto waiting = std::move(found->second.waiting);
  here.erase(found);
  for (auto& work : waiting) work();
}

Task<> PartitionStore::untilOpen(std::vector<TopicIdPartition> ids) {
  for (const TopicIdPartition& id : ids) {
    HeldWork held;
    auto look = [this, &id, &held] {
      if (!isOpen(id)) holdBack(id, held, [] {});
    };
    co_await onShard(shardOf(id), std::ref(look));
    if (held.any()) {
      co_await shielded();
      co_await held.wait();
      co_await unshielded();
    }
  }
}

Task<> PartitionStore::beginMove(TopicIdPartition id) {
  auto begin = [this, &id] {
    ++impl_->moving[static_cast<std::size_t>(Shard::current()->index())][id];
  };
  co_await onShard(shardOf(id), std::ref(begin));
}

Result<log::MoveSource> PartitionStore::sourceHere(const TopicIdPartition& id, log::MovePass pass) {
  Partition* const partition = find(id);
  if (partition == nullptr) return fail(Errc::kCancelled, "the partition went away");
  return partition->log().moveSource(pass);
}

Task<Result<log::MoveSource>> PartitionStore::moveSource(TopicIdPartition id) {
  auto look = [this, &id] { return sourceHere(id, log::MovePass::kGrowing); };
  co_return co_await onShard(shardOf(id), std::ref(look));
}

Task<> PartitionStore::endMove(TopicIdPartition id, Status read) {
  auto end = [this, &id, &read] {
    auto& moving = impl_->moving[static_cast<std::size_t>(Shard::current()->index())];
    if (--moving[id] == 0) moving.erase(id);
    Partition* const partition = find(id);
    if (!read && partition != nullptr) partition->log().workFailed(read.error());
  };
  co_await onShard(shardOf(id), std::ref(end));
  impl_->askForRemovals();
}

Task<Status> PartitionStore::switchLog(TopicIdPartition id,
                                       std::shared_ptr<log::FutureLog> future) {
  auto close = [this, &id](Resume resume) {
    shardOf(id).post([this, &id, go = std::move(resume)]() mutable {
      Hold& hold = impl_->holds[static_cast<std::size_t>(Shard::current()->index())][id];
      const Partition* const partition = find(id);
      if (partition == nullptr || !partition->isFlushing()) return go();
      hold.on_idle = std::move(go);
    });
  };
  co_await suspend(std::ref(close));
  const Status switched = co_await switchClosed(id, *future);
  auto open = [this, &id] { impl_->open(id); };
  co_await onShard(shardOf(id), std::ref(open));
  co_return switched;
}

Task<Status> PartitionStore::switchClosed(TopicIdPartition id, log::FutureLog& future) {
  log::LogConfig config;
  auto close = [this, &id, &config] {
    auto source = sourceHere(id, log::MovePass::kLast);
    if (source) config = find(id)->log().config();
    return source;
  };
  const Result<log::MoveSource> source = co_await onShard(shardOf(id), std::ref(close));
  if (!source) co_return std::unexpected(source.error());
  auto take = [this, &source, &config, &future] {
    return impl_->logs.takePlace(future, *source, config);
  };
  const Result<log::PartitionLog*> taken = co_await runBlocking(impl_->blocking, std::ref(take));
  if (!taken) co_return std::unexpected(taken.error());
  auto exchange = [this, &id, &taken] { return find(id)->moveTo(**taken); };
  const Status left = co_await onShard(shardOf(id), std::ref(exchange));
  if (!left) MILLRACE_LOG_ERROR("{}", left.error().toString());
  const log::TopicPartition name = future.name().partition;
  auto finish = [this, &name] { return impl_->logs.finishMove(name, impl_->clock.wallMs()); };
  const Status finished = co_await runBlocking(impl_->blocking, std::ref(finish));
  // It is in its new place all the same.
  if (!finished) MILLRACE_LOG_ERROR("{}: {}", name.toString(), finished.error().toString());
  co_return Status{};
}

}  // namespace millrace::broker
