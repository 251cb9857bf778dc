// A broker with three data directories, between which partitions move.
#pragma once

#include "broker/metadata/image.h"
#include "protocol/messages/alter_replica_log_dirs_request.h"
#include "protocol/messages/alter_replica_log_dirs_response.h"
#include "protocol/messages/describe_log_dirs_request.h"
#include "protocol/messages/describe_log_dirs_response.h"
#include "protocol/messages/incremental_alter_configs_request.h"
#include "protocol/messages/incremental_alter_configs_response.h"
#include "tests/broker/support/requests.h"
#include "tests/broker/support/test_broker.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace millrace::broker::testing {

class MovingReplicas : public ::testing::Test {
 protected:
  void start() {
    BrokerOptions options;
    options.properties["listeners"] = "PLAINTEXT://127.0.0.1:0";
    options.properties["log.cleaner.backoff.ms"] = "1";
    options.properties["log.dirs"] = a() + "," + b() + "," + c();
    broker_.emplace(Broker::open(std::move(options)));
    client_.emplace(broker_->port());
  }
  void stop() {
    client_.reset();
    broker_.reset();
  }
  [[nodiscard]] std::string a() const { return directory_.path() + "/a"; }
  [[nodiscard]] std::string b() const { return directory_.path() + "/b"; }
  [[nodiscard]] std::string c() const { return directory_.path() + "/c"; }
  Errc move(const std::string& topic, const std::string& directory, std::int32_t partition = 0) {
    protocol::AlterReplicaLogDirsRequest request;
    auto& dir = request.dirs.emplace_back();
    dir.path = Text(directory);
    auto& t = dir.topics.emplace_back();
    t.name = Text(topic);
    t.partitions = {partition};
    const auto answer = client_->call(request, 2);
    return fromWire(answer.results.at(0).partitions.at(0).error_code);
  }
  /// Bytes per second for all moves.
  void limit(const std::string& rate) {
    set(ConfigResourceType::kBroker, "", "replica.alter.log.dirs.io.max.bytes.per.second", rate);
  }
  void set(ConfigResourceType type, const std::string& name, const std::string& key,
           const std::string& value) {
    protocol::IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = static_cast<std::int8_t>(type);
    resource.resource_name = Text(name);
    auto& config = resource.configs.emplace_back();
    config.name = Text(key);
    config.value = Text(value);
    ASSERT_EQ(client_->call(request, 1).responses.at(0).error_code, 0);
  }
  struct Place {
    std::string directory;
    bool future = false;
    std::int64_t lag = 0;
    std::int64_t size = 0;
  };
  /// Where DescribeLogDirs sees partition 0.
  std::vector<Place> placesOf(const std::string& topic) {
    protocol::DescribeLogDirsRequest all;
    all.topics.reset();
    const auto answer = client_->call(all, 4);
    std::vector<Place> out;
    for (const auto& dir : answer.results)
      for (const auto& t : dir.topics)
        for (const auto& p : t.partitions)
          if (t.name.view() == topic && p.partition_index == 0)
            out.push_back({dir.log_dir.str(), p.is_future_key, p.offset_lag, p.partition_size});
    return out;
  }
  bool liesIn(const std::string& topic, const std::string& directory) {
    const auto places = placesOf(topic);
    return places.size() == 1 && places[0].directory == directory && !places[0].future;
  }
  void fill(const std::string& topic, int batches, std::size_t size = 1000) {
    for (int i = 0; i < batches; ++i)
      ASSERT_EQ(produce(*client_, topic, 0, {std::string(size, 'x')}).error_code, 0);
  }
  /// One of the directories that is not this one.
  std::string other(const std::string& directory) { return directory == a() ? b() : a(); }
  /// The one that is neither.
  std::string third(const std::string& one, const std::string& two) {
    for (const std::string& directory : {a(), b()})
      if (directory != one && directory != two) return directory;
    return c();
  }

  TempDir directory_;
  std::optional<Broker> broker_;
  std::optional<WireClient> client_;
};

}  // namespace millrace::broker::testing
