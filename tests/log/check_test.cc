#include "log/check/check.h"

#include "base/varint.h"
#include "log/index_file.h"
#include "log/log_manager.h"
#include "tests/log/support/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <random>

namespace millrace::log {
namespace {

namespace fs = std::filesystem;
using test::append;
using test::simpleBatch;

std::vector<Problem> problemsOf(const std::string& path) {
  std::vector<Problem> out;
  const auto totals =
      checkLogs(systemFiles(), path, [&out](const Problem& p) { out.push_back(p); });
  EXPECT_TRUE(totals) << totals.error().toString();
  if (totals) {
    EXPECT_EQ(totals->problems, std::ssize(out));
  }
  return out;
}

std::string textOf(const std::vector<Problem>& problems) {
  std::string out;
  for (const Problem& p : problems)
    out += p.file + ":" + (p.position ? std::to_string(*p.position) : "") + ": " + p.what + "\n";
  return out;
}

/// One problem at least in this file, with these words.
testing::AssertionResult reports(const std::vector<Problem>& problems, const std::string& file,
                                 const std::string& words) {
  for (const Problem& p : problems)
    if (p.file.ends_with(file) && p.what.find(words) != std::string::npos)
      return testing::AssertionSuccess();
  return testing::AssertionFailure() << "only:\n" << textOf(problems);
}

Bytes contentOfFile(const std::string& path) { return systemFiles().readAll(path).value(); }

void overwrite(const std::string& path, BytesView content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(content.data(), static_cast<std::streamsize>(content.size()));
}

/// A copy of a directory that Apache Kafka 4.2.0 wrote.
class KafkaDirectoryCheck : public testing::Test {
 protected:
  void SetUp() override {
    const std::string command = "tar xzf " MILLRACE_SOURCE_DIR
                                "/tests/data/kafka_data_dir/data-dir.tar.gz -C " +
                                dir_.path();
    ASSERT_EQ(std::system(command.c_str()), 0);
  }

  [[nodiscard]] std::vector<std::string> filesWith(const std::string& extension) const {
    std::vector<std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(dir_.path()))
      if (entry.path().extension() == extension && entry.file_size() > 0)
        out.push_back(entry.path().string());
    std::ranges::sort(out);
    return out;
  }

  /// Flips one bit in each file with this extension, several times: `at` chooses the byte. Each
  /// must be found by checking the log it belongs to.
  template <class At>
  void everyFlipIsFound(const std::string& extension, At at) {
    const std::uint32_t seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    for (const std::string& file : filesWith(extension)) {
      const Bytes sound = contentOfFile(file);
      for (int i = 0; i < 12; ++i) {
        const std::size_t position = at(sound, random);
        Bytes bad = sound;
        bad[position] = static_cast<char>(bad[position] ^ (1 << (random() % 8)));
        overwrite(file, bad);
        EXPECT_FALSE(problemsOf(fs::path(file).parent_path().string()).empty())
            << file << " byte " << position;
      }
      overwrite(file, sound);
    }
    EXPECT_EQ(textOf(problemsOf(dir_.path())), "");
  }

