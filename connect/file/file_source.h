// FileStreamSource: the lines, or the rows, of a file as records; goes on when the file grows.
#pragma once

#include "connect/file/csv.h"
#include "connect/file/line_reader.h"
#include "connect/plugin.h"

#include <condition_variable>
#include <mutex>

namespace millrace::connect {

/// One file, one task. Lines behave as Kafka's FileStreamSource; its stored position counts UTF-16
/// units, so the exact byte is stored beside it ("bytes") and a restart in a non-ASCII file is
/// exact. CSV rows become maps and their position is in bytes.
class FileSourceTask final : public SourceTask {
 public:
  [[nodiscard]] static std::vector<ConfigKey> config();

  Status start(const Settings& settings, SourceContext& context) override;
  Result<std::vector<SourceRecord>> poll() override;
  [[nodiscard]] bool finished() const override { return finished_; }
  void stop() override;

 private:
  struct Position {
    std::uint64_t units = 0;
    std::uint64_t bytes = 0;
  };
  [[nodiscard]] Result<Position> storedPosition();
  [[nodiscard]] Result<bool> openIfThere();
  [[nodiscard]] Result<bool> openRows();
  [[nodiscard]] Result<std::vector<SourceRecord>> pollLines();
  [[nodiscard]] Result<std::vector<SourceRecord>> pollRows();
  [[nodiscard]] Result<SourceRecord> rowRecord(const std::vector<CsvCell>& cells) const;
  [[nodiscard]] Result<std::optional<std::size_t>> column(std::string_view key) const;
  [[nodiscard]] SourceRecord lineRecord(Line line) const;
  void waitForMore();

  const Settings* settings_ = nullptr;
  SourceContext* context_ = nullptr;
  std::string file_;
  std::string topic_;
  std::size_t batch_size_ = 2000;
  bool csv_ = false;
  bool tail_ = true;
  bool warned_ = false;
  bool finished_ = false;
  std::shared_ptr<const SourceMap> partition_;
  std::optional<LineReader> lines_;
  std::optional<CsvReader> rows_;
  CsvTyping typing_;
  std::optional<std::size_t> key_column_;
  std::optional<std::size_t> time_column_;
  std::optional<std::size_t> minutes_column_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopped_ = false;
};

}  // namespace millrace::connect
