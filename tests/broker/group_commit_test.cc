// flush.on.ack: an answer leaves when the bytes are on disk, never before.
#include "broker/group_commit.h"

#include "base/net/gate_impl.h"
#include "log/journal/journal.h"
#include "tests/broker/support/requests.h"
#include "tests/broker/support/test_broker.h"
#include "tests/support/forwarding_files.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <latch>
#include <mutex>
#include <thread>

namespace millrace::broker::testing {
namespace {

/// The machine's files, but syncs wait while they are held, and fail when told so.
class HeldFiles final : public ForwardingFiles {
 public:
  void hold() { setHeld(true); }
  void release() { setHeld(false); }
  void failSyncs() {
    const std::lock_guard lock(mutex_);
    fail_ = true;
  }
  /// Returns when a sync waits.
  void awaitSync() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }

  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override {
    MILLRACE_TRY(auto file, ForwardingFiles::open(path, mode));
    return std::make_shared<HeldFile>(*this, std::move(file));
  }

 private:
  class HeldFile final : public ForwardingFile {
   public:
    HeldFile(HeldFiles& files, std::shared_ptr<File> file)
        : ForwardingFile(std::move(file)), files_(files) {}
    Status sync() override {
      MILLRACE_CHECK_OK(files_.pass());
      return ForwardingFile::sync();
    }

   private:
    HeldFiles& files_;
  };

  void setHeld(bool held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  Status pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_; });
    --waiting_;
    return fail_ ? fail(Errc::kIo, "the disk is gone") : Status{};
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  bool fail_ = false;
  int waiting_ = 0;
};

/// The first two shards append to two logs of one journal.
class GroupCommitTest : public ::testing::Test {
 protected:
  explicit GroupCommitTest(int shards = 2) : shards_(shards) {
    shards_.start();
    for (int i = 0; i < 2; ++i) {
      const std::string path = directory_.path() + "/t-" + std::to_string(i);
      EXPECT_TRUE(files_.createDirectories(path));
      segments_.push_back(files_.open(path + "/segment", OpenMode::kCreate).value());
      logs_.push_back(std::make_shared<log::JournaledLog>(
          log::journal::LogKey{Uuid{1, 1}, {"t", PartitionIndex{i}}}, path, false));
    }
  }
  ~GroupCommitTest() override {
    files_.release();
    commit_.quiesce();
    shards_.stop();
  }

  /// Appends on a shard and notes it there; returns the round.
  GroupCommit::Round append(int shard) {
    GroupCommit::Round round = 0;
    std::latch done(1);
    shards_.at(shard).post([&] {
      const BytesView bytes = "some batch";
      const auto i = static_cast<std::size_t>(shard);
      round = journal_.append(logs_[i], segments_[i], std::span(&bytes, 1)).value_or(0);
      commit_.note({round, {Uuid{1, 1}, shard}, Offset{1}, 10});
      done.count_down();
    });
    done.wait();
    return round;
  }
  Status wait(int shard, GroupCommit::Round round,
              GroupCommit::Settled where = GroupCommit::Settled::kOnAllShards) {
    return runAndWait(shards_.at(shard).executor(), commit_.wait(round, where));
  }
  int settled(int shard) {
    int count = 0;
    std::latch done(1);
    shards_.at(shard).post([&] {
      count = settled_[shard];
      done.count_down();
    });
    done.wait();
    return count;
  }

  millrace::TempDir directory_;
  HeldFiles files_;
  log::Journal journal_{{.files = &files_, .directory = directory_.path(), .file_bytes = 1 << 20}};
  ShardPool shards_;
  BlockingPool blocking_{2};
  int settled_[2] = {0, 0};
  int failed_[2] = {0, 0};
  GroupCommit commit_{shards_, blocking_, journal_,
                      [this](const GroupCommit::Noted& noted, const Status& status) {
                        ++(status ? settled_ : failed_)[noted.partition.partition];
                      }};
  std::vector<std::shared_ptr<File>> segments_;
  std::vector<std::shared_ptr<log::JournaledLog>> logs_;
};

TEST_F(GroupCommitTest, NobodyGoesOnBeforeTheSync) {
  const auto first = append(0);
  ASSERT_TRUE(wait(0, first));
  EXPECT_EQ(settled(0), 1);

  files_.hold();
  const auto second = append(0);
  std::atomic<bool> acknowledged = false;
  std::jthread waiter([&] {
    EXPECT_TRUE(wait(0, second));
    EXPECT_EQ(settled(0), 2) << "settled before whoever waits goes on";
    acknowledged = true;
  });
  files_.awaitSync();
  EXPECT_EQ(settled(0), 1);
  EXPECT_FALSE(acknowledged);
  files_.release();
  waiter.join();
  EXPECT_TRUE(acknowledged);
}

