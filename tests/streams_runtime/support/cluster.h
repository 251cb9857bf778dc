// A broker of the test's own, with what tests ask of it.
#pragma once

#include "broker/broker.h"
#include "client/admin.h"
#include "tests/support/temp_dir.h"

#include <map>
#include <string>
#include <vector>

namespace millrace::testing {

/// Listens on a free port of 127.0.0.1; data goes with the object. Failures are test failures.
class Cluster {
 public:
  explicit Cluster(Properties properties = {});
  [[nodiscard]] Broker& broker() { return broker_; }
  [[nodiscard]] std::string bootstrap() const {
    return "127.0.0.1:" + std::to_string(broker_.port());
  }

  void createTopic(const std::string& name, std::int32_t partitions);
  void produce(const std::string& topic,
               const std::vector<std::pair<std::string, std::string>>& records);
  [[nodiscard]] std::int32_t partitions(const std::string& topic);
  [[nodiscard]] std::string topicConfig(const std::string& topic, const std::string& key);
  /// Log start offsets and end offsets, summed over the partitions.
  [[nodiscard]] std::int64_t beginning(const std::string& topic);
  [[nodiscard]] std::int64_t end(const std::string& topic);
  /// Key to last value of a topic, as raw bytes.
  [[nodiscard]] std::map<std::string, std::string> lastBytes(const std::string& topic);
  /// The same; values are big-endian integers.
  template <class Int>
  [[nodiscard]] std::map<std::string, Int> lastValues(const std::string& topic);

 private:
  [[nodiscard]] std::int64_t sumOffsets(const std::string& topic, std::int64_t spec);
  TempDir directory_;
  Broker broker_;
  Admin admin_;
};

}  // namespace millrace::testing

#include "base/varint.h"

template <class Int>
std::map<std::string, Int> millrace::testing::Cluster::lastValues(const std::string& topic) {
  std::map<std::string, Int> out;
  for (const auto& [key, bytes] : lastBytes(topic)) {
    out[key] = bytes.size() == sizeof(Int) ? loadBe<Int>(bytes.data()) : Int{-1};
  }
  return out;
}
