// kill -9 in the middle of producing: what was acknowledged is there afterwards, once, in order.
#include "tests/broker/support/requests.h"
#include "tests/broker/support/test_broker.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <random>
#include <string>

namespace millrace::broker::testing {
namespace {

constexpr std::int16_t kInitProducerIdVersion = 4;
constexpr int kRounds = 4;
constexpr int kWindow = 5;  // batches in flight, as many as a broker remembers

/// A broker in a process of its own.
class ChildBroker {
 public:
  explicit ChildBroker(const std::string& directory) {
    int ends[2];
    if (::pipe(ends) != 0) std::abort();
    child_ = ::fork();
    if (child_ == 0) {
      ::close(ends[0]);
      BrokerOptions options;
      options.directory = directory;
      options.properties["listeners"] = "PLAINTEXT://127.0.0.1:0";
      auto broker = millrace::Broker::tryOpen(std::move(options));
      const std::uint16_t port = broker ? broker->port() : std::uint16_t{0};
      if (::write(ends[1], &port, sizeof port) != sizeof port) ::_exit(2);
      for (;;) ::pause();
    }
    ::close(ends[1]);
    if (::read(ends[0], &port_, sizeof port_) != sizeof port_) port_ = 0;
    ::close(ends[0]);
  }
  ~ChildBroker() { kill(); }
  ChildBroker(const ChildBroker&) = delete;
  ChildBroker& operator=(const ChildBroker&) = delete;

  void kill() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    int status = 0;
    ::waitpid(child_, &status, 0);
    child_ = -1;
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  pid_t child_ = -1;
  std::uint16_t port_ = 0;
};

/// An idempotent producer that numbers its records and, after a restart, sends again what was not
/// acknowledged.
class NumberingProducer {
 public:
  explicit NumberingProducer(std::uint64_t seed) : random_(seed) {}

  void connect(std::uint16_t port) {
    client_ = std::make_unique<WireClient>(port);
    if (producer_id_ >= 0) return;
    protocol::InitProducerIdRequest request;
    request.transactional_id = std::nullopt;
    request.transaction_timeout_ms = 60'000;
    const auto answer = client_->call(request, kInitProducerIdVersion);
    ASSERT_EQ(answer.error_code, 0);
    ASSERT_GE(answer.producer_id, 0);
    producer_id_ = answer.producer_id;
    epoch_ = answer.producer_epoch;
  }
  /// Keeps kWindow batches under way until `batches` are acknowledged or the broker is gone.
  void run(int batches, const std::function<void()>& after_half) {
    std::size_t sent = 0;
    int acknowledged = 0;
    while (acknowledged < batches) {
      while (sent < static_cast<std::size_t>(kWindow)) {
        if (sent == window_.size()) window_.push_back(nextBatch());
        client_->send(window_[sent].frame);
        ++sent;
      }
      auto frame = client_->receive();
      if (!frame) return;
      takeAnswer(*frame);
      --sent;
      if (++acknowledged == batches / 2) after_half();
    }
  }
  [[nodiscard]] std::int64_t acknowledged() const { return acknowledged_; }
  [[nodiscard]] std::int64_t sent() const { return next_; }

 private:
  struct Batch {
    Bytes frame;
    std::int64_t first = 0;
    int count = 0;
  };

  Batch nextBatch() {
    Batch out;
    out.first = next_;
    out.count = 1 + static_cast<int>(random_() % 20);
    record::BatchOptions options;
    options.producer_id = ProducerId(producer_id_);
    options.producer_epoch = epoch_;
    options.base_sequence = static_cast<std::int32_t>(next_);
    std::vector<std::string> values;
    for (int i = 0; i < out.count; ++i) values.push_back(std::to_string(next_++));
    const Bytes batch = batchOf(values, options);
    const auto request = produceRequest("t", 0, batch);
    out.frame = WireClient::encode(protocol::ProduceRequest::info(), &request, kProduceVersion, 0);
    return out;
  }
  void takeAnswer(BytesView frame) {
    const auto split = protocol::splitResponse(frame, protocol::apiInfo(protocol::ApiKey::kProduce),
                                               kProduceVersion);
    const auto answer = protocol::decode<protocol::ProduceResponse>(split->body, kProduceVersion);
    const auto& p = answer->responses.at(0).partition_responses.at(0);
    const Batch& batch = window_.front();
    EXPECT_EQ(p.error_code, 0);
    EXPECT_EQ(p.base_offset, batch.first);  // numbers are offsets, also for what is sent again
    acknowledged_ = batch.first + batch.count;
    window_.erase(window_.begin());
  }

  std::mt19937_64 random_;
  std::unique_ptr<WireClient> client_;
  std::int64_t producer_id_ = -1;
  std::int16_t epoch_ = 0;
  std::int64_t next_ = 0;
  std::int64_t acknowledged_ = 0;
  std::vector<Batch> window_;  // sent and not acknowledged
};

TEST(Kill, AcknowledgedRecordsAreThereOnceInOrder) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  millrace::TempDir directory;
  NumberingProducer producer(seed);
  for (int round = 0; round < kRounds; ++round) {
    ChildBroker broker(directory.path());
    ASSERT_NE(broker.port(), 0);
    if (round == 0) {
      WireClient admin(broker.port());
      ASSERT_EQ(createTopic(admin, "t"), 0);
    }
    producer.connect(broker.port());
    producer.run(400, [&broker] { broker.kill(); });
    EXPECT_GT(producer.acknowledged(), 0);
  }
  ChildBroker broker(directory.path());
  ASSERT_NE(broker.port(), 0);
  WireClient client(broker.port());
  const auto all = readAll(client, "t", 0);
  EXPECT_GE(static_cast<std::int64_t>(all.size()), producer.acknowledged());
  EXPECT_LE(static_cast<std::int64_t>(all.size()), producer.sent());
  for (std::size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(all[i].offset, static_cast<std::int64_t>(i));
    ASSERT_EQ(all[i].value, std::to_string(i));
  }
}

}  // namespace
}  // namespace millrace::broker::testing
