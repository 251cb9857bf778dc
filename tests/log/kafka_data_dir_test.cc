// A directory that Apache Kafka wrote, opened here: the answers are those that Kafka gave from it.
#include "log/log_manager.h"
#include "tests/log/support/temp_dir.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>

namespace millrace::log {
namespace {

using boost::json::object;
using boost::json::value;

constexpr std::string_view kRecorded = MILLRACE_SOURCE_DIR "/tests/data/kafka_data_dir/";
/// When Kafka was asked: a little after it had stopped.
constexpr Millis kAskedAt = 1'795'316'300'000;
/// The epoch that opening the directory started.
constexpr LeaderEpoch kOpeningEpoch{4};

object answers() {
  gzFile file = gzopen((std::string(kRecorded) + "data-dir.answers.json.gz").c_str(), "rb");
  std::string text(1 << 20, '\0');
  text.resize(static_cast<std::size_t>(gzread(file, text.data(), 1 << 20)));
  gzclose(file);
  return boost::json::parse(text).as_object();
}

class KafkaDataDir : public testing::Test {
 protected:
  void SetUp() override {
    const std::string command =
        "tar xzf " + std::string(kRecorded) + "data-dir.tar.gz -C " + dir_.path();
    ASSERT_EQ(std::system(command.c_str()), 0);
    LogConfig config;
    config.retention_ms = -1;
    auto manager = LogManager::open({.directories = {dir_.path()},
                                     .defaults = config,
                                     .recovery_threads = 1,
                                     .clock = &clock_});
    ASSERT_TRUE(manager) << manager.error().toString();
    manager_ = std::move(*manager);
  }

