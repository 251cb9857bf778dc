#include "connect/file/file_source.h"

#include <algorithm>
#include <chrono>

namespace millrace::connect {

std::vector<ConfigKey> FileSourceTask::config() {
  return {
      {.name = "file", .type = ConfigType::kString, .doc = "File to read; unset: standard input."},
      {.name = "topic",
       .type = ConfigType::kString,
       .required = true,
       .valid = "nonempty",
       .doc = "Topic to write to."},
      {.name = "batch.size",
       .type = ConfigType::kInt,
       .default_value = "2000",
       .valid = "1..",
       .doc = "Most records of one poll."},
      {.name = "format",
       .type = ConfigType::kString,
       .default_value = "lines",
       .valid = "{lines|csv}",
       .doc = "Each line a text, or CSV rows with a first line of names."},
      {.name = "tail",
       .type = ConfigType::kBoolean,
       .default_value = "true",
       .doc =
           "Go on when the file grows; false: finish at its end, with its unfinished last line."},
      {.name = "csv.delimiter",
       .type = ConfigType::kString,
       .default_value = ",",
       .valid = "nonempty",
       .doc = "The character between cells."},
      {.name = "csv.key.column",
       .type = ConfigType::kString,
       .default_value = "",
       .doc = "Column that becomes the record's key."},
      {.name = "csv.time.column",
       .type = ConfigType::kString,
       .default_value = "",
       .doc = "Column with the event time: ISO 8601, or milliseconds since 1970."},
      {.name = "csv.time.minutes.column",
       .type = ConfigType::kString,
       .default_value = "",
       .doc = "Column with whole minutes to add to the event time."},
      {.name = "csv.null",
       .type = ConfigType::kString,
       .default_value = "",
       .doc = "Text that stands for null."},
      {.name = "csv.text.columns",
       .type = ConfigType::kList,
       .default_value = "",
       .doc = "Columns that stay text although they look like numbers."},
      {.name = "poll.wait.ms",
       .type = ConfigType::kInt,
       .default_value = "1000",
       .valid = "0..",
       .internal = true,
       .doc = "How long a poll waits for the file to grow."},
  };
}

Status FileSourceTask::start(const Settings& settings, SourceContext& context) {
  settings_ = &settings;
  context_ = &context;
  file_ = settings.text("file");
  topic_ = settings.text("topic");
  batch_size_ = static_cast<std::size_t>(settings.number("batch.size"));
  csv_ = settings.text("format") == "csv";
  tail_ = settings.flag("tail");
  if (settings.text("csv.delimiter").size() != 1) {
    return fail(Errc::kConfig, "csv.delimiter must be one character");
  }
  partition_ = std::make_shared<const SourceMap>(SourceMap{{"filename", Value(file_)}});
  return {};
}

void FileSourceTask::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  wake_.notify_all();
}

void FileSourceTask::waitForMore() {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, std::chrono::milliseconds(settings_->number("poll.wait.ms")),
                 [this] { return stopped_; });
}

Result<FileSourceTask::Position> FileSourceTask::storedPosition() {
  Position position;
  if (file_.empty()) return position;
  const std::optional<SourceMap> offset = context_->storedOffset(*partition_);
  if (!offset) return position;
  const auto units = offset->find("position");
  if (units == offset->end() || units->second.isNull()) return position;
  const auto* number = units->second.as<std::int64_t>();
  if (number == nullptr || *number < 0) {
    return fail(Errc::kMalformed, "the stored position of " + file_ + " is not a position");
  }
  position.units = static_cast<std::uint64_t>(*number);
  position.bytes = position.units;  // as Kafka: exact in ASCII files
  const auto bytes = offset->find("bytes");
  if (bytes != offset->end() && bytes->second.integer().value_or(-1) >= 0) {
    position.bytes = static_cast<std::uint64_t>(*bytes->second.integer());
  }
  return position;
}

Result<bool> FileSourceTask::openIfThere() {
  if (lines_ || rows_) return true;
  Result<InputBytes> input = InputBytes::open(file_);
  if (!input && input.error().code == Errc::kNotFound && tail_) {
    if (!warned_) context_->log("there is no file " + file_ + " yet: waiting for it");
    warned_ = true;
    return false;
  }
  if (!input) return std::unexpected(std::move(input).error());
  if (csv_) return openRows();
  MILLRACE_TRY(const Position position, storedPosition());
  lines_.emplace(std::move(*input), position.units, position.bytes);
  return true;
}

