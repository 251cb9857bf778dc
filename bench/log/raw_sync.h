// Two sides of one comparison: turns that they take, and what the disk itself can do.
#pragma once

#include "bench/log/support.h"
#include "log/journal/format.h"

#include <algorithm>
#include <numeric>
#include <thread>
#include <vector>

namespace millrace::bench {

/// The sides take turns of this length, so that none has the quieter machine or disk.
inline constexpr double kTurnSeconds = 0.2;

/// All turns of one side.
struct Turns {
  Pace sum;
  std::vector<double> rates;
  void add(const Pace& turn) {
    sum.units += turn.units;
    sum.seconds += turn.seconds;
    rates.push_back(turn.rate());
  }
  /// The turn in the middle: what somebody else's writing did to one turn is not in it.
  [[nodiscard]] double median() {
    const auto middle = rates.begin() + static_cast<std::ptrdiff_t>(rates.size() / 2);
    std::ranges::nth_element(rates, middle);
    return *middle;
  }
};

/// One write and one fdatasync for all requests that are under way, over and over in a file whose
/// blocks are all there; nothing else.
class RawSync {
 public:
  RawSync(const LogBenchOptions& options, std::size_t batch_bytes, std::size_t requests)
      : dir_(options),
        file_(orDie(systemFiles().open(dir_.path("raw"), OpenMode::kCreate))),
        round_(batch_bytes * requests, 'r'),
        requests_(static_cast<double>(requests)) {
    const Bytes zeros(1 << 20, '\0');
    for (std::uint64_t at = 0; at < kFileBytes; at += zeros.size()) {
      const BytesView part = zeros;
      orDie(file_->write(at, std::span(&part, 1)));
    }
    orDie(file_->sync());
  }
  /// The same with the requests divided among so many threads, each with rounds of its own in a
  /// part of the file: a disk may take several at a time.
  Pace turn(double seconds, std::size_t rounds_in_flight) {
    const std::size_t share = std::max<std::size_t>(round_.size() / rounds_in_flight, 1);
    std::vector<double> done(rounds_in_flight);
    const Stopwatch watch;
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < rounds_in_flight; ++i)
        threads.emplace_back([this, share, seconds, rounds_in_flight, &watch, &done, i] {
          const std::uint64_t room = kFileBytes / rounds_in_flight;
          const BytesView bytes = BytesView(round_).substr(0, share);
          std::uint64_t at = 0;
          do {
            if (at + share > room) at = 0;
            orDie(file_->write(i * room + at, std::span(&bytes, 1)));
            orDie(file_->sync());
            at = log::journal::aligned(at + share);
            done[i] += requests_ / static_cast<double>(rounds_in_flight);
          } while (watch.seconds() < seconds);
        });
    }
    return {std::accumulate(done.begin(), done.end(), 0.0), watch.seconds()};
  }
  Pace turn(double seconds) {
    Pace pace;
    const Stopwatch watch;
    do {
      if (at_ + round_.size() > kFileBytes) at_ = 0;
      const BytesView bytes = round_;
      orDie(file_->write(at_, std::span(&bytes, 1)));
      orDie(file_->sync());
      at_ = log::journal::aligned(at_ + round_.size());
      pace.units += requests_;
    } while (watch.seconds() < seconds);
    pace.seconds = watch.seconds();
    return pace;
  }

 private:
  static constexpr std::uint64_t kFileBytes = 64ULL << 20;
  TempDir dir_;
  std::shared_ptr<File> file_;
  Bytes round_;
  double requests_;
  std::uint64_t at_ = 0;
};

}  // namespace millrace::bench
