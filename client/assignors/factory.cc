// The assignors that a consumer can be configured with, by name.
#include "client/assignors/assignors.h"
#include "client/assignors/sticky.h"
#include "client/cluster_queries.h"

#include <fmt/format.h>

namespace millrace::client {
namespace {

GroupAssignment wrap(MemberPartitions partitions) {
  GroupAssignment out;
  for (auto& [member, list] : partitions) out[member].partitions = std::move(list);
  return out;
}

using AssignFn = MemberPartitions (*)(const AssignableTopics&, const GroupSubscriptions&);

/// An assignor without memory.
class PlainAssignor final : public GroupAssignor {
 public:
  PlainAssignor(std::string name, AssignFn fn) : name_(std::move(name)), fn_(fn) {}
  [[nodiscard]] std::string name() const override { return name_; }
  Result<GroupAssignment> assign(const AssignableTopics& topics,
                                 const GroupSubscriptions& group) override {
    return wrap(fn_(topics, group));
  }

 private:
  std::string name_;
  AssignFn fn_;
};

/// Remembers what it got, to say so at the next join.
class StickyAssignor final : public GroupAssignor {
 public:
  explicit StickyAssignor(bool cooperative) : cooperative_(cooperative) {}
  [[nodiscard]] std::string name() const override {
    return cooperative_ ? "cooperative-sticky" : "sticky";
  }
  [[nodiscard]] RebalanceProtocol protocol() const override {
    return cooperative_ ? RebalanceProtocol::kCooperative : RebalanceProtocol::kEager;
  }
  std::optional<Bytes> subscriptionUserData(const std::set<std::string>&) override {
    if (cooperative_) return encodeGeneration(generation_);
    if (generation_ < 0) return std::nullopt;
    return encodeStickyUserData(mine_, generation_);
  }
  Result<GroupAssignment> assign(const AssignableTopics& topics,
                                 const GroupSubscriptions& group) override {
    return wrap(cooperative_ ? assignCooperativeSticky(topics, group)
                             : assignEagerSticky(topics, group));
  }
  void onAssignment(const MemberAssignment& assignment, std::int32_t generation) override {
    mine_ = assignment.partitions;
    generation_ = generation;
  }

 private:
  bool cooperative_;
  std::vector<TopicPartition> mine_;
  std::int32_t generation_ = -1;
};

}  // namespace

Result<std::shared_ptr<GroupAssignor>> makeAssignor(const std::string& name) {
  const auto is = [&](const char* short_name, const char* class_name) {
    return name == short_name ||
           name == std::string("org.apache.kafka.clients.consumer.") + class_name;
  };
  if (is("range", "RangeAssignor")) return std::make_shared<PlainAssignor>("range", &assignRange);
  if (is("roundrobin", "RoundRobinAssignor")) {
    return std::make_shared<PlainAssignor>("roundrobin", &assignRoundRobin);
  }
  if (is("sticky", "StickyAssignor")) return std::make_shared<StickyAssignor>(false);
  if (is("cooperative-sticky", "CooperativeStickyAssignor")) {
    return std::make_shared<StickyAssignor>(true);
  }
  return fail(Errc::kConfig,
              fmt::format("partition.assignment.strategy: unknown assignor '{}': write range, "
                          "cooperative-sticky, sticky or roundrobin",
                          name));
}

}  // namespace millrace::client
