// millrace dump-log: what stands in the files.
#include "cli/context.h"
#include "cli/dump/dump_file.h"
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
};

const std::map<std::string, Decoding> kDecodings = {{"auto", Decoding::kAuto},
                                                    {"none", Decoding::kNone},
                                                    {"metadata", Decoding::kMetadata},
                                                    {"offsets", Decoding::kOffsets},
                                                    {"transactions", Decoding::kTransactions},
                                                    {"share-state", Decoding::kShareState}};

void printLine(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
}

Status dumpAll(const Arguments& arguments, const Context& context) {
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

}  // namespace

void addDumpLogCommand(CLI::App& app, Context& context) {
  auto& dump = *app.add_subcommand(
      "dump-log", "Show what stands in the files of a log, Millrace's or Apache Kafka's");
  const auto arguments = std::make_shared<Arguments>();
  dump.add_option("FILE", arguments->paths,
                  "Files (.log, .index, .timeindex, .txnindex, .snapshot, checkpoints) or "
                  "directories that hold such")
      ->required()
      ->type_name("");
  dump.add_flag("-r,--records", arguments->options.records,
                "Show the records in each batch too, with keys, values and headers");
  dump.add_option_function<std::string>(
          "--decode",
          [arguments](const std::string& name) {
            arguments->options.decoding = kDecodings.at(name);
          },
          "How to read keys and values: metadata, offsets, transactions, share-state, none; auto "
          "(the default) goes by the name of the file's directory, as __consumer_offsets-7")
      ->check(CLI::IsMember(kDecodings))
      ->type_name("KIND");
  addOutputOption(dump, context);
  dump.footer(
      "The broker may run meanwhile: files are only read.\n"
      "Examples:\n"
      "  millrace dump-log data/orders-0\n"
      "  millrace dump-log --records data/orders-0/00000000000000000000.log\n"
      "  millrace dump-log --records -o json data/__cluster_metadata-0 | jq .records\n");
  dump.callback([arguments, &context] {
    context.action = [arguments, &context] { return dumpAll(*arguments, context); };
  });
}

}  // namespace millrace::cli
