// Group commit: whether a round waits for others to share it. Decisions only; the journal waits.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>
#include <optional>

namespace millrace::log {

/// Producers that wait for their acknowledgement come back as soon as they have it. Whoever misses
/// a round waits for two, and each round costs the processors something: it is a bargain to let
/// many into one. But while all of them wait for the disk, nobody works. So where they all come
/// back within a round's time, a round waits for all; where that takes longer, only for so many
/// that the rest comes while the disk works. Where nobody comes, the wait is soon over.
///
/// Where the processors have no idle moment as it is, nobody works less for a round that waits
/// longer, and its own cost is shared by more: it is held back, longer from round to round, until
/// one of them had nothing to do. Used by one thread at a time.
class Company {
 public:
  using Clock = std::chrono::steady_clock;
  /// A round is not worth waiting for others where it takes less: to be woken takes as long.
  static constexpr std::chrono::microseconds kQuickRound{200};
  /// No round waits longer, unless it takes twice as long itself.
  static constexpr std::chrono::milliseconds kLongest{2};
  /// Whoever did not run in less time says nothing of the processors: to be woken takes as long.
  static constexpr std::chrono::microseconds kTooShortToTell{100};

  /// The last round is done. `expected`: how many appends it let go and how many came meanwhile.
  void done(Clock::time_point begun, Clock::time_point now, std::size_t expected) {
    // One round that somebody else's writing held up says little of the next.
    usual_ += (std::min<Clock::duration>(now - begun, 4 * usual_ + kQuickRound) - usual_) / 8;
    last_done_ = now;
    expected_ = expected;
  }
  /// The next round begins. `idled`: whether a processor was idle since the last one began.
  void begins(Clock::time_point now, bool idled) {
    const bool tells = idled || now - last_begun_ >= kTooShortToTell;
    last_begun_ = now;
    if (!tells) return;
    hold_ = idled ? hold_ / 2 : std::min<Clock::duration>(hold_ * 5 / 4 + kHoldStep, kLongest);
  }
  /// So long after the last round the next one begins at the earliest.
  [[nodiscard]] Clock::duration hold() const { return hold_; }
  /// What a round takes by and by.
  [[nodiscard]] Clock::duration usual() const { return usual_; }
  /// From one append to the next by and by, while a round waits for them.
  [[nodiscard]] Clock::duration pace() const { return pace_; }
  /// So many appends make a round that waits no longer.
  [[nodiscard]] std::size_t enough() const {
    if (pace_ * static_cast<long>(expected_) <= usual_) return expected_;
    return expected_ - static_cast<std::size_t>(usual_ / pace_);
  }

  /// Until then, or until so many appends are there.
  struct Pause {
    Clock::time_point until;
    std::size_t appends;
  };
  /// One round's wait: ask, wait as it says, ask again.
  class Wait {
   public:
    explicit Wait(Company& company) : company_(company) {}
    /// With so many appends in the round: how to wait for more; nothing: it is to begin.
    [[nodiscard]] std::optional<Pause> next(std::size_t here, Clock::time_point now) {
      if (const auto pause = heldBack(here, now)) return pause;
      const bool nobody_came = here_ == here;
      if (!here_) {
        begun_ = now;
        first_ = here;
      }
      here_ = here;
      const Clock::time_point latest = company_.latest();
      const std::size_t enough = company_.enough();
      if (now >= latest || here >= enough || nobody_came) {
        if (here > first_) company_.came(here - first_, now - begun_);
        return std::nullopt;
      }
      return Pause{std::min(latest, now + company_.step(enough - here)), enough};
    }

   private:
    /// Only as long as others come.
    [[nodiscard]] std::optional<Pause> heldBack(std::size_t here, Clock::time_point now) {
      if (hold_over_) return std::nullopt;
      const Clock::time_point over = company_.last_done_ + company_.hold_;
      const bool nobody_came = held_with_ == here;
      if (nobody_came) company_.hold_ /= 2;
      hold_over_ = nobody_came || now >= over;
      if (hold_over_) return std::nullopt;
      held_with_ = here;
      const Clock::time_point look = now + std::max<Clock::duration>(company_.hold_ / 4, kLook);
      return Pause{std::min(over, look), std::numeric_limits<std::size_t>::max()};
    }

    Company& company_;
    bool hold_over_ = false;
    /// How many were there when a round that is held back was looked at last.
    std::optional<std::size_t> held_with_;
    /// How many were there when it was asked last, and first.
    std::optional<std::size_t> here_;
    std::size_t first_ = 0;
    Clock::time_point begun_;
  };
  [[nodiscard]] Wait wait() { return Wait(*this); }

 private:
  /// From nothing to something.
  static constexpr std::chrono::microseconds kHoldStep{10};
  /// A round that is held back looks for others not more often.
  static constexpr std::chrono::microseconds kLook{50};

  /// When the next round begins in any case.
  [[nodiscard]] Clock::time_point latest() const {
    if (usual_ < kQuickRound) return last_done_;
    return last_done_ +
           std::max<Clock::duration>(usual_ / 2, std::min<Clock::duration>(4 * usual_, kLongest));
  }
  /// How long to wait for so many before asking whether anybody came at all.
  [[nodiscard]] Clock::duration step(std::size_t missing) const {
    const Clock::duration shortest = usual_ / 8;
    if (pace_ >= shortest) return shortest;
    return std::max(pace_ * static_cast<long>(missing), shortest);
  }
  void came(std::size_t appends, Clock::duration within) {
    pace_ += (within / static_cast<long>(appends) - pace_) / 8;
  }

  std::size_t expected_ = 0;
  Clock::time_point last_done_;
  Clock::time_point last_begun_;
  Clock::duration hold_{};
  Clock::duration usual_{};
  Clock::duration pace_{};
};

}  // namespace millrace::log