TEST_F(GroupCommitTest, WhatComesDuringASyncSharesTheNextRound) {
  ASSERT_TRUE(wait(0, append(0)));
  files_.hold();
  const auto held = append(0);
  files_.awaitSync();
  const auto a = append(0);
  const auto b = append(1);
  EXPECT_EQ(a, held + 1);
  EXPECT_EQ(b, a);
  files_.release();
  EXPECT_TRUE(wait(1, b));
  EXPECT_EQ(settled(0), 3);
  EXPECT_EQ(settled(1), 1);
}

TEST_F(GroupCommitTest, WhoAppendedOnOneShardDoesNotWaitForAnother) {
  std::latch busy(1);
  shards_.at(1).post([&busy] { busy.wait(); });
  const auto round = append(0);
  EXPECT_TRUE(wait(0, round, GroupCommit::Settled::kOnThisShard));
  EXPECT_EQ(settled(0), 1);
  std::atomic<bool> everywhere = false;
  std::jthread waiter([&] {
    EXPECT_TRUE(wait(0, round));
    everywhere = true;
  });
  EXPECT_TRUE(wait(0, append(0), GroupCommit::Settled::kOnThisShard));
  EXPECT_FALSE(everywhere);
  busy.count_down();
  waiter.join();
  EXPECT_TRUE(everywhere);
}

TEST_F(GroupCommitTest, AFailedSyncIsNeverAcknowledged) {
  const auto sound = append(0);
  ASSERT_TRUE(wait(0, sound));
  files_.failSyncs();
  const auto lost = append(0);
  EXPECT_FALSE(wait(0, lost, GroupCommit::Settled::kOnThisShard));
  EXPECT_FALSE(wait(0, lost));
  EXPECT_TRUE(wait(0, sound)) << "what was on disk before stays acknowledged";
  EXPECT_EQ(settled(0), 1);
  EXPECT_EQ(failed_[0], 1);
  EXPECT_FALSE(journal_.health());
}

/// With shards enough that posting to all of them takes a while.
class ManyShardsTest : public GroupCommitTest {
 protected:
  ManyShardsTest() : GroupCommitTest(16) {}
};

TEST_F(ManyShardsTest, RoundsThatSomebodyElseCommitsAreSettled) {
  int appended = 0;
  for (int i = 0; i < 300; ++i) {
    std::jthread somebody([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) EXPECT_TRUE(journal_.commit().status);
    });
    // Those behind the first find its commit under way.
    for (int more = 0; more <= i % 8; ++more, ++appended) append(0);
    commit_.quiesce();
    ASSERT_EQ(settled(0), appended);
  }
}

bool hasJournalFiles(const std::string& directory) {
  return std::filesystem::exists(directory + "/millrace-journal.0");
}

std::vector<std::string> valuesOf(TestBroker& broker, const std::string& topic,
                                  std::int32_t partition) {
  WireClient client(broker.port());
  const auto response = client.call(fetchRequest(topic, {partition}, 0, 1000), kFetchVersion);
  std::vector<std::string> values;
  for (const auto& record : recordsOf(response.responses.at(0).partitions.at(0)))
    values.push_back(record.value);
  return values;
}

TEST(FlushOnAck, ABrokerWithItServesWhatItAcknowledged) {
  TestBroker broker(Properties{{"flush.on.ack", "true"}});
  WireClient client(broker.port());
  ASSERT_EQ(createTopic(client, "orders", 4), 0);
  for (int i = 0; i < 40; ++i) {
    const auto answer = produce(client, "orders", i % 4, {std::to_string(i)});
    ASSERT_EQ(answer.error_code, 0);
    EXPECT_EQ(answer.base_offset, i / 4);
    if (i % 10 == 0) {
      EXPECT_EQ(valuesOf(broker, "orders", i % 4).back(), std::to_string(i));
    }
  }
  EXPECT_TRUE(hasJournalFiles(broker.directory()));
  broker.stop();
  EXPECT_FALSE(hasJournalFiles(broker.directory())) << "a clean stop needs no journal";
  broker.start();
  EXPECT_EQ(valuesOf(broker, "orders", 3).size(), 10U);
}

TEST(FlushOnAck, ATopicMayHaveItAlone) {
  TestBroker broker;
  WireClient client(broker.port());
  ASSERT_EQ(createTopic(client, "plain"), 0);
  ASSERT_EQ(produce(client, "plain", 0, {"a"}).error_code, 0);
  EXPECT_FALSE(hasJournalFiles(broker.directory()));
  protocol::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = Text("safe");
  topic.num_partitions = 1;
  topic.replication_factor = 1;
  auto& config = topic.configs.emplace_back();
  config.name = Text("flush.on.ack");
  config.value = Text("true");
  request.timeout_ms = 10'000;
  ASSERT_EQ(client.call(request, 7).topics.at(0).error_code, 0);
  ASSERT_EQ(produce(client, "safe", 0, {"b"}).error_code, 0);
  EXPECT_TRUE(hasJournalFiles(broker.directory()));
  EXPECT_EQ(valuesOf(broker, "safe", 0), std::vector<std::string>{"b"});
}

}  // namespace
}  // namespace millrace::broker::testing
