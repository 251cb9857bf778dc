// The worker's parts that need no cluster: offsets, plugins, CSV, acknowledgements.
#include "base/base64.h"
#include "base/random.h"
#include "connect/file/csv.h"
#include "connect/file/file_source.h"
#include "connect/offset_store.h"
#include "connect/plugins.h"
#include "connect/submitted.h"
#include "tests/connect/support/notation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::connect::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(JavaMap, ReadsBackWhatItWrites) {
  ByteMap map;
  EXPECT_EQ(readJavaMap(writeJavaMap(map)).value(), map);
  for (int i = 0; i < 100; ++i) map["key " + std::to_string(i)] = std::string(1000, 'x');
  map["gone"] = std::nullopt;
  EXPECT_EQ(readJavaMap(writeJavaMap(map)).value(), map);
}

TEST(JavaMap, ReadsWhatJavaWrote) {
  // HashMap<byte[], byte[]> with one entry "a" -> "b", by ObjectOutputStream of Java 17.
  const Bytes java = *fromBase64(
      "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAA"
      "AAx3CAAAABAAAAABdXIAAltCrPMX+AYIVOACAAB4cAAAAAFhdXEAfgACAAAAAWJ4");
  const ByteMap wanted{{"a", "b"}};
  EXPECT_EQ(readJavaMap(java).value(), wanted);
  EXPECT_EQ(toBase64(writeJavaMap(wanted)), toBase64(java));
}

TEST(JavaMap, RefusesBrokenBytes) {
  const Bytes good = writeJavaMap({{"a", "b"}, {"c", "d"}});
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    EXPECT_FALSE(readJavaMap(good.substr(0, cut)).has_value()) << cut;
  }
  constexpr std::uint64_t kSeed = 11;
  SCOPED_TRACE(kSeed);
  SeededRandom random(kSeed);
  for (int i = 0; i < 5000; ++i) {
    Bytes bad = good;
    bad[random.below(bad.size())] = static_cast<char>(random.next());
    (void)readJavaMap(bad);  // any answer, no crash
  }
}

TEST(OffsetStore, SurvivesARestart) {
  const TempDir dir;
  const std::string path = dir.path("offsets");
  const SourceMap partition{{"filename", Value("a \"b\"")}};
  {
    const auto store = OffsetStore::open(path).value();
    EXPECT_EQ(store->get("c", partition), std::nullopt);
    store->set("c", partition, SourceMap{{"position", Value(std::int64_t{7})}});
    ASSERT_TRUE(store->flush().has_value());
    store->set("c", partition, SourceMap{{"position", Value(std::int64_t{9})}});
  }
  const auto store = OffsetStore::open(path).value();
  const auto offset = store->get("c", partition);
  ASSERT_TRUE(offset.has_value());
  EXPECT_EQ(offset->at("position").integer(), 7);
  EXPECT_EQ(store->get("other", partition), std::nullopt);
  store->set("c", partition, std::nullopt);
  EXPECT_EQ(store->get("c", partition), std::nullopt);
}

TEST(OffsetStore, RefusesAFileThatIsNone) {
  const TempDir dir;
  writeFile(dir.path("offsets"), "hello");
  const auto store = OffsetStore::open(dir.path("offsets"));
  ASSERT_FALSE(store.has_value());
  EXPECT_THAT(store.error().detail, HasSubstr(dir.path("offsets")));
}

TEST(SubmittedRecords, ReleasesOnlyWhatNothingIsMissingInFrontOf) {
  SubmittedRecords records;
  const auto a = std::make_shared<const SourceMap>(SourceMap{{"file", Value("a")}});
  const auto b = std::make_shared<const SourceMap>(SourceMap{{"file", Value("b")}});
  const auto offset = [](std::int64_t n) { return SourceMap{{"position", Value(n)}}; };
  const auto a1 = records.submit(a, offset(1));
  const auto a2 = records.submit(a, offset(2));
  const auto b1 = records.submit(b, offset(10));
  const auto a3 = records.submit(a, offset(3));
  records.acknowledge(a2);
  records.acknowledge(b1);
  auto released = records.release();
  ASSERT_EQ(released.size(), 1U);
  EXPECT_EQ(released[0].offset.at("position").integer(), 10);
  records.acknowledge(a1);
  released = records.release();
  ASSERT_EQ(released.size(), 1U);
  EXPECT_EQ(released[0].offset.at("position").integer(), 2);
  EXPECT_TRUE(records.release().empty());
  records.acknowledge(a3);
  EXPECT_EQ(records.release()[0].offset.at("position").integer(), 3);
  EXPECT_EQ(records.acknowledged(), 4U);
}