Result<std::optional<std::size_t>> FileSourceTask::column(std::string_view key) const {
  const std::string name = settings_->text(key);
  if (name.empty()) return std::nullopt;
  const auto found = std::ranges::find(rows_->names(), name);
  if (found == rows_->names().end()) {
    return fail(Errc::kConfig, std::string(key) + ": " + file_ + " has no column " + name);
  }
  return static_cast<std::size_t>(found - rows_->names().begin());
}

Result<bool> FileSourceTask::openRows() {
  rows_.emplace(settings_->text("csv.delimiter").front());
  MILLRACE_TRY(const bool has_names, rows_->open(file_));
  if (!has_names) {
    rows_.reset();
    finished_ = !tail_;
    return false;
  }
  typing_.null_text = settings_->text("csv.null");
  typing_.text_columns.clear();
  const auto texts = settings_->list("csv.text.columns");
  for (const std::string& name : rows_->names()) {
    typing_.text_columns.push_back(std::ranges::find(texts, name) != texts.end());
  }
  MILLRACE_TRY(key_column_, column("csv.key.column"));
  MILLRACE_TRY(time_column_, column("csv.time.column"));
  MILLRACE_TRY(minutes_column_, column("csv.time.minutes.column"));
  MILLRACE_TRY(const Position position, storedPosition());
  if (position.bytes > rows_->position()) rows_->seek(position.bytes);
  return true;
}

Result<std::vector<SourceRecord>> FileSourceTask::poll() {
  MILLRACE_TRY(const bool there, openIfThere());
  std::vector<SourceRecord> records;
  if (there) {
    MILLRACE_TRY(records, csv_ ? pollRows() : pollLines());
  }
  if (records.empty() && !finished_) waitForMore();
  return records;
}

SourceRecord FileSourceTask::lineRecord(Line line) const {
  SourceRecord record{.source_partition = partition_, .source_offset = {}, .topic = topic_};
  record.source_offset.emplace("position", static_cast<std::int64_t>(line.position));
  if (line.bytes != line.position) {
    record.source_offset.emplace("bytes", static_cast<std::int64_t>(line.bytes));
  }
  record.value_schema = stringSchema();
  record.value = std::move(line.text);
  return record;
}

Result<std::vector<SourceRecord>> FileSourceTask::pollLines() {
  std::vector<SourceRecord> records;
  // Kafka looks at lines left over in its buffer only after the file has grown; who reads a file to
  // its end wants them now.
  bool look = !tail_;
  for (;;) {
    MILLRACE_TRY(const bool grown, lines_->fill());
    if (!grown && !look) break;
    look = false;
    bool found = false;
    while (std::optional<Line> line = lines_->next()) {
      found = true;
      records.push_back(lineRecord(std::move(*line)));
      if (records.size() >= batch_size_) return records;
    }
    if (!found) lines_->growIfFull();
  }
  if (!tail_ || lines_->inputClosed()) {
    if (std::optional<Line> line = lines_->rest()) records.push_back(lineRecord(std::move(*line)));
    finished_ = true;
  }
  return records;
}

Result<std::vector<SourceRecord>> FileSourceTask::pollRows() {
  std::vector<SourceRecord> records;
  while (records.size() < batch_size_) {
    const auto cells = rows_->next(!tail_);
    if (!cells) return fail(cells.error().code, file_ + ": " + cells.error().detail);
    if (*cells == nullptr) {
      finished_ = !tail_;
      break;
    }
    MILLRACE_TRY(SourceRecord record, rowRecord(**cells));
    records.push_back(std::move(record));
  }
  return records;
}

Result<SourceRecord> FileSourceTask::rowRecord(const std::vector<CsvCell>& cells) const {
  SourceRecord record{.source_partition = partition_, .source_offset = {}, .topic = topic_};
  record.source_offset.emplace("position", static_cast<std::int64_t>(rows_->position()));
  Map row;
  row.reserve(cells.size());
  for (std::size_t i = 0; i < cells.size(); ++i) {
    row.emplace_back(Value(rows_->names()[i]), csvValue(cells[i], typing_, i));
  }
  if (key_column_) {
    record.key_schema = stringSchema();
    record.key = cells[*key_column_].text;
  }
  if (time_column_ && !row[*time_column_].second.isNull()) {
    record.timestamp = parseTime(cells[*time_column_].text);
    if (!record.timestamp) {
      return fail(Errc::kMalformed, file_ + ": '" + std::string(cells[*time_column_].text) +
                                        "' is no time, in the row that ends at byte " +
                                        std::to_string(rows_->position()));
    }
  }
  if (minutes_column_ && record.timestamp) {
    *record.timestamp += row[*minutes_column_].second.integer().value_or(0) * 60'000;
  }
  record.value = std::move(row);
  return record;
}

}  // namespace millrace::connect
