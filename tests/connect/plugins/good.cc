// A plugin as a user writes one: two headers of ours, no library.
#include "connect/plugin.h"

#include <future>

namespace {

using namespace millrace;
using namespace millrace::connect;

std::vector<ConfigKey> rowsConfig() {
  return {{.name = "topic", .required = true, .doc = "Topic."},
          {.name = "rows", .type = ConfigType::kInt, .default_value = "3", .doc = "How many."},
          {.name = "hang", .type = ConfigType::kBoolean, .default_value = "false", .doc = "Hang."},
          {.name = "throw", .type = ConfigType::kBoolean, .default_value = "false", .doc = "."}};
}

class RowsSource final : public SourceTask {
 public:
  /// One task for each row range, to show the split.
  static Result<std::vector<Properties>> taskConfigs(const Properties& config, int max_tasks) {
    return std::vector<Properties>(static_cast<std::size_t>(max_tasks), config);
  }
  Status start(const Settings& settings, SourceContext& context) override {
    topic_ = settings.text("topic");
    rows_ = settings.number("rows");
    hang_ = settings.flag("hang");
    throw_ = settings.flag("throw");
    const SourceMap partition{{"source", Value("rows")}};
    if (const auto stored = context.storedOffset(partition)) {
      next_ = stored->at("row").integer().value_or(0);
    }
    partition_ = std::make_shared<const SourceMap>(partition);
    return {};
  }
  Result<std::vector<SourceRecord>> poll() override {
    if (throw_) throw std::out_of_range("row");
    if (hang_) never_.get_future().wait();
    std::vector<SourceRecord> records;
    for (; next_ < rows_; ++next_) {
      SourceRecord record{.source_partition = partition_, .topic = topic_};
      record.source_offset.emplace("row", next_ + 1);
      record.value = std::string("row ") + std::to_string(next_);
      records.push_back(std::move(record));
    }
    return records;
  }
  [[nodiscard]] bool finished() const override { return next_ >= rows_; }

 private:
  std::string topic_;
  std::int64_t rows_ = 0;
  std::int64_t next_ = 0;
  bool hang_ = false;
  bool throw_ = false;
  std::promise<void> never_;
  std::shared_ptr<const SourceMap> partition_;
};

}  // namespace

MILLRACE_CONNECTOR(RowsSource, {.name = "rows", .version = "1.0", .config = rowsConfig()})
