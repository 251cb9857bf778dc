// Replies of one connection in the order of its requests, whatever order they are ready in. No I/O
// of its own.
#pragma once

#include "protocol/frame.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

namespace millrace::broker {

/// Each request takes a place when it arrives; its reply leaves when all places before it are done.
class ReplyQueue {
 public:
  using Place = std::uint64_t;

  [[nodiscard]] Place open() {
    slots_.emplace_back();
    ++unanswered_;
    return first_ + slots_.size() - 1;
  }
  /// The reply is ready; none where the request has no answer.
  void fill(Place place, std::optional<protocol::Frame> reply) {
    Slot& slot = slots_[static_cast<std::size_t>(place - first_)];
    slot.done = true;
    --unanswered_;
    if (reply) slot.reply = std::move(*reply);
    slot.has_reply = reply.has_value();
    bytes_ += slot.reply.bytesInMemory();
  }
  /// The connection ends once the replies before this place have left; those behind never leave.
  void fillWithClose(Place place) {
    Slot& slot = slots_[static_cast<std::size_t>(place - first_)];
    slot.done = true;
    --unanswered_;
    slot.closes = true;
  }
  /// Removes and returns the next reply that may leave; places without an answer are skipped.
  [[nodiscard]] std::optional<protocol::Frame> next() {
    while (!slots_.empty() && slots_.front().done && !slots_.front().closes) {
      Slot slot = std::move(slots_.front());
      slots_.pop_front();
      ++first_;
      bytes_ -= slot.reply.bytesInMemory();
      if (slot.has_reply) return std::move(slot.reply);
    }
    return std::nullopt;
  }
  /// Whether the next thing to do is to close.
  [[nodiscard]] bool mustClose() const { return !slots_.empty() && slots_.front().closes; }
  /// Requests whose reply has not been taken yet.
  [[nodiscard]] std::size_t waiting() const { return slots_.size(); }
  /// Requests that a handler works on.
  [[nodiscard]] std::size_t unanswered() const { return unanswered_; }
  /// What the replies in here hold in memory.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Slot {
    protocol::Frame reply;
    bool done = false;
    bool has_reply = false;
    bool closes = false;
  };
  std::deque<Slot> slots_;
  Place first_ = 0;
  std::size_t unanswered_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace millrace::broker
