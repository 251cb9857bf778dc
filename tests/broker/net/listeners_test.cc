#include "broker/net/listeners.h"

#include "broker/net/complaints.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstring>

namespace millrace::broker {
namespace {

/// A client's socket.
class Client {
 public:
  Client() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    // Sooner than the kernel would try a second time.
    const timeval limit{.tv_sec = 0, .tv_usec = 700'000};
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  [[nodiscard]] bool connect(std::uint16_t port) const {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }

 private:
  int fd_;
};

TEST(Listeners, ACrowdThatConnectsAtOnceFindsRoomToWait) {
  ShardPool shards(1);
  std::vector<std::unique_ptr<ConnectionHost>> hosts;
  Complaints complaints(systemClock());
  const auto config =
      Config::parse(brokerConfigDef(), Properties{{"node.id", "1"},
                                                  {"process.roles", "broker,controller"},
                                                  {"controller.listener.names", "CONTROLLER"}});
  ASSERT_TRUE(config) << config.error().toString();
  Listeners listeners(shards, hosts, *config, complaints);
  ListenerSpec spec;
  spec.name = "PLAINTEXT";
  spec.host = "127.0.0.1";
  spec.port = 0;
  const Status bound = listeners.bind(spec, false);
  ASSERT_TRUE(bound) << bound.error().toString();
  constexpr int kCrowd = 120;  // Linux before 5.4 has room for 128 at most
  std::vector<Client> crowd(kCrowd);
  // Nobody accepts: they all wait.
  for (int i = 0; i < kCrowd; ++i)
    ASSERT_TRUE(crowd[static_cast<std::size_t>(i)].connect(listeners.ports().at(0)))
        << "client " << i << ": " << std::strerror(errno);
}

}  // namespace
}  // namespace millrace::broker
