// millrace consume: records of topics to stdout.
#include "base/clock.h"
#include "cli/context.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/places.h"
#include "cli/record_format.h"
#include "client/consumer.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <set>

namespace millrace::cli {

namespace {

struct ConsumeArguments {
  std::vector<std::string> topics;
  std::string from;
  std::string group;
  std::string format = "%v\\n";
  std::string null_text;
  std::uint64_t count = 0;
  bool until_end = false;
  bool committed_only = false;
};

/// One run of the command.
class Run {
 public:
  Run(const ConsumeArguments& arguments, const Context& context, RecordFormat format)
      : arguments_(arguments),
        context_(context),
        format_(std::move(format)),
        progress_("received", isatty(STDOUT_FILENO) == 0) {}

  Status run();

 private:
  [[nodiscard]] bool inGroup() const { return !arguments_.group.empty(); }
  Result<ConsumerOptions> options() const;
  /// Without a group: all partitions asked for, from --from.
  Status assignByHand(Consumer& consumer);
  Status subscribe(Consumer& consumer);
  /// Notes the ends of newly assigned partitions, for --until-end.
  Status noteEnds(Consumer& consumer);
  [[nodiscard]] Result<bool> reachedEnds(Consumer& consumer) const;
  /// Prints records until --count is reached.
  void print(const ConsumerRecords& records);
  void printOne(const Record& record);
  Status loop(Consumer& consumer);
  [[nodiscard]] bool done() const {
    return interrupted() || broken_pipe_ || (arguments_.count > 0 && printed_ >= arguments_.count);
  }
  /// What has been printed is what the group has read.
  void commitSometimes(Consumer& consumer);
  Status commitAtTheEnd(Consumer& consumer, bool all);

