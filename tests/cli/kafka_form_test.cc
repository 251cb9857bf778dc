// The dump in Kafka's form beside what Apache Kafka 4.2.0's kafka-dump-log printed of the same
// files: tests/data/kafka_data_dir/dump-log.txt.gz, a line "$ <arguments>" before each output.
#include "cli/dump/kafka_form.h"

#include "cli/dump/kafka_form_records.h"
#include "tests/cli/support/kafka_directory.h"

#include <filesystem>
#include <sstream>

namespace millrace::cli {
namespace {

class KafkaForm : public testing::KafkaDirectory {
 protected:
  KafkaFormOptions parse(std::istringstream arguments) const {
    KafkaFormOptions out;
    for (std::string word; arguments >> word;) {
      if (word == "--files") {
        arguments >> word;
        std::istringstream files(word);
        for (std::string file; std::getline(files, file, ',');)
          out.files.push_back(dir_.path(file));
        continue;
      }
      if (word == "--max-bytes") arguments >> out.max_bytes;
      if (word == "--deep-iteration") out.deep = true;
      if (word == "--skip-record-metadata") out.skip_record_metadata = true;
      if (word == "--verify-index-only") out.verify_indexes_only = true;
      if (word == "--index-sanity-check") out.index_sanity_only = true;
      if (word == "--offsets-decoder") out.decoding = Decoding::kOffsets;
      if (word == "--transaction-log-decoder") out.decoding = Decoding::kTransactions;
      if (word == "--cluster-metadata-decoder") out.decoding = Decoding::kMetadata;
      if (word == "--share-group-state-decoder") out.decoding = Decoding::kShareState;
      if (word == "--print-data-log" || word.ends_with("-decoder")) out.data = out.deep = true;
    }
    return out;
  }

  /// What is printed, as if the files stood in the current directory.
  std::string dump(const KafkaFormOptions& options, bool sound = true) {
    std::string text;
    const auto into = [this](std::string& to) {
      return [this, &to](std::string_view line) {
        std::string kept(line);
        const std::string prefix = dir_.path() + "/";
        for (std::size_t at; (at = kept.find(prefix)) != std::string::npos;)
          kept.erase(at, prefix.size());
        to += kept + "\n";
      };
    };
    problems_.clear();
    const Status done = dumpAsKafka(options, into(text), into(problems_));
    EXPECT_EQ(done.has_value(), sound) << (done ? "" : done.error().toString()) << problems_;
    return text;
  }

  std::string problems_;
};

TEST_F(KafkaForm, EveryLineIsKafkas) {
  const std::string runs = testing::recorded("dump-log.txt.gz");
  int sections = 0;
  for (std::size_t at = 0; at < runs.size(); ++sections) {
    ASSERT_EQ(runs.substr(at, 3), "$ -");
    const std::size_t begin = runs.find('\n', at) + 1;
    const std::string arguments = runs.substr(at + 2, begin - at - 3);
    at = std::min(runs.find("\n$ -", begin), runs.size() - 1) + 1;
    SCOPED_TRACE(arguments);
    const std::string got = dump(parse(std::istringstream(arguments)));
    const std::string want = runs.substr(begin, at - begin);
    const auto differs = std::ranges::mismatch(got, want);
    const auto where = static_cast<std::size_t>(differs.in1 - got.begin());
    const std::size_t from = where < 200 ? 0 : where - 200;
    ASSERT_TRUE(got == want) << "ours:\n"
                             << got.substr(from, 600) << "\nKafka's:\n"
                             << want.substr(from, 600);
  }
  EXPECT_EQ(sections, 13);
}

TEST_F(KafkaForm, DamageIsToldAndEndsBadly) {
  const std::string log = "orders-0/00000000000000000167.log";
  KafkaFormOptions options{.files = {dir_.path(log)}, .deep = true};
  const std::string sound = dump(options);
  damage(log, 80);
  const std::string damaged = dump(options, false);
  EXPECT_NE(damaged.find("isvalid: false"), std::string::npos);
  EXPECT_NE(problems_.find(log + " at position 0: "), std::string::npos) << problems_;
  std::filesystem::resize_file(dir_.path(log), 11'000);
  EXPECT_NE(dump(options, false).find(" invalid bytes at the end of 00000000000000000167.log"),
            std::string::npos);
  damage("prices-0/00000000000000000622.index", 3);
  options = {.files = {dir_.path("prices-0/00000000000000000622.index")},
             .verify_indexes_only = true};
  (void)dump(options, false);
  EXPECT_NE(problems_.find("Mismatches in :"), std::string::npos) << problems_;
  damage("orders-0/00000000000000000167.timeindex", 6);
  options.files = {dir_.path("orders-0/00000000000000000167.timeindex")};
  (void)dump(options, false);
  EXPECT_NE(problems_.find("Found timestamp mismatch in :"), std::string::npos) << problems_;
  std::filesystem::resize_file(dir_.path("orders-0/00000000000000000167.timeindex"), 13);
  options.index_sanity_only = true;
  (void)dump(options, false);
  EXPECT_NE(problems_.find("did not pass the sanity check"), std::string::npos) << problems_;
}

TEST_F(KafkaForm, OtherFilesAreLeftOut) {
  EXPECT_EQ(dump({.files = {dir_.path("meta.properties")}}), "Dumping meta.properties\n");
  EXPECT_EQ(problems_, "Ignoring unknown file meta.properties\n");
  const Status missing = dumpAsKafka({.files = {dir_.path("none.log")}}, [](auto) {}, [](auto) {});
  EXPECT_EQ(missing.error().code, Errc::kNotFound);
}

TEST(JavaText, ReplacesAsJavaDoes) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(javaText("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80z"),
            "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80z");
  EXPECT_EQ(javaText("\x80\xFF"), r + r);
  EXPECT_EQ(javaText("\xC0\x80"), r + r) << "an overlong form";
  EXPECT_EQ(javaText("\xE2\x82x"), r + "x") << "one for the part of a character";
  EXPECT_EQ(javaText("\xED\xA0\x80x"), r + "x") << "one for a surrogate";
  EXPECT_EQ(javaText("\xF0\x9F\x98"), r);
  EXPECT_EQ(javaText("\xF5\x80"), r + r);
}

}  // namespace
}  // namespace millrace::cli
