// millrace dump-log: what stands in the files.
#include "cli/context.h"
#include "cli/dump/dump_file.h"
#include "cli/dump/kafka_form.h"
#include "cli/output.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <memory>

namespace millrace::cli {

namespace {

struct Arguments {
  std::vector<std::string> paths;
  DumpOptions options;
  KafkaFormOptions kafka;
};

const std::map<std::string, Decoding> kDecodings = {{"auto", Decoding::kAuto},
                                                    {"none", Decoding::kNone},
                                                    {"metadata", Decoding::kMetadata},
                                                    {"offsets", Decoding::kOffsets},
                                                    {"transactions", Decoding::kTransactions},
                                                    {"share-state", Decoding::kShareState}};

constexpr const char* kKafkaGroup = "As kafka-dump-log";
constexpr std::string_view kStringDecoder = "org.apache.kafka.tools.api.StringDecoder";

void printLine(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
}

void printProblem(std::string_view line) {
  std::fflush(stdout);
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fputc('\n', stderr);
}

Status dumpAll(const Arguments& arguments, const Context& context) {
  if (!arguments.kafka.files.empty()) {
    if (context.json())
      return fail(Errc::kConfig, "--files prints the lines of kafka-dump-log, never JSON");
    return dumpAsKafka(arguments.kafka, printLine, printProblem);
  }
  if (arguments.paths.empty())
    return fail(Errc::kConfig, "Name a file or directory, or files by --files");
  DumpOptions options = arguments.options;
  options.json = context.json();
  int damaged = 0;
  for (const std::string& path : arguments.paths) {
    MILLRACE_TRY(const auto files, filesBelow(path));
    for (const std::string& file : files) {
      const Status done = dumpFile(file, options, printLine);
      if (done) continue;
      if (done.error().code == Errc::kConfig) return done;
      std::fflush(stdout);
      printError(done.error(), context.output);
      ++damaged;
    }
  }
  if (damaged == 0) return {};
  return fail(Errc::kCorruptData, fmt::format("{} of the files could not be read whole", damaged));
}

struct KafkaDecoder {
  const char* option;
  const char* topic;
  Decoding decoding;
};

constexpr KafkaDecoder kKafkaDecoders[] = {
    {"--offsets-decoder", "__consumer_offsets", Decoding::kOffsets},
    {"--transaction-log-decoder", "__transaction_state", Decoding::kTransactions},
    {"--cluster-metadata-decoder", "__cluster_metadata", Decoding::kMetadata},
    {"--share-group-state-decoder", "__share_group_state", Decoding::kShareState},
};

void addKafkaDecoders(CLI::App& dump, CLI::Option* files, KafkaFormOptions& kafka) {
  for (const KafkaDecoder& decoder : kKafkaDecoders)
    dump.add_flag_callback(
            decoder.option,
            [&kafka, decoder] {
              kafka.decoding = decoder.decoding;
              kafka.data = kafka.deep = true;
            },
            fmt::format("Show the records as those of {}", decoder.topic))
        ->needs(files)
        ->group(kKafkaGroup);
  dump.add_flag_callback(
          "--remote-log-metadata-decoder",
          [] {
            throw CLI::ValidationError("--remote-log-metadata-decoder",
                                       "there is no tiered storage here");
          },
          "Refused: there is no tiered storage")
      ->group(kKafkaGroup);
  for (const char* const name : {"--key-decoder-class", "--value-decoder-class"})
    dump.add_option_function<std::string>(
            name,
            [&kafka, name](const std::string& given) {
              if (given != kStringDecoder)
                throw CLI::ValidationError(
                    name,
                    fmt::format("no Java classes are loaded; only {} is known", kStringDecoder));
              kafka.data = kafka.deep = true;
            },
            fmt::format("{} only: as text", kStringDecoder))
        ->needs(files)
        ->type_name("CLASS")
        ->group(kKafkaGroup);
}

/// The options of Kafka's kafka-dump-log, by the same names. Returns the one that asks for its
/// form.
CLI::Option* addKafkaForm(CLI::App& dump, KafkaFormOptions& kafka) {
  auto* const files =
      dump.add_option("--files", kafka.files, "Files, with commas between them, in Kafka's form")
          ->delimiter(',')
          ->type_name("FILE,...")
          ->group(kKafkaGroup);
  const auto flag = [&](const char* name, bool& value, const char* help) {
    dump.add_flag(name, value, help)->needs(files)->group(kKafkaGroup);
  };
  flag("--deep-iteration", kafka.deep, "Show the records in each batch");
  dump.add_flag_callback(
          "--print-data-log", [&kafka] { kafka.data = kafka.deep = true; },
          "Show the records with keys and values")
      ->needs(files)
      ->group(kKafkaGroup);
  flag("--skip-record-metadata", kafka.skip_record_metadata, "Show keys and values alone");
  flag("--index-sanity-check", kafka.index_sanity_only,
       "Only say whether a start would make an index anew");
  flag("--verify-index-only", kafka.verify_indexes_only, "Only hold index entries against the log");
  const auto number = [&](const char* name, std::int32_t& value, const char* help) {
    dump.add_option(name, value, help)
        ->check(CLI::NonNegativeNumber)
        ->needs(files)
        ->type_name("BYTES")
        ->group(kKafkaGroup);
  };
  number("--max-bytes", kafka.max_bytes, "Read no more of each log file");
  number("--max-message-size", kafka.max_message_size,
         "A larger batch at an index entry counts as none");
  addKafkaDecoders(dump, files, kafka);
  return files;
}

/// What to show in our own form, and how.
void addOwnForm(CLI::App& dump, Arguments& arguments, CLI::Option* files) {
  dump.add_option("FILE", arguments.paths,
                  "Files (.log, .index, .timeindex, .txnindex, .snapshot, checkpoints) or "
                  "directories that hold such")
      ->type_name("")
      ->excludes(files);
  dump.add_flag("-r,--records", arguments.options.records,
                "Show the records in each batch too, with keys, values and headers")
      ->excludes(files);
  dump.add_option_function<std::string>(
          "--decode",
          [&arguments](const std::string& name) {
            arguments.options.decoding = kDecodings.at(name);
          },
          "How to read keys and values: metadata, offsets, transactions, share-state, none; auto "
          "(the default) goes by the name of the file's directory, as __consumer_offsets-7")
      ->check(CLI::IsMember(kDecodings))
      ->type_name("KIND")
      ->excludes(files);
}

}  // namespace

void addDumpLogCommand(CLI::App& app, Context& context) {
  auto& dump = *app.add_subcommand(
      "dump-log", "Show what stands in the files of a log, Millrace's or Apache Kafka's");
  const auto arguments = std::make_shared<Arguments>();
  addOwnForm(dump, *arguments, addKafkaForm(dump, arguments->kafka));
  addOutputOption(dump, context);
  dump.footer(
      "The broker may run meanwhile: files are only read.\n"
      "Examples:\n"
      "  millrace dump-log data/orders-0\n"
      "  millrace dump-log --records data/orders-0/00000000000000000000.log\n"
      "  millrace dump-log --records -o json data/__cluster_metadata-0 | jq .records\n"
      "With --files it takes the options of Apache Kafka's kafka-dump-log and prints its lines:\n"
      "  millrace dump-log --print-data-log --files data/orders-0/00000000000000000000.log\n");
  dump.callback([arguments, &context] {
    context.action = [arguments, &context] { return dumpAll(*arguments, context); };
  });
}

}  // namespace millrace::cli
