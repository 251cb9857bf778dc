// Group commit: whether a round waits for others to share it. Decisions only; the journal waits.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>

namespace millrace::log {

/// Producers that wait for their acknowledgement come back as soon as they have it. Whoever misses
/// a round waits for two: a wait of half a round that lets all of them into it is a bargain, and
/// where nobody comes it is soon over. Used by one thread at a time.
class Company {
 public:
  using Clock = std::chrono::steady_clock;
  /// A round is not worth waiting for others where it takes less: to be woken takes as long.
  static constexpr std::chrono::microseconds kQuickRound{200};

  /// The last round is done. `expected`: how many appends it let go and how many came meanwhile.
  void done(Clock::time_point begun, Clock::time_point now, std::size_t expected) {
    // One round that somebody else's writing held up says little of the next.
    usual_ += (std::min<Clock::duration>(now - begun, 4 * usual_ + kQuickRound) - usual_) / 8;
    last_done_ = now;
    expected_ = expected;
  }
  /// So many appends make a round that waits no longer.
  [[nodiscard]] std::size_t expected() const { return expected_; }
  /// What a round takes by and by.
  [[nodiscard]] Clock::duration usual() const { return usual_; }

  /// One round's wait: ask, wait until then or for the expected append, ask again.
  class Wait {
   public:
    explicit Wait(const Company& company) : company_(company) {}
    /// With so many appends in the round: until when to wait for more; nothing: it is to begin.
    [[nodiscard]] std::optional<Clock::time_point> next(std::size_t here, Clock::time_point now) {
      const Clock::duration usual = company_.usual_;
      const Clock::time_point latest = company_.last_done_ + usual / 2;
      const bool nobody_came = here_ == here;
      here_ = here;
      if (usual < kQuickRound || now >= latest || here >= company_.expected_ || nobody_came)
        return std::nullopt;
      return std::min(latest, now + usual / 8);
    }

   private:
    const Company& company_;
    std::optional<std::size_t> here_;
  };
  [[nodiscard]] Wait wait() const { return Wait(*this); }

 private:
  std::size_t expected_ = 0;
  Clock::time_point last_done_;
  Clock::duration usual_{};
};

}  // namespace millrace::log