  const ConsumeArguments& arguments_;
  const Context& context_;
  RecordFormat format_;
  Progress progress_;
  std::string out_;
  std::uint64_t printed_ = 0;
  bool broken_pipe_ = false;
  std::map<TopicPartition, std::int64_t> ends_;
  CommitOffsets to_commit_;
  std::set<TopicPartition> seen_;  // partitions of which something was fetched
  Millis last_commit_ms_ = systemClock().monotonicMs();
};

Result<ConsumerOptions> Run::options() const {
  ConsumerOptions options{.bootstrapServers = context_.bootstrap,
                          .groupId = arguments_.group,
                          .clientId = "millrace-cli"};
  options.autoCommit = false;
  options.properties = {
      {"allow.auto.create.topics", "false"},
      {"default.api.timeout.ms", "15000"},
      {"isolation.level", arguments_.committed_only ? "read_committed" : "read_uncommitted"}};
  if (inGroup())
    options.autoOffsetReset = arguments_.from == "beginning" ? "earliest" : "latest";
  else
    options.autoOffsetReset = "earliest";
  MILLRACE_TRY(const auto given, context_.clientProperties());
  for (const auto& [key, value] : given) options.properties.insert_or_assign(key, value);
  return options;
}

Status Run::assignByHand(Consumer& consumer) {
  MILLRACE_TRY(Admin admin, context_.admin());
  const std::string from = arguments_.from.empty() ? "end" : arguments_.from;
  MILLRACE_TRY(const Place place, parsePlace(from, systemClock().wallMs()));
  std::vector<TopicPartition> partitions;
  for (const std::string& text : arguments_.topics) {
    MILLRACE_TRY(const TopicSelection selection, parseSelection(text));
    MILLRACE_TRY(const auto all, partitionsOf(admin, selection.topic));
    const std::set<std::int32_t> wanted(selection.partitions.begin(), selection.partitions.end());
    for (const std::int32_t p : wanted) {
      if (p >= std::ssize(all)) {
        return fail(Errc::kUnknownTopicOrPartition,
                    fmt::format("{} has {} partitions, no {}", selection.topic, all.size(), p));
      }
    }
    for (const auto& partition : all) {
      if (wanted.empty() || wanted.contains(partition.partition)) partitions.push_back(partition);
    }
  }
  MILLRACE_TRY(const auto starts, offsetsOf(admin, place, partitions));
  MILLRACE_CHECK_OK(consumer.assign(partitions));
  for (const auto& [partition, offset] : starts)
    MILLRACE_CHECK_OK(consumer.seek(partition, offset));
  return {};
}

Status Run::subscribe(Consumer& consumer) {
  if (!arguments_.from.empty() && arguments_.from != "beginning" && arguments_.from != "end") {
    return fail(Errc::kConfig,
                "with --group, --from is beginning or end: where to start what the group has not "
                "committed yet; "
                "`millrace group reset-offsets` moves a group elsewhere");
  }
  MILLRACE_TRY(Admin admin, context_.admin());
  for (const std::string& topic : arguments_.topics) {
    MILLRACE_TRY(const auto partitions, partitionsOf(admin, topic));
  }
  // Before partitions go to another member, what was printed of them must be known.
  const auto forget = [this](const std::vector<TopicPartition>& partitions) {
    to_commit_.clear();
    for (const auto& partition : partitions) {
      ends_.erase(partition);
      seen_.erase(partition);
    }
  };
  const auto hand_over = [this, &consumer, forget](const std::vector<TopicPartition>& partitions) {
    if (!to_commit_.empty()) {
      const Status committed = consumer.commitSync(to_commit_);
      if (!committed) printError(committed.error(), context_.output);
    }
    forget(partitions);
  };
  // Lost partitions belong to somebody else already: a commit would be refused.
  return consumer.subscribe(arguments_.topics,
                            {.onAssigned = {}, .onRevoked = hand_over, .onLost = forget});
}

Status Run::noteEnds(Consumer& consumer) {
  std::vector<TopicPartition> fresh;
  for (const auto& partition : consumer.assignment()) {
    if (!ends_.contains(partition)) fresh.push_back(partition);
  }
  if (fresh.empty()) return {};
  MILLRACE_TRY(const auto ends, consumer.endOffsets(fresh));
  ends_.insert(ends.begin(), ends.end());
  return {};
}

Result<bool> Run::reachedEnds(Consumer& consumer) const {
  const auto assigned = consumer.assignment();
  if (assigned.empty()) return false;
  for (const auto& partition : assigned) {
    MILLRACE_TRY(const std::int64_t position, consumer.position(partition));
    const auto end = ends_.find(partition);
    if (end == ends_.end() || position < end->second) return false;
  }
  return true;
}

void Run::printOne(const Record& record) {
  PrintedRecord view{.topic = record.topic(),
                     .partition = record.partition(),
                     .offset = record.offset(),
                     .timestamp = record.timestamp(),
                     .key = record.optionalKey(),
                     .value = record.optionalValue(),
                     .headers = {}};
  if (record.headerCount() > 0) view.headers = record.headers();
  if (context_.json())
    renderJson(view, out_);
  else
    format_.render(view, out_);
}

void Run::print(const ConsumerRecords& records) {
  std::uint64_t bytes = 0;
  std::uint64_t count = 0;
  for (const Record& record : records) {
    const TopicPartition partition{record.topic(), record.partition()};
    if (inGroup()) seen_.insert(partition);
    if (done()) {
      // Fetched, not printed: the next run of the group must start here.
      if (inGroup())
        to_commit_.try_emplace(partition, OffsetAndMetadata{.offset = record.offset()});
      continue;
    }
    printOne(record);
    bytes += record.key().size() + record.value().size();
    ++count;
    ++printed_;
    if (inGroup()) to_commit_[partition] = {.offset = record.offset() + 1};
  }
  if (count == 0) return;
  progress_.clear();
  broken_pipe_ =
      std::fwrite(out_.data(), 1, out_.size(), stdout) != out_.size() || std::fflush(stdout) != 0;
  out_.clear();
  progress_.add(count, bytes);
}

void Run::commitSometimes(Consumer& consumer) {
  const Millis now = systemClock().monotonicMs();
  if (to_commit_.empty() || now - last_commit_ms_ < 5000) return;
  last_commit_ms_ = now;
  consumer.commitAsync(to_commit_);
  to_commit_.clear();
}

Status Run::commitAtTheEnd(Consumer& consumer, bool all) {
  // A partition that brought nothing yet is committed too: without that, the group's next run would
  // apply --from to it once more and might miss what has arrived since.
  for (const auto& partition : consumer.assignment()) {
    if (!all || seen_.contains(partition)) continue;
    MILLRACE_TRY(const std::int64_t position, consumer.position(partition));
    to_commit_[partition] = {.offset = position};
  }
  if (to_commit_.empty()) return {};
  return consumer.commitSync(std::exchange(to_commit_, {}));
}

Status Run::loop(Consumer& consumer) {
  while (!done()) {
    const ConsumerRecords records = consumer.poll(std::chrono::milliseconds(100));
    if (!records.ok()) return std::unexpected(records.error());
    print(records);
    if (inGroup()) commitSometimes(consumer);
    if (!arguments_.until_end) continue;
    MILLRACE_CHECK_OK(noteEnds(consumer));
    MILLRACE_TRY(const bool reached, reachedEnds(consumer));
    if (reached) break;
  }
  return {};
}

Status Run::run() {
  MILLRACE_TRY(ConsumerOptions consumer_options, options());
  MILLRACE_TRY(Consumer consumer, Consumer::create(std::move(consumer_options)));
  MILLRACE_CHECK_OK(inGroup() ? subscribe(consumer) : assignByHand(consumer));
  catchInterrupts();
  Status status = loop(consumer);
  progress_.clear();
  if (inGroup()) {
    const Status committed = commitAtTheEnd(consumer, status.has_value());
    if (status) status = committed;
  }
  const Status closed = consumer.close();
  if (status && isatty(STDERR_FILENO) == 1 && !context_.json()) {
    fmt::print(stderr, "received {}\n", progress_.summary());
  }
  return status ? closed : status;
}

Status consume(const ConsumeArguments& arguments, const Context& context) {
  MILLRACE_TRY(RecordFormat format, RecordFormat::parse(arguments.format, arguments.null_text));
  return Run(arguments, context, std::move(format)).run();
}

}  // namespace

void addConsumeCommand(CLI::App& app, Context& context) {
  auto& command = *app.add_subcommand("consume", "Print the records of topics");
  auto arguments = std::make_shared<ConsumeArguments>();
  command.add_option("topic", arguments->topics, "Topics; TOPIC:0,2 takes some partitions only")
      ->required()
      ->type_name("TOPIC...");
  command
      .add_option("-f,--from", arguments->from,
                  "Where to start: beginning, end (default), an offset, a time (2026-01-31T12:00, "
                  "UTC), a while ago (-15m)")
      ->type_name("PLACE");
  command
      .add_option("-g,--group", arguments->group,
                  "Share the partitions with the others of this group, and commit what was printed")
      ->type_name("GROUP");
  command.add_option("-c,--count", arguments->count, "Stop after so many records")
      ->check(wholeNumberFrom(1))
      ->type_name("N");
  command.add_flag("-e,--until-end", arguments->until_end, "Stop at what is the end now");
  command
      .add_option("--format", arguments->format,
                  "Tokens: %t topic %p partition %o offset %T time (ms) %d date %k key %v value %K "
                  "%V sizes %h headers")
      ->capture_default_str();
  command
      .add_option("--null", arguments->null_text,
                  "What to print for null keys and values (default: nothing)")
      ->type_name("TEXT");
  command.add_flag("--committed", arguments->committed_only,
                   "Without records of transactions that are open or aborted");
  addClientOptions(command, context);
  command.footer(
      "Examples:\n"
      "  millrace consume orders                                  what arrives from now on\n"
      "  millrace consume orders --from beginning --until-end\n"
      "  millrace consume orders --from -1h --format '%d %p/%o %k: %v\\n'\n"
      "  millrace consume orders --group billing -o json\n");
  command.callback([arguments, &context] {
    context.action = [arguments, &context] { return consume(*arguments, context); };
  });
}

}  // namespace millrace::cli
