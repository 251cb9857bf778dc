// A loopback TCP connection, both of its ends in this process.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace millrace::bench {

/// A socketpair would skip the protocol. Throws where there is none to be had.
class Loopback {
 public:
  Loopback() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool listens = ::bind(listener, generic, size) == 0 && ::listen(listener, 1) == 0 &&
                         ::getsockname(listener, generic, &size) == 0;
    near_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listens && ::connect(near_, generic, size) == 0) {
      far_ = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    }
    ::close(listener);
    const int on = 1;
    for (const int end : {near_, far_}) ::setsockopt(end, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (far_ < 0) {
      ::close(near_);
      throw std::runtime_error("no loopback connection");
    }
  }
  ~Loopback() {
    ::close(near_);
    ::close(far_);
  }
  Loopback(const Loopback&) = delete;
  Loopback& operator=(const Loopback&) = delete;

  [[nodiscard]] int near() const { return near_; }
  [[nodiscard]] int far() const { return far_; }

 private:
  int near_ = -1, far_ = -1;
};

}  // namespace millrace::bench