  test::TempDir dir_;
};

TEST_F(KafkaDirectoryCheck, AnUndamagedOneHasNoProblem) {
  const auto totals =
      checkLogs(systemFiles(), dir_.path(), [](const Problem& p) { ADD_FAILURE() << p.what; });
  ASSERT_TRUE(totals);
  EXPECT_EQ(totals->logs, 13);
  EXPECT_GT(totals->segments, 25);
  EXPECT_GT(totals->records, 1500);
}

TEST_F(KafkaDirectoryCheck, EveryFlippedBitInALogIsFound) {
  everyFlipIsFound(".log", [](const Bytes& bytes, std::mt19937& random) {
    // The base offset is outside of the CRC and may rise without harm where offsets have gaps.
    for (;;) {
      const std::size_t position = random() % bytes.size();
      record::BatchIterator walk(bytes);
      record::BatchView batch;
      std::size_t start = 0;
      while (walk.next(batch) && walk.position() <= position) start = walk.position();
      if (position - start >= record::layout::kLength) return position;
    }
  });
}

TEST_F(KafkaDirectoryCheck, EveryFlippedBitInAnOffsetIndexIsFound) {
  // But for the lowest byte of an offset or a position: an entry may name the end of a later batch
  // that was written together with the one it points to, as older Kafka does.
  everyFlipIsFound(".index", [](const Bytes& bytes, std::mt19937& random) {
    const std::size_t entry = random() % (bytes.size() / OffsetIndex::kEntrySize);
    const std::size_t byte = random() % 6;
    return entry * OffsetIndex::kEntrySize + byte + (byte >= 3 ? 1 : 0);
  });
}

TEST_F(KafkaDirectoryCheck, EveryFlippedBitInATimestampOfATimeIndexIsFound) {
  everyFlipIsFound(".timeindex", [](const Bytes& bytes, std::mt19937& random) {
    const std::size_t entry = random() % (bytes.size() / TimeIndex::kEntrySize);
    return entry * TimeIndex::kEntrySize + random() % 8;
  });
}

TEST_F(KafkaDirectoryCheck, EveryFlippedBitInAProducerSnapshotIsFound) {
  everyFlipIsFound(".snapshot", [](const Bytes& bytes, std::mt19937& random) {
    return random() % bytes.size();
  });
}

TEST_F(KafkaDirectoryCheck, ATransactionIndexMustFitTheMarkersInTheLog) {
  const std::string file = dir_.path("payments-0/00000000000000000049.txnindex");
  const Bytes sound = contentOfFile(file);
  ASSERT_EQ(sound.size(), 3 * TxnIndex::kEntrySize);
  overwrite(file, BytesView(sound).substr(0, 2 * TxnIndex::kEntrySize));
  EXPECT_TRUE(reports(problemsOf(dir_.path()), "49.txnindex", "is missing"));
  Bytes other = sound;
  storeBe(other.data() + 2, std::int64_t{4711});
  overwrite(file, other);
  EXPECT_TRUE(reports(problemsOf(dir_.path()), "49.txnindex", "no abort of producer 4711"));
  overwrite(file, BytesView(sound).substr(0, 50));
  EXPECT_TRUE(reports(problemsOf(dir_.path()), "49.txnindex", "no multiple"));
  other = sound;
  other[1] = 7;
  overwrite(file, other);
  EXPECT_TRUE(reports(problemsOf(dir_.path()), "49.txnindex", "version"));
}

TEST_F(KafkaDirectoryCheck, ALogThatEndsTooEarlyIsFoundByWhatPointsBehindIt) {
  const std::string file = dir_.path("orders-1/00000000000000000527.log");
  const Bytes sound = contentOfFile(file);
  overwrite(file, BytesView(sound).substr(0, sound.size() - 10));
  EXPECT_TRUE(reports(problemsOf(dir_.path()), "527.log", "cut off"));
  record::BatchIterator walk(sound);
  record::BatchView batch;
  ASSERT_TRUE(walk.next(batch));
  overwrite(file, BytesView(sound).substr(0, walk.position()));
  const auto problems = problemsOf(dir_.path());
  EXPECT_TRUE(reports(problems, "527.index", "behind the end"));
  EXPECT_TRUE(reports(problems, "recovery-point-offset-checkpoint", "orders-1 is at 615"));
  EXPECT_TRUE(reports(problems, "615.snapshot", "above the end"));
}

TEST_F(KafkaDirectoryCheck, MissingIndexesAndMisnamedTopicsAreFound) {
  fs::remove(dir_.path("orders-1/00000000000000000173.timeindex"));
  EXPECT_TRUE(reports(problemsOf(dir_.path()), "173.timeindex", "is missing"));
  overwrite(dir_.path("orders-1/partition.metadata"), "version: 0\ntopic_id: nonsense");
  EXPECT_TRUE(reports(problemsOf(dir_.path("orders-1")), "partition.metadata", ""));
}

TEST_F(KafkaDirectoryCheck, CheckpointsMustBeWellFormedAndAgreeWithTheLogs) {
  overwrite(dir_.path("orders-1/leader-epoch-checkpoint"), "0\n2\n0 0\n2 540\n");
  EXPECT_TRUE(reports(problemsOf(dir_.path()), "527.log", "leader epoch 2"));
  overwrite(dir_.path("orders-1/leader-epoch-checkpoint"), "0\n2\n2 537\n0 0\n");
  EXPECT_TRUE(reports(problemsOf(dir_.path()), "leader-epoch-checkpoint", "does not follow"));
  overwrite(dir_.path("recovery-point-offset-checkpoint"), "0\n2\norders 1 615\n");
  EXPECT_TRUE(reports(problemsOf(dir_.path()), "recovery-point-offset-checkpoint", "count"));
  overwrite(dir_.path("replication-offset-checkpoint"), "0\n1\norders 1\n");
  EXPECT_TRUE(reports(problemsOf(dir_.path()), "replication-offset-checkpoint", "no topic"));
  overwrite(dir_.path("meta.properties"), "version=9\n");
  EXPECT_TRUE(reports(problemsOf(dir_.path()), "meta.properties", "version"));
}

TEST_F(KafkaDirectoryCheck, AMetadataSnapshotMustHaveItsFooter) {
  const std::string file =
      dir_.path("__cluster_metadata-0/00000000000000000064-0000000001.checkpoint");
  const Bytes sound = contentOfFile(file);
  record::BatchIterator walk(sound);
  record::BatchView batch;
  std::size_t last = 0;
  while (walk.next(batch) && walk.position() < sound.size()) last = walk.position();
  fs::permissions(file, fs::perms::owner_write, fs::perm_options::add);
  overwrite(file, BytesView(sound).substr(0, last));
  EXPECT_TRUE(reports(problemsOf(dir_.path()), ".checkpoint", "footer"));
}

TEST_F(KafkaDirectoryCheck, ALogThatIsGoneIsMissed) {
  fs::remove_all(dir_.path("orders-1"));
  EXPECT_TRUE(reports(problemsOf(dir_.path()), "recovery-point-offset-checkpoint",
                      "orders-1 is at 615, but is not there"));
}

class OwnDirectoryCheck : public testing::Test {
 protected:
  std::unique_ptr<LogManager> open() {
    LogConfig config;
    config.segment_bytes = 4000;
    config.index_interval_bytes = 300;
    auto manager =
        LogManager::open({.directories = {dir_.path()}, .defaults = config, .clock = &clock_});
    EXPECT_TRUE(manager) << manager.error().toString();
    return std::move(*manager);
  }
  void format() {
    ASSERT_TRUE(writeMetaProperties(systemFiles(), dir_.path(),
                                    {"QsZ1mR0kTQ2vYb7xWn3aLg", 1, randomUuid()}));
  }
  void fill(LogManager& manager) {
    const auto log = manager.create({"orders", PartitionIndex{0}}, randomUuid(), smallSegments());
    ASSERT_TRUE(log) << log.error().toString();
    ASSERT_TRUE((*log)->startEpoch(LeaderEpoch{0}));
    for (int i = 0; i < 100; ++i)
      ASSERT_TRUE(append(**log, simpleBatch(1 + i % 3, 1000 + (i * 37) % 500)));
  }
  static LogConfig smallSegments() {
    LogConfig config;
    config.segment_bytes = 4000;
    config.index_interval_bytes = 300;
    return config;
  }