TEST(Plugins, LoadsAUsersPluginAndTheBundledOne) {
  PluginRegistry plugins;
  ASSERT_TRUE(plugins.load(MILLRACE_TEST_PLUGINS "/good.so").has_value());
  ASSERT_TRUE(plugins.load(MILLRACE_FILE_PLUGIN).has_value());
  const ConnectorFactory* rows = plugins.find("org.example.RowsConnector");
  EXPECT_EQ(rows, nullptr);  // names are exact but for package and "Connector"
  rows = plugins.find("rows");
  ASSERT_NE(rows, nullptr);
  EXPECT_EQ(rows->info.version, "1.0");
  EXPECT_NE(rows->task_configs, nullptr);
  const ConnectorFactory* file =
      plugins.find("org.apache.kafka.connect.file.FileStreamSourceConnector");
  ASSERT_NE(file, nullptr);
  // The plugin's own code reads a file.
  const TempDir dir;
  writeFile(dir.path("in"), "one\n");
  const auto task = file->make_source();
  const TestSettings settings(file->info.config,
                              {{"file", dir.path("in")}, {"topic", "t"}, {"poll.wait.ms", "0"}});
  TestSourceContext context;
  ASSERT_TRUE(task->start(settings, context).has_value());
  const auto records = task->poll();
  ASSERT_TRUE(records.has_value());
  EXPECT_EQ(*records->at(0).value.text(), "one");
}

TEST(Plugins, SaysWhyAFileIsNoPlugin) {
  PluginRegistry plugins;
  const auto problem = [&](const std::string& path) {
    const Status loaded = plugins.load(path);
    return loaded ? std::string() : loaded.error().detail;
  };
  EXPECT_THAT(problem(MILLRACE_TEST_PLUGINS "/wrong_version.so"), HasSubstr("version 99"));
  EXPECT_THAT(problem(MILLRACE_TEST_PLUGINS "/no_entry.so"),
              HasSubstr("no millrace_connect_plugin"));
  EXPECT_THAT(problem("/nowhere/x.so"), HasSubstr("there is no plugin"));
  EXPECT_THAT(problem(std::string(MILLRACE_SOURCE_DIR) + "/README.md"),
              HasSubstr("cannot be loaded"));
  const ConnectorFactory empty;
  EXPECT_THAT(pluginProblem({.runtime = "other"}), HasSubstr("another C++ library"));
  EXPECT_THAT(pluginProblem({.factory_size = 1}), HasSubstr("another layout"));
  EXPECT_THAT(pluginProblem({}), HasSubstr("no connector"));
  EXPECT_THAT(pluginProblem({.count = 1, .factories = &empty}), HasSubstr("no name"));
}

std::vector<std::vector<std::string>> readCsv(const std::string& content, bool at_end = true) {
  const TempDir dir;
  writeFile(dir.path("in.csv"), content);
  CsvReader reader(',');
  std::vector<std::vector<std::string>> rows;
  EXPECT_TRUE(reader.open(dir.path("in.csv")).value());
  for (;;) {
    const auto cells = reader.next(at_end);
    if (!cells) {
      rows.push_back({"error: " + cells.error().detail});
      break;
    }
    if (*cells == nullptr) break;
    rows.emplace_back();
    for (const CsvCell& cell : **cells) rows.back().emplace_back(cell.text);
  }
  return rows;
}

TEST(Csv, ReadsQuotesLineEndsAndTheLastLine) {
  EXPECT_THAT(
      readCsv("a,b\n1,2\r\n\"x,\"\"y\"\"\n\",\n\nlast,\"end\""),
      ElementsAre(ElementsAre("1", "2"), ElementsAre("x,\"y\"\n", ""), ElementsAre("last", "end")));
  EXPECT_THAT(readCsv("a,b\n1,2\n3", false), ElementsAre(ElementsAre("1", "2")));
}

