// bench_acks MILLRACE|HOST:PORT [MILLISECONDS [TURN [PRODUCERS IN_FLIGHT RECORDS SIZE]]]: producers
// on connections of their own, acks=all, to a broker process: a topic that is flushed before it
// acknowledges beside one that is not, and what the disk can do at best. HOST:PORT is a broker that
// runs already, of Apache Kafka: there flush.messages=1 is what comes next to flush.on.ack.
//
// The sides take turns of TURN ms (200). What one leaves in the page cache is written to the disk
// while others are measured; where that is much (large batches), turns of seconds tell what each
// can go on with: these begin with nothing left to be written.
#include "bench/log/raw_sync.h"
#include "bench/suite/process.h"
#include "client/admin.h"
#include "protocol/codec.h"
#include "protocol/frame.h"
#include "protocol/messages/produce_request.h"
#include "protocol/messages/produce_response.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>

namespace millrace::bench {
namespace {

constexpr std::int16_t kVersion = 12;

void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

std::uint16_t portOf(const std::string& bootstrap) {
  return static_cast<std::uint16_t>(std::stoi(bootstrap.substr(bootstrap.rfind(':') + 1)));
}

Bytes produceFrame(const std::string& topic, int partition, const Bytes& batch) {
  protocol::ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 60'000;
  protocol::ProduceRequest::TopicProduceData data;
  data.name = Text(topic);
  protocol::ProduceRequest::PartitionProduceData part;
  part.index = partition;
  part.records = protocol::Records::borrow(batch);
  data.partition_data.push_back(std::move(part));
  request.topic_data.push_back(std::move(data));
  protocol::RequestHead head;
  head.api_key = protocol::ProduceRequest::info().key;
  head.api_version = kVersion;
  head.client_id = Text("bench");
  return orDie(orDie(protocol::encodeRequest(head, request)).join());
}

/// One producer: a connection with some requests under way, all alike.
class Connection {
 public:
  Connection(std::uint16_t port, Bytes frame)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), frame_(std::move(frame)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    require(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0, "cannot connect");
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~Connection() { ::close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  void send(std::size_t requests) {
    sending_.clear();
    for (std::size_t i = 0; i < requests; ++i) sending_ += frame_;
    for (std::size_t done = 0; done < sending_.size();) {
      const ssize_t n = ::send(fd_, sending_.data() + done, sending_.size() - done, MSG_NOSIGNAL);
      require(n > 0, "cannot send");
      done += static_cast<std::size_t>(n);
    }
  }
  /// How many requests were answered since.
  std::size_t receive() {
    std::array<char, 16 << 10> buffer;
    const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
    require(n > 0, "the broker closed a connection");
    received_.append(buffer.data(), static_cast<std::size_t>(n));
    std::size_t answers = 0;
    std::size_t at = 0;
    while (received_.size() - at >= 4) {
      const std::size_t size = loadBe<std::uint32_t>(received_.data() + at);
      if (received_.size() - at - 4 < size) break;
      check(BytesView(received_).substr(at + 4, size));
      at += 4 + size;
      ++answers;
    }
    received_.erase(0, at);
    return answers;
  }

 private:
  static void check(BytesView frame) {
    const auto& api = protocol::apiInfo(protocol::ApiKey::kProduce);
    const auto split = orDie(protocol::splitResponse(frame, api, kVersion));
    const auto answer = orDie(protocol::decode<protocol::ProduceResponse>(split.body, kVersion));
    const auto code = answer.responses.at(0).partition_responses.at(0).error_code;
    if (code != 0) throw std::runtime_error(fmt::format("refused with error {}", code));
  }

  int fd_;
  const Bytes frame_;
  Bytes sending_;
  Bytes received_;
};

/// Producers of one topic, one for each of its partitions.
class Producers {
 public:
  Producers(std::uint16_t port, const std::string& topic, int count, std::size_t in_flight,
            const Bytes& batch)
      : epoll_(::epoll_create1(EPOLL_CLOEXEC)), in_flight_(in_flight) {
    for (int i = 0; i < count; ++i) {
      connections_.push_back(std::make_unique<Connection>(port, produceFrame(topic, i, batch)));
      epoll_event event{.events = EPOLLIN, .data = {.ptr = connections_.back().get()}};
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_.back()->fd(), &event);
    }
  }
  ~Producers() { ::close(epoll_); }
  Producers(const Producers&) = delete;
  Producers& operator=(const Producers&) = delete;

  /// Requests answered in that time. Those under way at its end are waited for, but not counted.
  Pace turn(double seconds) {
    Pace pace;
    const Stopwatch watch;
    std::size_t under_way = connections_.size() * in_flight_;
    for (const auto& one : connections_) one->send(in_flight_);
    while (under_way > 0) {
      std::array<epoll_event, 64> events;
      const int n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 60'000);
      require(n > 0, "no answer for a minute");
      const bool in_time = watch.seconds() < seconds;
      for (int i = 0; i < n; ++i) {
        auto& one = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
        const std::size_t answers = one.receive();
        if (in_time) {
          pace.units += static_cast<double>(answers);
          one.send(answers);
        } else {
          under_way -= answers;
        }
      }
      if (in_time) pace.seconds = watch.seconds();
    }
    return pace;
  }

 private:
  int epoll_;
  std::size_t in_flight_;
  std::vector<std::unique_ptr<Connection>> connections_;
};

struct Case {
  int producers;
  std::size_t in_flight;
  std::int64_t records;
  std::int64_t value_size;
};

/// The broker that is measured: a process of its own, or one that runs already.
class Target {
 public:
  explicit Target(const std::string& where) {
    if (where.contains(':')) {
      bootstrap_ = where;
    } else {
      process_.emplace(where);
      bootstrap_ = process_->bootstrap();
    }
  }
  [[nodiscard]] const std::string& bootstrap() const { return bootstrap_; }
  [[nodiscard]] std::uint16_t port() const { return portOf(bootstrap_); }
  /// What makes a topic flush before it acknowledges.
  [[nodiscard]] std::map<std::string, std::string> flushing() const {
    if (process_) return {{"flush.on.ack", "true"}};
    return {{"flush.messages", "1"}};
  }
  /// 0 for a broker that runs already.
  [[nodiscard]] double cpuSeconds() { return process_ ? process_->process().cpuSeconds() : 0; }

