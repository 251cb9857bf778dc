// The recorded cases' notation of schemas, values and bytes.
#pragma once

#include "connect/plugin.h"
#include "tests/support/temp_dir.h"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <map>
#include <string>
#include <vector>

namespace millrace::connect::testing {

/// Lines of tests/data/connect/NAME.jsonl.gz.
[[nodiscard]] std::vector<boost::json::object> readCases(const std::string& name);
[[nodiscard]] SchemaPtr schemaOf(const boost::json::value& node);
[[nodiscard]] Value valueOf(const boost::json::value& node, const SchemaPtr& schema);
/// {"text"} or {"base64"}; nullopt for null.
[[nodiscard]] std::optional<Bytes> bytesOf(const boost::json::object& node);
/// Back into the notation, with map entries sorted by their text.
[[nodiscard]] std::string notationOf(const Value& value);
[[nodiscard]] std::string notationOf(const SchemaPtr& schema);

/// Settings for a task under test: parsed by the task's own keys.
class TestSettings final : public Settings {
 public:
  TestSettings(const std::vector<ConfigKey>& keys, const Properties& given);
  [[nodiscard]] const ConfigValue& get(std::string_view key) const override;
  [[nodiscard]] const Properties& all() const override { return config_.originals(); }

 private:
  Config config_;
};

class TestSourceContext final : public SourceContext {
 public:
  std::optional<SourceMap> storedOffset(const SourceMap&) override { return offset; }
  void log(std::string_view line) override { lines.emplace_back(line); }
  std::optional<SourceMap> offset;
  std::vector<std::string> lines;
};

class TestSinkContext final : public SinkContext {
 public:
  void seek(const TopicPartitionKey&, std::int64_t) override {}
  void pause(const std::vector<TopicPartitionKey>&) override {}
  void resume(const std::vector<TopicPartitionKey>&) override {}
  void requestCommit() override {}
  bool report(const SinkRecord&, const Error&) override { return false; }
  void log(std::string_view) override {}
};

using millrace::TempDir;

void writeFile(const std::string& path, BytesView content);
void appendFile(const std::string& path, BytesView content);
[[nodiscard]] Bytes readFile(const std::string& path);

}  // namespace millrace::connect::testing
