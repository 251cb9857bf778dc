// Committed offsets: reading them, committing with and without waiting, auto-commit.
#include "base/log.h"
#include "client/consumer_core.h"
#include "client/deadline.h"

#include <fmt/format.h>

namespace millrace::client {
namespace {

bool coordinatorMoved(Errc code) {
  return code == Errc::kNotCoordinator || code == Errc::kCoordinatorNotAvailable ||
         code == Errc::kNetworkException;
}

/// The first error of an answer, with a sentence; kNone where all is well.
Error commitError(const std::map<TopicPartition, Errc>& answers) {
  for (const auto& [tp, code] : answers) {
    if (code == Errc::kNone) continue;
    std::string detail = fmt::format("commit of {}: {}", tp.toString(), errorMessage(code));
    if (code == Errc::kUnknownMemberId || code == Errc::kIllegalGeneration ||
        code == Errc::kRebalanceInProgress) {
      detail += ": the group has rebalanced meanwhile; poll, then commit what is still assigned";
    }
    return Error{code, std::move(detail)};
  }
  return Error{Errc::kNone, {}};
}

}  // namespace

Result<NodeId> ConsumerCore::waitCoordinator(Lock& lock, TimePoint deadline) {
  if (group_.empty()) return fail(Errc::kState, "commits need a group.id");
  while (!coordinator_) {
    if (closed_) return fail(Errc::kClosed, "the consumer is closed");
    if (error_) return std::unexpected(*error_);
    askCoordinator();
    if (std::chrono::steady_clock::now() >= deadline) {
      return fail(
          Errc::kTimeout,
          fmt::format("no coordinator for group {} in time: are the brokers reachable?", group_));
    }
    const auto step = std::chrono::steady_clock::now() + Duration(20);
    waitChange(lock, std::min(deadline, step));
  }
  return *coordinator_;
}

Result<CommitIdentity> ConsumerCore::commitIdentity() const {
  CommitIdentity identity;
  identity.group = group_;
  if (!subscribed_) return identity;
  if (membership_.generation() < 0) {
    return fail(Errc::kUnknownMemberId,
                fmt::format("this consumer is not a member of group {} now: poll, then commit what "
                            "is assigned",
                            group_));
  }
  identity.generation = membership_.generation();
  identity.member_id = membership_.memberId();
  identity.instance_id = membership_.options().instance_id;
  return identity;
}

Result<std::map<TopicPartition, std::optional<OffsetAndMetadata>>> ConsumerCore::committed(
    const std::vector<TopicPartition>& partitions, Duration timeout) {
  const TimePoint deadline = deadlineOf(timeout);
  Lock lock(mutex_);
  for (;;) {
    MILLRACE_TRY(const NodeId node, waitCoordinator(lock, deadline));
    const Millis limit = std::min(config_.common.request_timeout_ms, millisUntil(deadline) + 1);
    auto reply = askGroup(lock, node, offsetFetchCall(group_, partitions, true, limit));
    auto found = reply ? readOffsetFetch(*reply) : std::unexpected(reply.error());
    if (found) {
      std::map<TopicPartition, std::optional<OffsetAndMetadata>> out;
      for (const TopicPartition& tp : partitions) {
        const auto it = found->find(tp);
        out[tp] = it == found->end() ? std::nullopt : std::optional(it->second);
      }
      return out;
    }
    if (!isRetriable(found.error().code) || millisUntil(deadline) == 0) {
      return std::unexpected(found.error());
    }
    if (coordinatorMoved(found.error().code)) coordinatorLost();
    pause(lock, Duration(config_.common.retry_backoff_ms));
  }
}

/// One attempt; `retry` where another may succeed.
Status ConsumerCore::commitOnce(Lock& lock, const CommitOffsets& offsets, TimePoint deadline,
                                bool& retry) {
  retry = false;
  MILLRACE_TRY(const NodeId node, waitCoordinator(lock, deadline));
  MILLRACE_TRY(const CommitIdentity identity, commitIdentity());
  const Millis limit = std::min(config_.common.request_timeout_ms, millisUntil(deadline) + 1);
  auto reply = askGroup(lock, node, offsetCommitCall(identity, offsets, limit));
  const Error error = reply ? commitError(readOffsetCommit(*reply)) : reply.error();
  if (error.code == Errc::kNone) return {};
  if (coordinatorMoved(error.code)) coordinatorLost();
  if (membership_.generation() == identity.generation) {
    std::ignore = membership_.commitRefused(error.code);
  }
  retry = isRetriable(error.code);
  return std::unexpected(error);
}

Status ConsumerCore::commitSync(const std::optional<CommitOffsets>& offsets, Duration timeout) {
  const TimePoint deadline = deadlineOf(timeout);
  Lock lock(mutex_);
  if (closed_) return fail(Errc::kClosed, "the consumer is closed");
  const CommitOffsets what = offsets ? *offsets : positions_.committable();
  // Commits sent earlier must not overtake the answer to this one.
  while (commits_in_flight_ > 0 && std::chrono::steady_clock::now() < deadline) {
    waitChange(lock, deadline);
  }
  Status status;
  while (!what.empty()) {
    bool retry = false;
    status = commitOnce(lock, what, deadline, retry);
    if (status || !retry || std::chrono::steady_clock::now() >= deadline) break;
    pause(lock, Duration(config_.common.retry_backoff_ms));
  }
  runCommitCallbacks(lock);
  return status;
}

void ConsumerCore::commitAsync(const std::optional<CommitOffsets>& offsets,
                               CommitCallback callback) {
  const std::lock_guard lock(mutex_);
  PendingCommit commit{offsets ? *offsets : positions_.committable(), std::move(callback)};
  const bool nothing = commit.offsets.empty();
  if (nothing || group_.empty() || closed_) {
    Status status;
    if (group_.empty()) status = fail(Errc::kState, "commits need a group.id");
    if (closed_) status = fail(Errc::kClosed, "the consumer is closed");
    done_commits_.push_back([commit = std::move(commit), status] {
      if (commit.callback) commit.callback(status, commit.offsets);
    });
    return;
  }
  if (!coordinator_) {
    waiting_commits_.push_back(std::move(commit));
    return askCoordinator();
  }
  sendCommit(std::move(commit));
}

void ConsumerCore::sendCommit(PendingCommit commit) {
  auto shared = std::make_shared<PendingCommit>(std::move(commit));
  const auto finish = [shared](ConsumerCore& core, Status status) {
    if (!status) {
      MILLRACE_LOG_DEBUG("commit of group {}: {}", core.group_, status.error().toString());
    }
    if (!shared->callback) return;
    core.done_commits_.push_back(
        [shared, status = std::move(status)] { shared->callback(status, shared->offsets); });
  };
  const auto identity = commitIdentity();
  if (!identity) return finish(*this, std::unexpected(identity.error()));
  ++commits_in_flight_;
  callCoordinator(offsetCommitCall(*identity, shared->offsets, config_.common.request_timeout_ms),
                  guarded([shared, finish, generation = identity->generation](ConsumerCore& core,
                                                                              Result<Reply> reply) {
                    --core.commits_in_flight_;
                    const Error error =
                        reply ? commitError(readOffsetCommit(*reply)) : reply.error();
                    if (error.code == Errc::kNone) return finish(core, {});
                    if (coordinatorMoved(error.code)) core.coordinatorLost();
                    if (core.membership_.generation() == generation) {
                      std::ignore = core.membership_.commitRefused(error.code);
                    }
                    finish(core, std::unexpected(error));
                  }));
}

void ConsumerCore::autoCommitIfDue() {
  if (!auto_commit_) return;
  const Millis now_ms = monotonicNow();
  if (next_auto_commit_ms_ == 0) next_auto_commit_ms_ = now_ms + auto_commit_interval_ms_;
  if (now_ms < next_auto_commit_ms_) return;
  if (!coordinator_) return askCoordinator();
  next_auto_commit_ms_ = now_ms + auto_commit_interval_ms_;
  CommitOffsets offsets = positions_.committable();
  if (!offsets.empty()) sendCommit(PendingCommit{std::move(offsets), {}});
}

/// Before partitions go: waits, because afterwards it is too late.
void ConsumerCore::autoCommitNow(Lock& lock, Duration limit) {
  if (!auto_commit_) return;
  const CommitOffsets offsets = positions_.committable();
  if (offsets.empty() || (subscribed_ && membership_.generation() < 0)) return;
  const TimePoint deadline = std::chrono::steady_clock::now() + limit;
  bool retry = true;
  Status status;
  while (retry && std::chrono::steady_clock::now() < deadline) {
    status = commitOnce(lock, offsets, deadline, retry);
    if (retry) pause(lock, Duration(config_.common.retry_backoff_ms));
  }
  if (!status) {
    MILLRACE_LOG_WARN(
        "group {}: auto-commit before a rebalance failed, records may be read "
        "again: {}",
        group_, status.error().toString());
  }
}

}  // namespace millrace::client
