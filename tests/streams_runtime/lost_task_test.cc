// A thread that loses its tasks while what they wrote is still under way.
#include "client/transport.h"
#include "protocol/messages/heartbeat_response.h"
#include "protocol/messages/list_offsets_request.h"
#include "tests/streams_runtime/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <millrace/streams.h>
#include <mutex>

namespace millrace {
namespace {

using namespace std::chrono_literals;
using client::Call;
using client::Done;
using client::NodeId;
using client::Reply;
using testing::Cluster;
using testing::eventually;

constexpr std::string_view kChangelog = "app-counts-changelog";

/// Holds Produce requests back and throws the member out of its group, as the test says. Sees who
/// asks for the changelog's offsets meanwhile.
class HeldTransport final : public client::Transport {
 public:
  explicit HeldTransport(std::shared_ptr<Transport> inner) : inner_(std::move(inner)) {}

  void call(NodeId node, Call call, Done done) override {
    using protocol::ApiKey;
    const auto key = static_cast<ApiKey>(call.request->key);
    if (key == ApiKey::kProduce && hold(node, call, done)) return;
    if (key == ApiKey::kHeartbeat) done = expelling(std::move(done));
    if (key == ApiKey::kListOffsets) call.build = noting(std::move(call.build));
    inner_->call(node, std::move(call), std::move(done));
  }

  void expelOnce() { expel_ = true; }
  [[nodiscard]] bool expelled() const { return expelled_; }
  [[nodiscard]] std::size_t held() {
    const std::lock_guard lock(mutex_);
    return held_.size();
  }
  /// The changelog was measured while records of it were held.
  [[nodiscard]] bool measuredEarly() const { return measured_early_; }
  void letGo() {
    std::deque<Held> going;
    {
      const std::lock_guard lock(mutex_);
      holding_ = false;
      going.swap(held_);
    }
    for (Held& held : going) inner_->call(held.node, std::move(held.call), std::move(held.done));
  }

 private:
  struct Held {
    NodeId node;
    Call call;
    Done done;
  };
  using Build = decltype(Call::build);

  bool hold(NodeId node, Call& call, Done& done) {
    const std::lock_guard lock(mutex_);
    if (!holding_) return false;
    held_.push_back({node, std::move(call), std::move(done)});
    return true;
  }
  Done expelling(Done done) {
    return [this, done = std::move(done)](Result<Reply> reply) mutable {
      if (reply && expel_.exchange(false)) {
        auto& answer = *static_cast<protocol::HeartbeatResponse*>(reply->body.get());
        answer.error_code = static_cast<std::int16_t>(Errc::kUnknownMemberId);
        expelled_ = true;
      }
      done(std::move(reply));
    };
  }
  Build noting(Build build) {
    return [this, build = std::move(build)](std::int16_t version) mutable {
      auto message = build(version);
      for (const auto& topic : static_cast<protocol::ListOffsetsRequest*>(message.get())->topics) {
        if (topic.name.view() == kChangelog && held() > 0) measured_early_ = true;
      }
      return message;
    };
  }

  std::shared_ptr<Transport> inner_;
  std::atomic<bool> expel_{false};
  std::atomic<bool> expelled_{false};
  std::atomic<bool> measured_early_{false};
  std::mutex mutex_;
  bool holding_ = true;
  std::deque<Held> held_;
};

/// What a Streams takes for a broker.
struct Embedded {
  std::shared_ptr<client::Transport> held;
  [[nodiscard]] std::shared_ptr<client::Transport> transport() const { return held; }
};

Topology countTopology() {
  StreamsBuilder builder;
  builder.stream<std::string, std::string>("in").groupByKey().count({.store = "counts"});
  return builder.build();
}

TEST(LostTask, IsMeasuredAgainOnlyAfterWhatItWroteHasArrived) {
  Cluster cluster(Properties{{"group.min.session.timeout.ms", "100"}});
  cluster.createTopic("in", 1);
  cluster.produce("in", {{"a", "1"}, {"a", "2"}, {"b", "3"}});
  TempDir state;
  auto transport = std::make_shared<HeldTransport>(cluster.broker().transport());
  Embedded embedded{transport};
  Streams streams(countTopology(), {.applicationId = "app",
                                    .broker = embedded,
                                    .stateDir = state.path(),
                                    .properties = {{"commit.interval.ms", "3600000"},
                                                   {"statestore.cache.max.bytes", "0"},
                                                   {"producer.linger.ms", "0"},
                                                   {"consumer.session.timeout.ms", "500"},
                                                   {"consumer.heartbeat.interval.ms", "50"}}});
  ASSERT_TRUE(streams.start());
  ASSERT_TRUE(eventually([&] { return transport->held() > 0; }));
  transport->expelOnce();
  ASSERT_TRUE(eventually([&] { return transport->expelled(); }));
  // Long enough to be thrown out, to come back and to measure.
  std::ignore = eventually([&] { return transport->measuredEarly(); }, 1s);
  EXPECT_FALSE(transport->measuredEarly());
  transport->letGo();
  ASSERT_TRUE(eventually([&] { return streams.metrics().processed >= 6; }));
  EXPECT_TRUE(streams.close(30s));
  const std::map<std::string, std::int64_t> expected{{"a", 2}, {"b", 1}};
  EXPECT_EQ(cluster.lastValues<std::int64_t>(std::string(kChangelog)), expected);
}

}  // namespace
}  // namespace millrace
