#include "client/admin.h"

#include "client/admin_core.h"
#include "client/cluster_queries.h"

#include <fmt/format.h>

#include <stdexcept>
#include <thread>

namespace millrace {
namespace client {

Millis AdminCore::attemptMs(TimePoint deadline) const {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  return std::max<Millis>(std::min<Millis>(config_.common.request_timeout_ms, left.count()), 1);
}

bool AdminCore::pause(TimePoint deadline) const {
  const auto wake =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(config_.common.retry_backoff_ms);
  if (wake >= deadline) return false;
  std::this_thread::sleep_until(wake);  // the caller's own thread
  return true;
}

Result<NodeId> AdminCore::coordinator(const std::string& group, TimePoint deadline) {
  MILLRACE_TRY(const Reply reply, callAndWait(*base_.transport, kAnyNode,
                                              findCoordinatorCall(group, attemptMs(deadline))));
  MILLRACE_TRY(const NodeAddress found, readCoordinator(reply));
  // The transport must know the node's address before it can be asked.
  MILLRACE_TRY(const ClusterImage image, cluster(std::vector<std::string>{}, deadline));
  std::ignore = image;
  return found.id;
}

Result<ClusterImage> AdminCore::cluster(std::optional<std::vector<std::string>> topics,
                                        TimePoint deadline) {
  return askCluster(base_, std::move(topics), attemptMs(deadline));
}

Status statusOf(std::int16_t code, const std::optional<Text>& message, const std::string& what) {
  const Errc errc = fromWire(code);
  if (errc == Errc::kNone) return {};
  const bool said = message && !message->empty();
  return fail(errc, fmt::format("{}: {}", what, said ? message->view() : errorMessage(errc)));
}

}  // namespace client

Result<Admin> Admin::create(AdminOptions options) {
  MILLRACE_TRY(client::ClientConfig config, client::parseAdminConfig(options));
  return Admin(
      std::make_shared<client::AdminCore>(std::move(config), std::move(options.transport)));
}

Admin::Admin(AdminOptions options) {
  auto made = create(std::move(options));
  if (!made) throw std::invalid_argument(made.error().toString());
  *this = std::move(*made);
}

Admin::Admin(std::shared_ptr<client::AdminCore> core) : core_(std::move(core)) {}
Admin::Admin(Admin&&) noexcept = default;
Admin& Admin::operator=(Admin&&) noexcept = default;
Admin::~Admin() = default;

Result<AdminResults<TopicPartition, OffsetAndTimestamp>> Admin::listOffsets(
    const std::map<TopicPartition, std::int64_t>& specs) {
  return client::askOffsetsBlocking(core_->base(), core_->common(), specs, false,
                                    core_->deadline());
}

}  // namespace millrace