  test::TempDir dir_;
  ManualClock clock_{1'000'000};
};

TEST_F(OwnDirectoryCheck, AClosedDirectoryHasNoProblem) {
  format();
  auto manager = open();
  fill(*manager);
  ASSERT_TRUE(manager->close());
  EXPECT_EQ(textOf(problemsOf(dir_.path())), "");
  EXPECT_EQ(textOf(problemsOf(dir_.path("orders-0"))), "");
}

TEST_F(OwnDirectoryCheck, ACrashLeavesNoProblemButATornBatch) {
  format();
  auto manager = open();
  fill(*manager);
  ASSERT_TRUE(manager->writeCheckpoints());
  manager.reset();
  EXPECT_EQ(textOf(problemsOf(dir_.path())), "");
  std::string last;
  for (const auto& entry : fs::directory_iterator(dir_.path("orders-0")))
    if (entry.path().extension() == ".log") last = std::max(last, entry.path().string());
  const Bytes sound = contentOfFile(last);
  overwrite(last, sound + Bytes(5000, '\0'));
  EXPECT_EQ(textOf(problemsOf(dir_.path())), "") << "room set aside is no damage";
  overwrite(last, sound + simpleBatch(3).substr(0, 70));
  EXPECT_TRUE(reports(problemsOf(dir_.path()), last, "the next start cuts the log here"));
}

TEST_F(OwnDirectoryCheck, AMissingSegmentInTheMiddleIsFound) {
  format();
  auto manager = open();
  fill(*manager);
  ASSERT_TRUE(manager->close());
  std::vector<std::string> logs;
  for (const auto& entry : fs::directory_iterator(dir_.path("orders-0")))
    if (entry.path().extension() == ".log") logs.push_back(entry.path().string());
  std::ranges::sort(logs);
  ASSERT_EQ(logs.size(), 3U);
  const std::string stem = logs[1].substr(0, logs[1].size() - 4);
  for (const char* extension : {".log", ".index", ".timeindex", ".snapshot"})
    fs::remove(stem + extension);
  EXPECT_TRUE(reports(problemsOf(dir_.path()), logs[2], "the segment before it ends at"));
  EXPECT_TRUE(reports(problemsOf(dir_.path("orders-0")), logs[2], "the segment before it ends at"));
  overwrite(dir_.path("cleaner-offset-checkpoint"), "0\n1\norders 0 1000\n");
  EXPECT_FALSE(reports(problemsOf(dir_.path()), logs[2], "the segment before it ends at"))
      << "compaction may have left nothing there";
}

TEST_F(OwnDirectoryCheck, WhatIsNoDirectoryIsAnError) {
  const auto totals = checkLogs(systemFiles(), dir_.path("none"), [](const Problem&) {});
  ASSERT_FALSE(totals);
  EXPECT_EQ(totals.error().code, Errc::kNotFound);
}

}  // namespace
}  // namespace millrace::log
