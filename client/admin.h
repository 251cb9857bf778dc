// The administrator: topics, configurations, groups, offsets, the cluster.
#pragma once

#include "base/uuid.h"
#include "client/record.h"

#include <chrono>
#include <map>
#include <memory>
#include <set>

namespace millrace {

namespace client {
class Transport;
class AdminCore;
}  // namespace client

struct AdminOptions {
  std::string bootstrapServers = {};
  std::string clientId = {};
  std::map<std::string, std::string> properties = {};  ///< any key of Kafka's admin client; wins
  std::shared_ptr<client::Transport> transport = {};   ///< instead of bootstrapServers
};

struct NewTopic {
  std::string name;
  std::int32_t partitions = -1;         ///< -1: the broker's num.partitions
  std::int16_t replicationFactor = -1;  ///< -1: the broker's default
  std::map<std::string, std::string> configs = {};
  /// Replicas by partition, by hand; then the two numbers above stay -1.
  std::map<std::int32_t, std::vector<std::int32_t>> assignment = {};
};

struct TopicPartitionDescription {
  std::int32_t partition = 0;
  std::int32_t leader = -1;
  std::int32_t leader_epoch = -1;
  std::vector<std::int32_t> replicas;
  std::vector<std::int32_t> in_sync_replicas;
};
struct TopicDescription {
  std::string name;
  Uuid id;
  bool internal = false;
  std::vector<TopicPartitionDescription> partitions;  ///< by index
};
struct TopicListing {
  std::string name;
  Uuid id;
  bool internal = false;
};

enum class ConfigResourceType : std::int8_t {
  kTopic = 2,
  kBroker = 4,
  kBrokerLogger = 8,
  kGroup = 32
};
struct ConfigResource {
  ConfigResourceType type = ConfigResourceType::kTopic;
  std::string name;  ///< topic, broker id ("" = all brokers' default), group
  friend auto operator<=>(const ConfigResource&, const ConfigResource&) = default;
};
enum class ConfigSource : std::int8_t {
  kUnknown = 0,
  kTopic = 1,
  kDynamicBroker = 2,
  kDynamicDefaultBroker = 3,
  kStaticBroker = 4,
  kDefault = 5,
  kGroup = 8
};
struct ConfigEntry {
  std::string name;
  std::optional<std::string> value;  ///< nullopt: null, or sensitive
  ConfigSource source = ConfigSource::kUnknown;
  bool read_only = false;
  bool sensitive = false;
};
enum class AlterConfigOp : std::int8_t { kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3 };
struct AlterConfig {
  std::string name;
  std::optional<std::string> value = std::nullopt;
  AlterConfigOp op = AlterConfigOp::kSet;
};

struct GroupListing {
  std::string group_id;
  std::string protocol_type;
  std::string state;
  std::string type;  ///< "classic", "consumer"; empty from old brokers
};
struct GroupMember {
  std::string member_id;
  std::string client_id;
  std::string host;
  std::optional<std::string> group_instance_id;
  std::vector<TopicPartition> assignment;  ///< where the protocol type is "consumer"
};
struct GroupDescription {
  std::string group_id;
  std::string state;
  std::string protocol_type;
  std::string protocol;  ///< the assignor's name
  std::int32_t coordinator = -1;
  std::vector<GroupMember> members;
};

struct ClusterNode {
  std::int32_t id = -1;
  std::string host;
  std::int32_t port = 0;
  std::optional<std::string> rack;
};
struct ClusterDescription {
  std::string cluster_id;
  std::int32_t controller = -1;
  std::vector<ClusterNode> nodes;
};

/// A place in a log by what it is rather than by number.
struct OffsetSpec {
  static constexpr std::int64_t kLatest = -1;
  static constexpr std::int64_t kEarliest = -2;
  static constexpr std::int64_t kMaxTimestamp = -3;
};

/// Answers per thing: a call that reached the cluster may still have refused some of them.
template <class Key, class Value>
using AdminResults = std::map<Key, Result<Value>>;

/// Blocking calls, thread-safe; each retries what may be retried within default.api.timeout.ms. The
/// outer Result fails where no broker answered. Coroutine forms: client/async.h (any blocking call
/// on another thread).
class Admin {
 public:
  /// Throws std::invalid_argument where a configuration value is wrong.
  explicit Admin(AdminOptions options);
  [[nodiscard]] static Result<Admin> create(AdminOptions options);
  Admin(Admin&&) noexcept;
  Admin& operator=(Admin&&) noexcept;
  ~Admin();

  struct CreateTopicsOptions {
    bool validateOnly = false;
  };
  [[nodiscard]] Result<AdminResults<std::string, Uuid>> createTopics(
      const std::vector<NewTopic>& topics, CreateTopicsOptions options);
  [[nodiscard]] Result<AdminResults<std::string, Uuid>> createTopics(
      const std::vector<NewTopic>& topics);
  /// One topic, one status.
  Status createTopic(const NewTopic& topic);
  [[nodiscard]] Result<AdminResults<std::string, void>> deleteTopics(
      const std::vector<std::string>& topics);
  /// New total per topic; must grow.
  [[nodiscard]] Result<AdminResults<std::string, void>> createPartitions(
      const std::map<std::string, std::int32_t>& totals);
  [[nodiscard]] Result<std::vector<TopicListing>> listTopics();
  [[nodiscard]] Result<AdminResults<std::string, TopicDescription>> describeTopics(
      const std::vector<std::string>& topics);
  [[nodiscard]] Result<ClusterDescription> describeCluster();

  [[nodiscard]] Result<AdminResults<ConfigResource, std::vector<ConfigEntry>>> describeConfigs(
      const std::vector<ConfigResource>& resources);
  [[nodiscard]] Result<AdminResults<ConfigResource, void>> alterConfigs(
      const std::map<ConfigResource, std::vector<AlterConfig>>& changes);

  [[nodiscard]] Result<std::vector<GroupListing>> listGroups();
  [[nodiscard]] Result<AdminResults<std::string, GroupDescription>> describeGroups(
      const std::vector<std::string>& groups);
  [[nodiscard]] Result<AdminResults<std::string, void>> deleteGroups(
      const std::vector<std::string>& groups);
  /// What a group has committed; all of its partitions where `partitions` is empty.
  [[nodiscard]] Result<std::map<TopicPartition, OffsetAndMetadata>> listGroupOffsets(
      const std::string& group, const std::vector<TopicPartition>& partitions = {});
  /// Only while the group has no members.
  [[nodiscard]] Result<AdminResults<TopicPartition, void>> alterGroupOffsets(
      const std::string& group, const std::map<TopicPartition, OffsetAndMetadata>& offsets);
  [[nodiscard]] Result<AdminResults<TopicPartition, void>> deleteGroupOffsets(
      const std::string& group, const std::vector<TopicPartition>& partitions);

  /// Offsets by OffsetSpec constant or by timestamp (>= 0). offset -1 where no record is that
  /// young.
  [[nodiscard]] Result<AdminResults<TopicPartition, OffsetAndTimestamp>> listOffsets(
      const std::map<TopicPartition, std::int64_t>& specs);
  /// Deletes records below the offsets (-1: all). Answers the new low watermarks.
  [[nodiscard]] Result<AdminResults<TopicPartition, std::int64_t>> deleteRecords(
      const std::map<TopicPartition, std::int64_t>& before);

 private:
  explicit Admin(std::shared_ptr<client::AdminCore> core);
  std::shared_ptr<client::AdminCore> core_;
};

}  // namespace millrace
