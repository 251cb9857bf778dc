#include "cli/dump/dump_file.h"
#include "tests/cli/support/kafka_directory.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <filesystem>

namespace millrace::cli {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

class DumpFile : public testing::KafkaDirectory {
 protected:
  std::vector<std::string> dump(const std::string& file, DumpOptions options = {},
                                bool sound = true) const {
    std::vector<std::string> lines;
    const Status done = dumpFile(dir_.path(file), options,
                                 [&lines](std::string_view line) { lines.emplace_back(line); });
    EXPECT_EQ(done.has_value(), sound) << (done ? "" : done.error().toString());
    return lines;
  }
  std::vector<json::object> dumpJson(const std::string& file, bool records = true) const {
    std::vector<json::object> out;
    for (const std::string& line : dump(file, {.json = true, .records = records}))
      out.push_back(json::parse(line).as_object());
    return out;
  }
};

std::vector<json::object> recordedLines() {
  const std::string text = testing::recorded("data-dir.jsonl.gz");
  std::vector<json::object> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) out.push_back(json::parse(text.substr(at, end - at)).as_object());
    at = end + 1;
  }
  return out;
}

void expectSame(const json::object& got, const json::object& want,
                std::initializer_list<std::string_view> fields) {
  for (const std::string_view field : fields)
    EXPECT_EQ(json::serialize(got.at(field)), json::serialize(want.at(field))) << field;
}

TEST_F(DumpFile, EveryBatchAndIndexEntryIsWhatKafkaSaysOfIt) {
  int batches = 0;
  int entries = 0;
  for (const json::object& line : recordedLines()) {
    const std::string file(line.at("file").as_string());
    const std::string_view kind = line.at("kind").as_string();
    SCOPED_TRACE(file);
    if (kind == "log") {
      const auto got = dumpJson(file);
      const json::array& want = line.at("batches").as_array();
      ASSERT_EQ(got.size(), want.size());
      for (std::size_t i = 0; i < got.size(); ++i) {
        expectSame(got[i], want[i].as_object(),
                   {"position", "baseOffset", "lastOffset", "crc", "compression", "producerId",
                    "maxTimestamp", "transactional", "control", "lastSequence"});
        EXPECT_TRUE(got[i].at("crcValid").as_bool());
        EXPECT_EQ(got[i].at("records").as_array().size(),
                  want[i].as_object().at("records").as_array().size());
        ++batches;
      }
    } else if (kind == "transaction index") {
      const auto got = dumpJson(file);
      const json::array& want = line.at("entries").as_array();
      ASSERT_EQ(got.size(), want.size());
      for (std::size_t i = 0; i < got.size(); ++i)
        expectSame(got[i], want[i].as_object(),
                   {"producerId", "firstOffset", "lastOffset", "lastStableOffset"});
    } else if (kind == "offset index" || kind == "time index") {
      const std::size_t count = line.at("entries").as_array().size();
      EXPECT_EQ(dumpJson(file).size(), count);
      entries += static_cast<int>(count);
    }
  }
  EXPECT_GT(batches, 300);
  EXPECT_GT(entries, 100);
}

TEST_F(DumpFile, MetadataRecordsAreDecoded) {
  bool topic = false;
  for (const auto& batch : dumpJson("__cluster_metadata-0/00000000000000000000.log"))
    for (const auto& record : batch.at("records").as_array()) {
      const json::object& r = record.as_object();
      ASSERT_TRUE(r.contains("type")) << json::serialize(r);
      if (r.at("type") == "TopicRecord" && r.at("value").as_object().at("name") == "orders")
        topic = true;
    }
  EXPECT_TRUE(topic);
  const auto snapshot = dumpJson("__cluster_metadata-0/00000000000000000064-0000000001.checkpoint");
  EXPECT_EQ(snapshot.front().at("records").at(0).at("type"), "SNAPSHOT_HEADER");
  EXPECT_EQ(snapshot.back().at("records").at(0).at("type"), "SNAPSHOT_FOOTER");
}

TEST_F(DumpFile, RecordsOfCoordinatorsAreDecoded) {
  int commits = 0;
  for (const std::string partition : {"1", "2", "3"})
    for (const auto& batch :
         dumpJson("__consumer_offsets-" + partition + "/00000000000000000000.log"))
      for (const auto& record : batch.at("records").as_array())
        if (record.at("type") == "OffsetCommitKey") {
          ++commits;
          EXPECT_TRUE(record.at("key").as_object().contains("group"));
        }
  EXPECT_GT(commits, 3);
  for (const auto& batch : dumpJson("__transaction_state-0/00000000000000000000.log"))
    for (const auto& record : batch.at("records").as_array())
      EXPECT_TRUE(record.as_object().contains("type")) << json::serialize(record);
}

TEST_F(DumpFile, TextIsForPeople) {
  const auto log = dump("orders-0/00000000000000000167.log", {.records = true});
  EXPECT_NE(log.front().find("orders-0/00000000000000000167.log (log, 11833 bytes)"),
            std::string::npos);
  EXPECT_TRUE(log[1].starts_with("  167-")) << log[1];
  EXPECT_NE(log[1].find(" at 0: "), std::string::npos) << log[1];
  EXPECT_TRUE(log[2].starts_with("    167 20")) << log[2];
  EXPECT_NE(log[2].find(" key "), std::string::npos) << log[2];
  const auto epochs = dump("orders-0/leader-epoch-checkpoint");
  EXPECT_EQ(epochs.at(2), "  epoch 2  start offset 493");
  const auto points = dump("log-start-offset-checkpoint");
  EXPECT_EQ(points.at(1), "  topic orders  partition 0  offset 197");
  EXPECT_EQ(dump("payments-0/00000000000000000132.txnindex").size(), 2U);
  EXPECT_GT(dump("payments-0/00000000000000000155.snapshot").size(), 1U);
}

TEST_F(DumpFile, ADamagedBatchIsMarkedAndTheOnesBehindItAreShown) {
  const std::string file = "orders-0/00000000000000000167.log";
  const auto sound = dump(file);
  damage(file, 80);
  const auto damaged = dump(file, {}, false);
  ASSERT_EQ(damaged.size(), sound.size());
  EXPECT_NE(damaged[1].find("CRC WRONG"), std::string::npos) << damaged[1];
  EXPECT_EQ(damaged[2], sound[2]);
  fs::resize_file(dir_.path(file), 11'000);
  const auto cut = dump(file, {}, false);
  EXPECT_LT(cut.size(), sound.size());
  EXPECT_GT(cut.size(), 3U);
}

TEST_F(DumpFile, OfADirectoryAllFilesOfLogsAreTaken) {
  const auto one = filesBelow(dir_.path("orders-0"));
  ASSERT_TRUE(one);
  EXPECT_EQ(one->size(), 16U);
  EXPECT_EQ(filesBelow(dir_.path("orders-0/leader-epoch-checkpoint"))->size(), 1U);
  EXPECT_GT(filesBelow(dir_.path())->size(), 100U);
  EXPECT_EQ(filesBelow(dir_.path("none")).error().code, Errc::kNotFound);
  EXPECT_EQ(dumpFile(dir_.path(), {}, [](std::string_view) {}).error().code, Errc::kConfig);
}

}  // namespace
}  // namespace millrace::cli
