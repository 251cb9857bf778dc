// millrace produce: lines of stdin or of files as records.
#include "base/clock.h"
#include "cli/context.h"
#include "cli/interrupt.h"
#include "cli/line_source.h"
#include "cli/output.h"
#include "client/producer.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace millrace::cli {

namespace {

struct ProduceArguments {
  std::string topic;
  std::vector<std::string> files;
  std::string key;
  std::string key_separator;
  std::string null_text;
  std::vector<std::string> headers;
  std::int32_t partition = Producer::kAnyPartition;
  std::string compression;
  std::string acks;
  bool whole = false;
  bool has_key = false;
  bool has_null = false;
};

/// What the producer's thread reports.
struct Delivered {
  std::atomic<std::uint64_t> records = 0;
  std::atomic<std::uint64_t> failed = 0;
};

class Run {
 public:
  Run(const ProduceArguments& arguments, const Context& context)
      : arguments_(arguments), context_(context), progress_("sent", isatty(STDIN_FILENO) == 0) {}
  Status run();

 private:
  Result<ProducerOptions> options();
  Status takeHeaders();
  Status sendAll(Producer& producer, const TopicHandle& topic);
  Status sendFile(Producer& producer, const TopicHandle& topic, std::FILE* file,
                  const std::string& name);
  Status send(Producer& producer, const TopicHandle& topic, const LineRecord& record);
  void report(Status& status);

  const ProduceArguments& arguments_;
  const Context& context_;
  LineRules rules_;
  std::vector<HeaderView> headers_;
  Progress progress_;
  Delivered delivered_;
};

Result<ProducerOptions> Run::options() {
  ProducerOptions options{.bootstrapServers = context_.bootstrap, .clientId = "millrace-cli"};
  options.properties = {{"max.block.ms", "15000"}};
  if (!arguments_.compression.empty()) options.compression = arguments_.compression;
  if (!arguments_.acks.empty()) options.acks = arguments_.acks;
  MILLRACE_TRY(const auto given, context_.clientProperties());
  for (const auto& [key, value] : given) options.properties.insert_or_assign(key, value);
  options.onDelivery = [this](const DeliveryReport& report) {
    auto& counter = report.status ? delivered_.records : delivered_.failed;
    counter += static_cast<std::uint64_t>(report.record_count);
  };
  return options;
}

Status Run::takeHeaders() {
  for (const std::string& text : arguments_.headers) MILLRACE_CHECK_OK(splitPair(text));
  for (const std::string& text : arguments_.headers) {
    const auto at = text.find('=');
    headers_.push_back({BytesView(text).substr(0, at), BytesView(text).substr(at + 1)});
  }
  return {};
}

Status Run::send(Producer& producer, const TopicHandle& topic, const LineRecord& record) {
  MILLRACE_CHECK_OK(producer.append(topic, arguments_.partition, record.key, record.value,
                                    systemClock().wallMs(), headers_));
  progress_.add(1,
                (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0));
  return {};
}

Status Run::sendFile(Producer& producer, const TopicHandle& topic, std::FILE* file,
                     const std::string& name) {
  LineSource source(file);
  if (arguments_.whole) {
    std::string all;
    source.rest(all);
    MILLRACE_CHECK_OK(source.status());
    return send(producer, topic, {.key = rules_.key, .value = all});
  }
  const bool typed = isatty(fileno(file)) == 1;
  std::uint64_t number = 0;
  for (std::string_view line; !interrupted() && source.next(line);) {
    ++number;
    auto record = parseLine(line, rules_);
    Status status = record ? send(producer, topic, *record) : std::unexpected(record.error());
    // Who types wants to know at once what became of the line.
    if (status && typed) status = producer.flush();
    if (!status) {
      status.error().detail = fmt::format("{}:{}: {}", name, number, status.error().detail);
      return status;
    }
  }
  return source.status();
}

Status Run::sendAll(Producer& producer, const TopicHandle& topic) {
  if (arguments_.files.empty()) {
    if (isatty(STDIN_FILENO) == 1) fmt::print(stderr, "One record a line; Ctrl-D ends.\n");
    return sendFile(producer, topic, stdin, "stdin");
  }
  for (const std::string& name : arguments_.files) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(name.c_str(), "rb"),
                                                               std::fclose);
    if (!file) return fail(Errc::kIo, fmt::format("{}: {}", name, std::strerror(errno)));
    MILLRACE_CHECK_OK(sendFile(producer, topic, file.get(), name));
  }
  return {};
}

