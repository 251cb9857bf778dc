#include "client/sequencer.h"

#include "record/batch.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <tuple>
#include <vector>

namespace millrace::client {
namespace {

constexpr ProducerIdentity kMe{7, 0};

/// One whose first batch, of one record, the broker has acknowledged.
PartitionSequencer introduced() {
  PartitionSequencer s;
  const auto first = s.start(1, kMe);
  EXPECT_EQ(s.answered(first.ticket, Errc::kNone, 0, 0), Verdict::kDone);
  return s;
}

TEST(Sequencer, NamesBatchesInOrder) {
  PartitionSequencer s = introduced();
  EXPECT_EQ(s.start(3, kMe).base_sequence, 1);
  EXPECT_EQ(s.start(2, kMe).base_sequence, 4);
  EXPECT_EQ(s.start(1, kMe).base_sequence, 6);
}

TEST(Sequencer, OneBatchAtATimeUntilTheBrokerKnowsTheName) {
  PartitionSequencer s;
  const auto a = s.start(3, kMe);
  EXPECT_FALSE(s.mayStartNew());
  EXPECT_EQ(s.answered(a.ticket, Errc::kNetworkException, -1, -1), Verdict::kRetry);
  EXPECT_FALSE(s.mayStartNew());
  std::ignore = s.restart(a.ticket);
  EXPECT_FALSE(s.mayStartNew());
  EXPECT_EQ(s.answered(a.ticket, Errc::kDuplicateSequenceNumber, -1, -1), Verdict::kDone);
  const auto b = s.start(1, kMe);
  EXPECT_TRUE(s.mayStartNew());
  // A new name is again unknown.
  EXPECT_EQ(s.answered(b.ticket, Errc::kInvalidProducerEpoch, -1, -1), Verdict::kRetryRenamed);
  s.rename(ProducerIdentity{7, 1});
  std::ignore = s.restart(b.ticket);
  EXPECT_FALSE(s.mayStartNew());
}

TEST(Sequencer, WithoutIdentityThereAreNoSequences) {
  PartitionSequencer s;
  const auto entry = s.start(3, ProducerIdentity{});
  EXPECT_EQ(entry.base_sequence, -1);
  EXPECT_EQ(s.answered(entry.ticket, Errc::kNone, 10, 0), Verdict::kDone);
}

TEST(Sequencer, RetriedBatchKeepsItsNameAndGoesFirst) {
  PartitionSequencer s = introduced();
  const auto a = s.start(3, kMe);
  const auto b = s.start(2, kMe);
  EXPECT_EQ(s.answered(a.ticket, Errc::kNotLeaderOrFollower, -1, -1), Verdict::kRetry);
  EXPECT_FALSE(s.mayStartNew());
  EXPECT_EQ(s.retryable(), a.ticket);
  // The follower was refused because the first one is missing: it waits for its turn.
  EXPECT_EQ(s.answered(b.ticket, Errc::kOutOfOrderSequenceNumber, -1, -1), Verdict::kRetry);
  EXPECT_EQ(s.restart(a.ticket).base_sequence, 1);
  EXPECT_EQ(s.retryable(), std::nullopt);
  EXPECT_EQ(s.answered(a.ticket, Errc::kNone, 100, 0), Verdict::kDone);
  EXPECT_EQ(s.retryable(), b.ticket);
  EXPECT_EQ(s.restart(b.ticket).base_sequence, 4);
  EXPECT_TRUE(s.mayStartNew());
}

TEST(Sequencer, DuplicateCountsAsWritten) {
  PartitionSequencer s;
  const auto a = s.start(1, kMe);
  EXPECT_EQ(s.answered(a.ticket, Errc::kDuplicateSequenceNumber, -1, -1), Verdict::kDone);
}

TEST(Sequencer, RefusedBatchFreesItsNumbers) {
  PartitionSequencer s = introduced();
  const auto a = s.start(3, kMe);
  const auto b = s.start(2, kMe);
  EXPECT_EQ(s.answered(a.ticket, Errc::kMessageTooLarge, -1, -1), Verdict::kFail);
  // The follower left as number 4; renumbered to 1 it must go again, without a new identity.
  EXPECT_EQ(s.answered(b.ticket, Errc::kOutOfOrderSequenceNumber, -1, -1), Verdict::kRetry);
  EXPECT_FALSE(s.needsRename());
  EXPECT_EQ(s.restart(b.ticket).base_sequence, 1);
  EXPECT_EQ(s.start(1, kMe).base_sequence, 3);
}

TEST(Sequencer, BrokerThatForgotUsForcesANewName) {
  PartitionSequencer s;
  const auto a = s.start(3, kMe);
  EXPECT_EQ(s.answered(a.ticket, Errc::kNone, 0, 0), Verdict::kDone);
  const auto b = s.start(2, kMe);
  const auto c = s.start(2, kMe);
  EXPECT_EQ(s.answered(b.ticket, Errc::kUnknownProducerId, -1, 50), Verdict::kRetryRenamed);
  EXPECT_TRUE(s.needsRename());
  EXPECT_EQ(s.retryable(), std::nullopt);  // not before the rename
  EXPECT_TRUE(s.anyInNetwork());
  EXPECT_EQ(s.answered(c.ticket, Errc::kOutOfOrderSequenceNumber, -1, -1), Verdict::kRetry);
  s.rename(ProducerIdentity{7, 1});
  const auto again = s.restart(b.ticket);
  EXPECT_EQ(again.base_sequence, 0);
  EXPECT_EQ(again.identity, (ProducerIdentity{7, 1}));
  EXPECT_EQ(s.answered(b.ticket, Errc::kNone, 60, 50), Verdict::kDone);
  EXPECT_EQ(s.restart(c.ticket).base_sequence, 2);
}

TEST(Sequencer, AbandonedAttemptForcesANewName) {
  PartitionSequencer s;
  const auto a = s.start(3, kMe);
  EXPECT_EQ(s.answered(a.ticket, Errc::kRequestTimedOut, -1, -1), Verdict::kRetry);
  s.abandon(a.ticket, true);
  EXPECT_TRUE(s.needsRename());
  s.rename(ProducerIdentity{7, 1});
  EXPECT_EQ(s.start(1, ProducerIdentity{7, 1}).base_sequence, 0);
}

TEST(Sequencer, AdoptsANewIdentityOnceAllIsAcknowledged) {
  PartitionSequencer s = introduced();
  const auto a = s.start(1, kMe);
  const ProducerIdentity fresh{7, 1};
  EXPECT_EQ(s.start(1, fresh).identity, kMe);  // the old name until the partition is quiet
  EXPECT_EQ(s.answered(a.ticket, Errc::kNone, 0, 0), Verdict::kDone);
  EXPECT_EQ(s.answered(s.unacknowledged().front().ticket, Errc::kNone, 1, 0), Verdict::kDone);
  const auto next = s.start(1, fresh);
  EXPECT_EQ(next.identity, fresh);
  EXPECT_EQ(next.base_sequence, 0);
}

/// A broker that loses answers and refuses at random, and takes any number from a producer that it
/// does not know: whatever happens, its log has every batch once, in order.
TEST(Sequencer, LogHasEveryBatchOnceWhateverTheNetworkDoes) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    PartitionSequencer s;
    std::vector<int> log;                  // payloads as the broker appended them
    std::optional<std::int32_t> expected;  // the broker's next sequence
    std::map<PartitionSequencer::Ticket, int> payload;
    int next = 0;
    int done = 0;
    const auto deliver = [&](const PartitionSequencer::Entry& entry) {
      Errc answer = Errc::kNone;
      const int fate = static_cast<int>(random() % 6);
      if (fate == 0) {
        answer = Errc::kNetworkException;  // lost on the way there
      } else if (entry.base_sequence == expected.value_or(entry.base_sequence)) {
        log.push_back(payload[entry.ticket]);
        expected = record::addToSequence(entry.base_sequence, entry.count);
        if (fate == 1) answer = Errc::kNetworkException;  // written, the answer is lost
      } else {
        answer = entry.base_sequence < *expected ? Errc::kDuplicateSequenceNumber
                                                 : Errc::kOutOfOrderSequenceNumber;
      }
      const Verdict verdict = s.answered(entry.ticket, answer, -1, -1);
      ASSERT_NE(verdict, Verdict::kFail);
      ASSERT_NE(verdict, Verdict::kRetryRenamed);
      if (verdict == Verdict::kDone) ++done;
    };
    std::deque<PartitionSequencer::Entry> wire;
    while (done < 30) {
      if (const auto ticket = s.retryable()) {
        wire.push_back(s.restart(*ticket));
      } else if (next < 30 && s.mayStartNew() && s.unacknowledged().size() < 5) {
        const auto entry = s.start(1 + static_cast<std::int32_t>(random() % 3), kMe);
        payload[entry.ticket] = next++;
        wire.push_back(entry);
        if (random() % 2 == 0) continue;  // pipeline
      }
      if (wire.empty()) continue;
      deliver(wire.front());
      wire.pop_front();
    }
    ASSERT_EQ(log.size(), 30U);
    for (int i = 0; i < 30; ++i) ASSERT_EQ(log[static_cast<std::size_t>(i)], i);
  }
}

}  // namespace
}  // namespace millrace::client
