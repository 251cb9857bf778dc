#include "bench/suite/machine_latency.h"

#include "base/varint.h"
#include "bench/suite/loopback.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <stdexcept>
#include <thread>

namespace millrace::bench {

namespace {

class EventCounter {
 public:
  EventCounter() : fd_(::eventfd(0, EFD_CLOEXEC)) {
    if (fd_ < 0) throw std::runtime_error("no eventfd");
  }
  ~EventCounter() { ::close(fd_); }
  EventCounter(const EventCounter&) = delete;
  EventCounter& operator=(const EventCounter&) = delete;
  void signal() { ok_ = ::eventfd_write(fd_, 1) == 0 && ok_; }
  void wait() {
    eventfd_t value = 0;
    ok_ = ::eventfd_read(fd_, &value) == 0 && ok_;
  }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  int fd_;
  bool ok_ = true;
};

using Message = std::array<char, 100>;

bool receive(int socket, Message& message) {
  const auto size = static_cast<ssize_t>(message.size());
  return ::recv(socket, message.data(), message.size(), MSG_WAITALL) == size;
}

bool send(int socket, const Message& message) {
  const auto size = static_cast<ssize_t>(message.size());
  return ::send(socket, message.data(), message.size(), MSG_NOSIGNAL) == size;
}

}  // namespace

std::vector<std::int64_t> threadWakeUps() {
  constexpr std::size_t kRounds = 20'000;
  EventCounter there;
  EventCounter back;
  std::thread echo([&] {
    for (std::size_t i = 0; i < kRounds; ++i) {
      there.wait();
      back.signal();
    }
  });
  std::vector<std::int64_t> taken;
  taken.reserve(kRounds);
  for (std::size_t i = 0; i < kRounds; ++i) {
    const std::int64_t begin = nowNanos();
    there.signal();
    back.wait();
    taken.push_back((nowNanos() - begin) / 2);
  }
  echo.join();
  if (!there.ok() || !back.ok()) throw std::runtime_error("an eventfd failed");
  std::sort(taken.begin(), taken.end());
  return taken;
}

std::vector<std::int64_t> relayed(const OpenLoop& load) {
  Loopback in;
  Loopback out;
  std::atomic<bool> ok = true;
  std::thread generator([&] {
    Message message{};
    (void)load.run([&](std::int64_t due) {
      storeBe<std::int64_t>(message.data(), due);
      if (!send(in.near(), message)) ok = false;
    });
    ::shutdown(in.near(), SHUT_WR);
  });
  std::thread relay([&] {
    Message message{};
    while (receive(in.far(), message)) {
      if (!send(out.near(), message)) ok = false;
    }
    ::shutdown(out.near(), SHUT_WR);
  });
  std::vector<std::int64_t> latencies;
  latencies.reserve(load.count());
  Message message{};
  while (receive(out.far(), message))
    latencies.push_back(nowNanos() - loadBe<std::int64_t>(message.data()));
  generator.join();
  relay.join();
  if (!ok || latencies.size() != load.count()) throw std::runtime_error("a loopback socket failed");
  return load.sorted(std::move(latencies));
}

}  // namespace millrace::bench