void Run::report(Status& status) {
  progress_.clear();
  const std::uint64_t failed = delivered_.failed;
  const std::uint64_t records = delivered_.records;
  if (context_.json()) {
    printJson(boost::json::object{{"topic", arguments_.topic},
                                  {"delivered", records},
                                  {"failed", failed},
                                  {"bytes", progress_.bytes()}});
  } else if (isatty(STDERR_FILENO) == 1) {
    fmt::print(stderr, "{} of {} delivered\n", grouped(records), progress_.summary());
  }
  if (status && failed > 0) {
    status = fail(Errc::kUnknownServerError, fmt::format("{} records were not delivered", failed));
  }
  if (!status && failed > 0)
    status.error().detail += fmt::format(" ({} records were not delivered)", failed);
}

Status Run::run() {
  if (arguments_.has_key) rules_.key = arguments_.key;
  if (!arguments_.key_separator.empty()) rules_.key_separator = arguments_.key_separator;
  if (arguments_.has_null) rules_.null_text = arguments_.null_text;
  MILLRACE_CHECK_OK(takeHeaders());
  MILLRACE_TRY(ProducerOptions producer_options, options());
  MILLRACE_TRY(Producer producer, Producer::create(std::move(producer_options)));
  MILLRACE_TRY(const TopicHandle topic, producer.topic(arguments_.topic));
  if (arguments_.partition >= topic.partitionCount()) {
    return fail(Errc::kUnknownTopicOrPartition,
                fmt::format("{} has {} partitions, no {}", arguments_.topic, topic.partitionCount(),
                            arguments_.partition));
  }
  catchInterrupts();
  Status status = sendAll(producer, topic);
  const Status flushed = producer.flush();
  if (status && !flushed) status = flushed;
  const Status closed = producer.close();
  if (status && !closed) status = closed;
  report(status);
  return status;
}

void addArguments(CLI::App& command, ProduceArguments& arguments) {
  command.add_option("topic", arguments.topic, "The topic")->required()->type_name("TOPIC");
  command.add_option("file", arguments.files, "Files to send (default: stdin)")
      ->check(CLI::ExistingFile)
      ->type_name("FILE...");
  auto* key = command.add_option_function<std::string>(
      "-k,--key",
      [&arguments](const std::string& text) {
        arguments.key = text;
        arguments.has_key = true;
      },
      "The key of every record");
  key->type_name("KEY");
  command
      .add_option("-K,--key-separator", arguments.key_separator,
                  "Each line is KEY, this text, VALUE")
      ->type_name("TEXT")
      ->excludes(key);
  command
      .add_option_function<std::string>(
          "--null",
          [&arguments](const std::string& text) {
            arguments.null_text = text;
            arguments.has_null = true;
          },
          "A key or value of this text is sent as null (a tombstone in compacted topics)")
      ->type_name("TEXT");
  command.add_option("-H,--header", arguments.headers, "A header for every record; repeatable")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command
      .add_option("-p,--partition", arguments.partition,
                  "One partition for all (default: by key, else spread)")
      ->check(wholeNumberFrom(0));
  command.add_option("-z,--compression", arguments.compression, "none, gzip, snappy, lz4 or zstd")
      ->check(CLI::IsMember({"none", "gzip", "snappy", "lz4", "zstd"}))
      ->type_name("CODEC");
  command
      .add_option("--acks", arguments.acks,
                  "Whose acknowledgement to wait for: all (default), 1 or 0")
      ->check(CLI::IsMember({"all", "-1", "1", "0"}))
      ->type_name("ACKS");
  command.add_flag("--whole", arguments.whole, "Send each input as one record, not each line");
}

}  // namespace

void addProduceCommand(CLI::App& app, Context& context) {
  auto& command = *app.add_subcommand("produce", "Send lines as records");
  auto arguments = std::make_shared<ProduceArguments>();
  addArguments(command, *arguments);
  addClientOptions(command, context);
  command.footer(
      "Examples:\n"
      "  millrace produce orders                            type records, Ctrl-D ends\n"
      "  millrace produce orders --key o1 < order.json\n"
      "  millrace produce prices -K , --compression zstd prices.csv\n");
  command.callback([arguments, &context] {
    context.action = [arguments, &context] { return Run(*arguments, context).run(); };
  });
}

}  // namespace millrace::cli
