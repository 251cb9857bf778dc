// Whether a round of group commit waits for others: the decision with a clock of its own, and the
// journal that follows it.
#include "log/journal/company.h"

#include "log/journal/journal.h"
#include "tests/log/support/temp_dir.h"
#include "tests/support/forwarding_files.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace millrace::log {
namespace {

using namespace std::chrono_literals;
using Clock = Company::Clock;

class CompanyTest : public ::testing::Test {
 protected:
  /// Rounds of this length until that is the usual one; each let `appends` go.
  void rounds(Clock::duration took, std::size_t appends, int count = 200) {
    for (int i = 0; i < count; ++i) {
      company_.done(now_, now_ + took, appends);
      now_ += took;
    }
  }
  /// A wait in which appends come like this, until it ends; how many are there then.
  std::size_t waitWhile(Clock::duration pace, std::size_t coming) {
    auto wait = company_.wait();
    const auto begun = now_;
    const auto here = [&] {
      return std::min(coming, static_cast<std::size_t>((now_ - begun) / pace));
    };
    while (const auto pause = wait.next(here(), now_)) {
      // The journal is woken by the last append that it waits for.
      const auto appends = static_cast<int>(std::min<std::size_t>(pause->appends, 1 << 20));
      now_ = std::max(now_, std::min(pause->until, begun + pace * appends));
    }
    return here();
  }
  static double micros(Clock::duration d) {
    return std::chrono::duration<double, std::micro>(d).count();
  }
  Company company_;
  Clock::time_point now_{1h};
};

TEST_F(CompanyTest, TheFirstRoundBeginsAtOnce) {
  auto wait = company_.wait();
  EXPECT_FALSE(wait.next(1, now_));
}

TEST_F(CompanyTest, QuickRoundsDoNotWait) {
  rounds(199us, 10);
  auto wait = company_.wait();
  EXPECT_FALSE(wait.next(1, now_));
}

TEST_F(CompanyTest, ARoundWaitsAnEighthOfTheUsualTimeForEachArrivalAndHalfOfItInAll) {
  rounds(8000us, 10);
  ASSERT_NEAR(micros(company_.usual()), 8000, 2);
  auto wait = company_.wait();
  const auto begun = now_;
  const auto first = wait.next(1, now_);
  ASSERT_TRUE(first);
  EXPECT_NEAR(micros(first->until - begun), 1000, 2);
  // One comes each time, just in time: half of a round is the most.
  std::size_t here = 1;
  auto pause = first;
  while (pause) {
    EXPECT_LE(pause->until, begun + 4000us);
    now_ = pause->until;
    pause = wait.next(++here, now_);
  }
  EXPECT_NEAR(micros(now_ - begun), 4000, 2);
  EXPECT_LT(here, company_.enough());
}

TEST_F(CompanyTest, ARoundBeginsWhenNobodyCameDuringAWait) {
  rounds(8000us, 10);
  auto wait = company_.wait();
  const auto pause = wait.next(3, now_);
  ASSERT_TRUE(pause);
  EXPECT_FALSE(wait.next(3, pause->until));
  auto next_round = company_.wait();
  EXPECT_TRUE(next_round.next(3, now_)) << "the next round's wait begins anew";
}

TEST_F(CompanyTest, ARoundBeginsWhenAllThatTheLastOneLetGoAreBack) {
  rounds(8000us, 10);
  auto wait = company_.wait();
  EXPECT_TRUE(wait.next(9, now_));
  EXPECT_FALSE(wait.next(10, now_));
  auto all_there = company_.wait();
  EXPECT_FALSE(all_there.next(11, now_));
}

TEST_F(CompanyTest, AllComeAlongWhereTheyAreBackWithinARound) {
  rounds(400us, 64);
  for (int i = 0; i < 100; ++i) {
    rounds(400us, 64, 1);
    EXPECT_EQ(waitWhile(3us, 64), 64U);
  }
  EXPECT_NEAR(micros(company_.pace()), 3, 0.1);
}

TEST_F(CompanyTest, WhereAllTakeLongerThanARoundTheRestComesWhileTheDiskWorks) {
  rounds(400us, 300);
  std::size_t shared = 0;
  for (int i = 0; i < 100; ++i) {
    rounds(400us, 300, 1);
    shared = waitWhile(5us, 300);
  }
  EXPECT_NEAR(static_cast<double>(shared), 300 - 400 / 5, 3);
}

TEST_F(CompanyTest, NoRoundWaitsMuchLongerThanItTakes) {
  rounds(400us, 100'000);
  for (int i = 0; i < 100; ++i) {
    rounds(400us, 100'000, 1);
    const auto begun = now_;
    (void)waitWhile(20us, 100'000);
    EXPECT_LE(now_ - begun, 1600us + 1us);
  }
}

TEST_F(CompanyTest, WhereTheyComeSeldomAWaitForTheNextOneIsShort) {
  rounds(400us, 40);
  for (int i = 0; i < 100; ++i) {
    rounds(400us, 40, 1);
    (void)waitWhile(45us, 40);
  }
  EXPECT_NEAR(micros(company_.pace()), 45, 5);
  rounds(240us, 40);
  auto wait = company_.wait();
  const auto pause = wait.next(1, now_);
  ASSERT_TRUE(pause);
  EXPECT_NEAR(micros(pause->until - now_), 30, 1);
}

TEST_F(CompanyTest, ARoundThatCameLateDoesNotWait) {
  rounds(8000us, 10);
  auto wait = company_.wait();
  EXPECT_FALSE(wait.next(1, now_ + 4001us));
}

TEST_F(CompanyTest, OneSlowRoundSaysLittleOfTheNext) {
  rounds(1000us, 10);
  rounds(10s, 10, 1);
  EXPECT_LT(company_.usual(), 1600us);
}

/// A round begins after each of these times, and no processor had been idle.
class HeldRounds : public CompanyTest {
 protected:
  void busy(int count, Clock::duration apart = 300us) {
    for (int i = 0; i < count; ++i) company_.begins(now_ += apart, false);
  }
};

TEST_F(HeldRounds, WhileNoProcessorIsIdleRoundsAreHeldLongerAndLonger) {
  busy(1);
  const auto first = company_.hold();
  EXPECT_GT(first, 0us);
  busy(1);
  EXPECT_GT(company_.hold(), first);
  busy(100);
  EXPECT_EQ(company_.hold(), Company::kLongest);
}

TEST_F(HeldRounds, AnIdleProcessorShortensThem) {
  busy(100);
  company_.begins(now_ += 300us, true);
  EXPECT_EQ(company_.hold(), Clock::duration(Company::kLongest) / 2);
  for (int i = 0; i < 200; ++i) company_.begins(now_ += 300us, true);
  EXPECT_EQ(company_.hold(), 0us);
}

TEST_F(HeldRounds, RoundsTooShortToTellChangeNothing) {
  busy(3);
  const auto before = company_.hold();
  busy(100, Company::kTooShortToTell - 1us);
  EXPECT_EQ(company_.hold(), before);
}

TEST_F(HeldRounds, AQuickRoundIsHeldAsLongAsOthersCome) {
  rounds(50us, 1);  // by itself it would not wait
  busy(100);
  const auto begun = now_;
  rounds(50us, 1, 1);
  EXPECT_NEAR(static_cast<double>(waitWhile(20us, 100'000)), 2000 / 20, 2);
  EXPECT_EQ(now_ - begun, 50us + Company::kLongest);
  EXPECT_EQ(company_.hold(), Company::kLongest);
}

/// As where another program takes all processors, and there is one producer.
TEST_F(HeldRounds, WhereNobodyComesTheHoldIsSoonOver) {
  rounds(50us, 1);
  for (int i = 0; i < 1000; ++i) {
    busy(1);
    rounds(50us, 1, 1);
    const auto begun = now_;
    auto wait = company_.wait();
    while (const auto pause = wait.next(1, now_)) now_ = pause->until;
    EXPECT_LE(now_ - begun, 30us);
  }
}

/// Each sync takes 10 ms of a clock that nothing else moves.
class SlowFiles final : public ForwardingFiles {
 public:
  explicit SlowFiles(Clock::time_point now) : now_(now) {}
  [[nodiscard]] Clock::time_point now() const { return now_.load(); }
  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override {
    MILLRACE_TRY(auto file, ForwardingFiles::open(path, mode));
    return std::make_shared<SlowFile>(*this, std::move(file));
  }

 private:
  class SlowFile final : public ForwardingFile {
   public:
    SlowFile(SlowFiles& files, std::shared_ptr<File> file)
        : ForwardingFile(std::move(file)), files_(files) {}
    Status sync() override {
      files_.now_.store(files_.now_.load() + 10ms);
      return {};
    }

   private:
    SlowFiles& files_;
  };
  std::atomic<Clock::time_point> now_;
};

/// A journal that has seen slow rounds of three appends each.
class JournalCompany : public ::testing::Test {
 protected:
  void begin(Clock::time_point now) {
    files_ = std::make_unique<SlowFiles>(now);
    journal_ = std::make_unique<Journal>(Journal::Options{
        .files = files_.get(), .directory = dir_.path("."), .file_bytes = 4 << 20, .now = [this] {
          return files_->now();
        }});
    ASSERT_TRUE(files_->createDirectories(dir_.path("t-0")));
    segment_ = files_->open(dir_.path("t-0/segment"), OpenMode::kCreate).value();
    for (int round = 0; round < 40; ++round) {
      for (int i = 0; i < 3; ++i) add();
      ASSERT_TRUE(journal_->commit().status);
    }
  }
  void add() {
    const BytesView bytes = "batch";
    ASSERT_TRUE(journal_->append(log_, segment_, std::span(&bytes, 1)));
  }

  test::TempDir dir_;
  std::unique_ptr<SlowFiles> files_;
  std::unique_ptr<Journal> journal_;
  std::shared_ptr<File> segment_;
  std::shared_ptr<JournaledLog> log_ = std::make_shared<JournaledLog>(
      journal::LogKey{Uuid{1, 1}, {"t", PartitionIndex{0}}}, dir_.path("t-0"), false);
};

/// Its clock is an hour ahead: only the last expected append ends the wait.
TEST_F(JournalCompany, ARoundIsSharedByAllThatComeBack) {
  begin(Clock::now() + 1h);
  const auto before = journal_->counters().rounds;
  add();
  std::jthread committer([this] { EXPECT_TRUE(journal_->commit().status); });
  add();
  add();
  committer.join();
  EXPECT_EQ(journal_->counters().rounds, before + 1);
  EXPECT_FALSE(journal_->hasGathered()) << "somebody was left out";
}

/// Its clock is an hour behind: every wait is over at once.
TEST_F(JournalCompany, ARoundDoesNotWaitForThoseWhoDoNotCome) {
  begin(Clock::now() - 1h);
  add();
  EXPECT_TRUE(journal_->commit().status);
  EXPECT_FALSE(journal_->hasGathered());
}

}  // namespace
}  // namespace millrace::log