TEST(Csv, NamesTheRowThatIsWrong) {
  EXPECT_THAT(readCsv("a,b\n1,2\n3\n").at(1).at(0), HasSubstr("1 cells, not 2"));
  EXPECT_THAT(readCsv("a,b\n1,\"2\n").at(0).at(0), HasSubstr("inside of quotes"));
}

TEST(Csv, ReadsRowsAcrossItsBuffer) {
  std::string content = "a,b\n";
  for (int i = 0; i < 100'000; ++i) content += std::to_string(i) + ",\"x\"\n";
  const auto rows = readCsv(content);
  ASSERT_EQ(rows.size(), 100'000U);
  for (std::size_t i = 0; i < rows.size(); ++i) ASSERT_EQ(rows[i][0], std::to_string(i));
}

TEST(Csv, CellsBecomeNumbersTextsAndNulls) {
  const CsvTyping typing{.null_text = "NA", .text_columns = {false, true}};
  const auto value = [&](std::string_view text, std::size_t column = 0) {
    return notationOf(csvValue({text, false}, typing, column));
  };
  EXPECT_EQ(value("7"), "i64:7");
  EXPECT_EQ(value("-1.50"), "f64:-1.5");
  EXPECT_EQ(value("007"), "\"007\"");
  EXPECT_EQ(value("1e5"), "\"1e5\"");
  EXPECT_EQ(value("9E"), "\"9E\"");
  EXPECT_EQ(value(""), "\"\"");
  EXPECT_EQ(value("NA"), "null");
  EXPECT_EQ(value("7", 1), "\"7\"");
  EXPECT_EQ(notationOf(csvValue({"NA", true}, typing, 0)), "\"NA\"");
}

TEST(ParseTime, KnowsIsoAndMilliseconds) {
  EXPECT_EQ(parseTime("1357034400000"), 1357034400000);
  EXPECT_EQ(parseTime("2013-01-01T10:00:00Z"), 1357034400000);
  EXPECT_EQ(parseTime("2013-01-01T11:00:00.250+01:00"), 1357034400250);
  EXPECT_EQ(parseTime("2013-01-01 10:00"), 1357034400000);
  EXPECT_EQ(parseTime("2013-01-01"), 1356998400000);
  for (const char* text : {"", "yesterday", "2013-02-30", "2013-01-01T", "2013-01-01T10:00:00+1"}) {
    EXPECT_EQ(parseTime(text), std::nullopt) << text;
  }
}

TEST(FileSource, ACsvRestartGoesOnAtTheNextRow) {
  const TempDir dir;
  writeFile(dir.path("in.csv"), "id,name\n1,\xC3\xBC\n2,b\n");
  const TestSettings settings(FileSourceTask::config(), {{"file", dir.path("in.csv")},
                                                         {"topic", "t"},
                                                         {"format", "csv"},
                                                         {"csv.key.column", "id"},
                                                         {"batch.size", "1"},
                                                         {"poll.wait.ms", "0"}});
  TestSourceContext context;
  FileSourceTask first;
  ASSERT_TRUE(first.start(settings, context).has_value());
  const auto one = first.poll();
  ASSERT_TRUE(one.has_value());
  ASSERT_EQ(one->size(), 1U);
  EXPECT_EQ(*one->at(0).key.text(), "1");
  context.offset = one->at(0).source_offset;
  FileSourceTask second;
  ASSERT_TRUE(second.start(settings, context).has_value());
  const auto two = second.poll();
  ASSERT_TRUE(two.has_value());
  EXPECT_EQ(notationOf(two->at(0).value), "{\"id\"=i64:2,\"name\"=\"b\",}");
  appendFile(dir.path("in.csv"), "3,c");
  EXPECT_TRUE(second.poll()->empty());
  appendFile(dir.path("in.csv"), "\n");
  EXPECT_EQ(*second.poll()->at(0).key.text(), "3");
}

}  // namespace
}  // namespace millrace::connect::testing