  test::TempDir dir_;
  ManualClock clock_{kAskedAt};
  std::unique_ptr<LogManager> manager_;
};

void expectOffset(const Result<TimestampOffset>& got, const value& want) {
  ASSERT_TRUE(got);
  EXPECT_EQ(got->offset.value(), want.at("offset").as_int64());
  EXPECT_EQ(got->timestamp, want.at("timestamp").as_int64());
  EXPECT_EQ(got->leader_epoch.value(), want.at("leaderEpoch").as_int64());
}

/// Offsets of the records that a consumer gets: without markers, and without aborted ones where
/// `committed`.
std::vector<std::int64_t> consumed(const PartitionLog& log, Isolation isolation) {
  std::vector<std::int64_t> out;
  const auto read = log.read(log.startOffset(), 1 << 24, isolation);
  EXPECT_TRUE(read);
  const Bytes bytes = test::contentOf(*read);
  record::BatchIterator walk(bytes);
  record::BatchView batch;
  Bytes scratch;
  while (walk.next(batch)) {
    if (batch.isControl()) continue;
    const bool aborted = std::ranges::any_of(read->aborted, [&](const AbortedTransaction& t) {
      return batch.isTransactional() && t.producer_id == batch.producerId() &&
             batch.baseOffset() >= t.first_offset && batch.baseOffset() <= t.last_offset;
    });
    if (aborted) continue;
    auto cursor = *record::openRecords(batch, scratch);
    record::RecordView record;
    while (cursor.next(record))
      if (record.offset >= log.startOffset()) out.push_back(record.offset.value());
  }
  return out;
}

void expectConsumed(const PartitionLog& log, Isolation isolation, const value& want) {
  EXPECT_EQ(log.endFor(isolation).value(), want.at("endOffset").as_int64());
  std::vector<std::int64_t> wanted;
  for (const value& range : want.at("offsetRanges").as_array())
    for (std::int64_t o = range.at(0).as_int64(); o <= range.at(1).as_int64(); ++o)
      wanted.push_back(o);
  EXPECT_EQ(consumed(log, isolation), wanted);
}

void expectProducers(const PartitionLog& log, const value& want) {
  boost::json::array got;
  for (const ProducerInfo& p : log.producers())
    got.push_back(object{{"producerId", p.producer_id.value()},
                         {"epoch", p.epoch},
                         {"lastSequence", p.last_sequence},
                         {"lastTimestamp", p.last_timestamp},
                         {"coordinatorEpoch", p.coordinator_epoch},
                         {"currentTransactionStartOffset",
                          p.current_txn_first_offset.value_or(Offset{-1}).value()}});
  EXPECT_EQ(boost::json::serialize(got), boost::json::serialize(want));
}

TEST_F(KafkaDataDir, AnswersAsKafkaDid) {
  int checked = 0;
  const object recorded = answers();
  for (const auto& [topic, description] : recorded.at("topics").as_object()) {
    for (const auto& [index, want] : description.at("partitions").as_object()) {
      SCOPED_TRACE(std::string(topic) + "-" + std::string(index));
      PartitionLog* const log =
          manager_->find({std::string(topic), PartitionIndex{std::stoi(std::string(index))}});
      if (log == nullptr) continue;  // never written to, so not in the archive
      ++checked;
      EXPECT_EQ(log->topicId().toString(), description.at("topicId").as_string());
      EXPECT_TRUE(log->recovery().clean);
      log->setHighWatermark(log->endOffset());
      if (log->endOffset() > Offset{0}) {
        ASSERT_TRUE(log->startEpoch(kOpeningEpoch));
      }
      constexpr Isolation kHigh = Isolation::kHighWatermark;
      if (log->endOffset() > Offset{0}) {
        expectOffset(log->offsetForTimestamp(kEarliestTimestamp, kHigh), want.at("earliest"));
        expectOffset(log->offsetForTimestamp(kLatestTimestamp, kHigh), want.at("latest"));
      }
      expectOffset(log->offsetForTimestamp(kMaxTimestamp, kHigh), want.at("maxTimestamp"));
      expectOffset(log->offsetForTimestamp(1'710'005'000'000, kHigh),
                   want.at("atTimestamp1710005000000"));
      const object& o = want.as_object();
      if (!o.contains("producers")) continue;
      expectConsumed(*log, kHigh, want.at("read_uncommitted"));
      expectConsumed(*log, Isolation::kCommitted, want.at("read_committed"));
      expectProducers(*log, want.at("producers"));
    }
  }
  EXPECT_GE(checked, 10);
}

/// Our offset indexes are Kafka's, byte for byte, when they are built from the same log with the
/// same interval. Segments that Kafka went on writing after a restart differ: it counts the
/// interval anew then.
TEST_F(KafkaDataDir, RebuiltIndexesAreTheSameBytes) {
  struct Recorded {
    std::string name;
    int interval;
    std::int64_t restarted_at;
  };
  const std::vector<Recorded> topics = {
      {"orders-0", 400, 493}, {"orders-1", 400, 537}, {"payments-0", 300, 116}};
  manager_.reset();
  std::size_t compared = 0;
  for (const Recorded& topic : topics) {
    SCOPED_TRACE(topic.name);
    std::map<std::string, Bytes> before;
    for (const auto& file : std::filesystem::directory_iterator(dir_.path(topic.name)))
      if (file.path().extension() == ".index")
        before[file.path()] = *systemFiles().readAll(file.path());
    for (const auto& [path, bytes] : before) std::filesystem::remove(path);
    LogConfig config;
    config.index_interval_bytes = topic.interval;
    auto log = PartitionLog::open({.directory = dir_.path(topic.name), .config = config});
    ASSERT_TRUE(log) << log.error().toString();
    EXPECT_EQ((*log)->recovery().truncated_bytes, 0U);
    ASSERT_TRUE((*log)->close());
    for (auto file = before.begin(); file != before.end(); ++file) {
      const auto base = [](const std::string& path) {
        return std::stoll(path.substr(path.rfind('/') + 1));
      };
      const auto next = std::next(file);
      const std::int64_t end = next == before.end() ? INT64_MAX : base(next->first);
      if (base(file->first) < topic.restarted_at && topic.restarted_at < end) continue;
      EXPECT_EQ(*systemFiles().readAll(file->first), file->second) << file->first;
      ++compared;
    }
  }
  EXPECT_GE(compared, 10U);
}

}  // namespace
}  // namespace millrace::log