 private:
  std::optional<BrokerProcess> process_;
  std::string bootstrap_;
};

std::string makeTopic(const Target& target, const std::string& name, int partitions,
                      const std::map<std::string, std::string>& configs) {
  Admin admin({.bootstrapServers = target.bootstrap()});
  const std::vector<NewTopic> topics = {
      {.name = name, .partitions = partitions, .configs = configs}};
  for (const auto& [topic, made] : orDie(admin.createTopics(topics)))
    if (!made) throw std::runtime_error(name + ": " + made.error().toString());
  return name;
}

/// Turns as long as this bear the costs of what they leave behind.
constexpr double kLongTurn = 1;

Pace turnOf(auto& side, double seconds) {
  if (seconds >= kLongTurn) ::sync();
  return side.turn(seconds);
}

void measure(const std::string& where, const Case& c, const LogBenchOptions& options,
             double turn_seconds) {
  Target target(where);
  const std::string suffix =
      fmt::format("-{}-{}x{}x{}", ::getpid(), c.producers, c.in_flight, c.records);
  const std::string plain_topic = makeTopic(target, "plain" + suffix, c.producers, {});
  const std::string synced_topic =
      makeTopic(target, "synced" + suffix, c.producers, target.flushing());
  const Bytes batch = batchOf(c.records, c.value_size);
  Producers plain_producers(target.port(), plain_topic, c.producers, c.in_flight, batch);
  Producers synced_producers(target.port(), synced_topic, c.producers, c.in_flight, batch);
  RawSync raw_file(options, batch.size(), static_cast<std::size_t>(c.producers) * c.in_flight);
  (void)plain_producers.turn(kTurnSeconds);  // makes the partitions' files
  (void)synced_producers.turn(kTurnSeconds);
  Turns plain, synced, raw;
  double plain_cpu = 0, synced_cpu = 0;
  while (synced.sum.seconds < options.seconds) {
    const double before = target.cpuSeconds();
    plain.add(turnOf(plain_producers, turn_seconds));
    const double between = target.cpuSeconds();
    synced.add(turnOf(synced_producers, turn_seconds));
    synced_cpu += target.cpuSeconds() - between;
    plain_cpu += between - before;
    raw.add(turnOf(raw_file, turn_seconds));
  }
  const double ours = synced.median(), no_flush = plain.median(), limit = raw.median();
  std::printf(
      "acks %4d producers x %zu in flight, %3lld x %4lld B: %8.0f requests/s %6.1f MB/s | no flush "
      "%8.0f: %3.0f %%, by sums %3.0f %% | raw fdatasync %8.0f: %3.0f %% | "
      "CPU of the broker %.1f and %.1f us/request\n",
      c.producers, c.in_flight, static_cast<long long>(c.records),
      static_cast<long long>(c.value_size), ours, ours * static_cast<double>(batch.size()) / 1e6,
      no_flush, 100 * ours / no_flush, 100 * synced.sum.rate() / plain.sum.rate(), limit,
      100 * ours / limit, 1e6 * synced_cpu / synced.sum.units, 1e6 * plain_cpu / plain.sum.units);
  std::fflush(stdout);
}

int run(int argc, char** argv) {
  if (argc != 2 && argc != 3 && argc != 4 && argc != 8) {
    std::fprintf(stderr,
                 "usage: bench_acks MILLRACE|HOST:PORT [MILLISECONDS [TURN "
                 "[PRODUCERS IN_FLIGHT RECORDS SIZE]]]\n");
    return 2;
  }
  LogBenchOptions options;
  options.seconds = argc > 2 ? std::stod(argv[2]) / 1000 : 3;
  const double turn_seconds = argc > 3 ? std::stod(argv[3]) / 1000 : kTurnSeconds;
  if (argc == 8) {
    const Case one{std::stoi(argv[4]), std::stoul(argv[5]), std::stol(argv[6]), std::stol(argv[7])};
    measure(argv[1], one, options, turn_seconds);
    return 0;
  }
  for (const Case& c :
       {Case{1, 1, 1, 100}, Case{64, 1, 1, 100}, Case{64, 5, 1, 100}, Case{64, 5, 10, 100},
        Case{128, 1, 1, 100}, Case{1000, 1, 1, 100}, Case{256, 5, 1, 100}, Case{64, 1, 100, 100},
        Case{64, 5, 100, 100}, Case{64, 5, 63, 1024}})
    measure(argv[1], c, options, turn_seconds);
  return 0;
}

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) {
  try {
    return millrace::bench::run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_acks: %s\n", e.what());
    return 1;
  }
}
