// What Kafka's file connectors did, recorded case by case, done again.
#include "connect/file/file_sink.h"
#include "connect/file/file_source.h"
#include "tests/connect/support/notation.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <filesystem>

namespace millrace::connect::testing {
namespace {

namespace json = boost::json;

/// One recorded case of the source: steps, then what each poll must give.
class SourceCase {
 public:
  explicit SourceCase(const json::object& recorded)
      : recorded_(recorded),
        path_(dir_.path("input")),
        settings_(FileSourceTask::config(),
                  {{"file", path_},
                   {"topic", "t"},
                   {"poll.wait.ms", "0"},
                   {"batch.size", std::to_string(recorded.at("batch_size").to_number<int>())}}) {}

  void run() {
    for (const json::value& step : recorded_.at("steps").as_array()) {
      doStep(step.as_object());
      if (over_) return;
    }
  }

 private:
  void doStep(const json::object& step) {
    const std::string_view op = step.at("op").as_string();
    if (op == "write") writeFile(path_, bytesOf(step).value_or(""));
    if (op == "append") appendFile(path_, bytesOf(step).value_or(""));
    if (op == "delete") std::filesystem::remove(path_);
    if (op == "start") start(step);
    if (op == "poll") poll();
  }

  void start(const json::object& step) {
    context_.offset.reset();
    if (!step.contains("offset")) {
      if (last_position_) context_.offset = SourceMap{{"position", Value(*last_position_)}};
    } else if (!step.at("offset").is_null()) {
      context_.offset = SourceMap{{"position", storedPosition(step.at("offset"))}};
    }
    task_ = std::make_unique<FileSourceTask>();
    ASSERT_TRUE(task_->start(settings_, context_).has_value());
  }

  static Value storedPosition(const json::value& node) {
    if (node.is_int64()) return node.get_int64();
    if (node.is_object() && node.get_object().contains("position")) {
      return storedPosition(node.get_object().at("position"));
    }
    return valueOf(node, nullptr);
  }

  void poll() {
    const json::value& wanted = recorded_.at("expect").as_array().at(polls_++);
    const auto records = task_->poll();
    if (wanted.is_object() && wanted.get_object().contains("error")) {
      EXPECT_FALSE(records.has_value()) << where();
      over_ = true;
      return;
    }
    ASSERT_TRUE(records.has_value()) << where() << records.error().detail;
    if (wanted.is_object()) {  // Kafka never came back: nothing to deliver is our answer
      EXPECT_TRUE(records->empty()) << where();
      over_ = true;
      return;
    }
    json::value got(nullptr);
    if (!records->empty()) {
      json::array lines;
      for (const SourceRecord& record : *records) {
        last_position_ = record.source_offset.at("position").integer();
        lines.push_back(json::array{*record.value.text(), *last_position_});
        EXPECT_EQ(record.value_schema, stringSchema());
        EXPECT_EQ(*record.source_partition->at("filename").text(), path_);
      }
      got = std::move(lines);
    }
    EXPECT_EQ(json::serialize(got), json::serialize(wanted)) << where();
  }

  std::string where() const {
    return "case " + std::to_string(recorded_.at("id").to_number<int>()) + " poll " +
           std::to_string(polls_) + " ";
  }

  const json::object& recorded_;
  TempDir dir_;
  std::string path_;
  TestSettings settings_;
  TestSourceContext context_;
  std::unique_ptr<FileSourceTask> task_;
  std::optional<std::int64_t> last_position_;
  std::size_t polls_ = 0;
  bool over_ = false;
};

TEST(FileSource, DoesWhatKafkasDid) {
  const auto cases = readCases("file_source");
  ASSERT_EQ(cases.size(), 131U);
  for (const json::object& recorded : cases) SourceCase(recorded).run();
}

TEST(FileSink, DoesWhatKafkasDid) {
  const auto cases = readCases("file_sink");
  ASSERT_EQ(cases.size(), 100U);
  for (const json::object& recorded : cases) {
    const TempDir dir;
    const std::string path = dir.path("output");
    if (recorded.contains("existing")) writeFile(path, recorded.at("existing").as_string());
    FileSinkTask task;
    const TestSettings settings(FileSinkTask::config(), {{"file", path}});
    TestSinkContext context;
    ASSERT_TRUE(task.start(settings, context).has_value());
    for (const json::value& batch : recorded.at("puts").as_array()) {
      std::vector<SinkRecord> records;
      for (const json::value& entry : batch.as_array()) {
        SinkRecord record;
        record.value_schema = schemaOf(entry.as_object().at("schema"));
        record.value = valueOf(entry.as_object().at("value"), record.value_schema);
        records.push_back(std::move(record));
      }
      ASSERT_TRUE(task.put(records).has_value());
      ASSERT_TRUE(task.flush({}).has_value());
    }
    EXPECT_EQ(readFile(path), bytesOf(recorded.at("expect").as_object()).value_or(""))
        << "case " << recorded.at("id");
  }
}

}  // namespace
}  // namespace millrace::connect::testing
