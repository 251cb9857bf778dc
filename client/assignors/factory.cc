// The assignors that a consumer can be configured with, by name.
#include <fmt/format.h>

#include "client/assignors/assignors.h"
#include "client/consumer_core.h"

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
  return fail(Errc::kConfig,
              fmt::format("partition.assignment.strategy: unknown assignor '{}': write range, "
                          "cooperative-sticky, sticky or roundrobin",
                          name));
}

}  // namespace millrace::client
