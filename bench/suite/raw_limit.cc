#include "bench/suite/raw_limit.h"

#include "base/checksum.h"
#include "bench/suite/loopback.h"
#include "bench/suite/process.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace millrace::bench {

namespace {

constexpr std::size_t kChunk = 1 << 20;

void require(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(what);
}

struct TemporaryFile {
  int fd = -1;
  TemporaryFile() {
    std::string path = (std::filesystem::temp_directory_path() / "millrace-raw-XXXXXX").string();
    fd = ::mkstemp(path.data());
    require(fd >= 0, "mkstemp");
    ::unlink(path.c_str());
  }
  ~TemporaryFile() { ::close(fd); }
};

template <class F>
RawLimit timed(std::uint64_t bytes, F side) {
  const double cpu = threadCpuSeconds();
  const auto start = std::chrono::steady_clock::now();
  side();
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  const auto amount = static_cast<double>(bytes);
  return {(threadCpuSeconds() - cpu) / (amount / 1e9), amount / 1e6 / wall.count()};
}

}  // namespace

RawLimit receiveAndWrite(std::uint64_t bytes) {
  Loopback pair;
  TemporaryFile file;
  std::thread sender([&pair, bytes] {
    const std::vector<char> chunk(kChunk, 'x');
    for (std::uint64_t sent = 0; sent < bytes;) {
      const auto n =
          ::send(pair.far(), chunk.data(), std::min<std::uint64_t>(kChunk, bytes - sent), 0);
      if (n <= 0) break;
      sent += static_cast<std::uint64_t>(n);
    }
  });
  std::vector<char> buffer(kChunk);
  std::uint32_t crc = 0;
  const RawLimit limit = timed(bytes, [&] {
    for (std::uint64_t received = 0; received < bytes;) {
      const auto n = ::recv(pair.near(), buffer.data(),
                            std::min<std::uint64_t>(kChunk, bytes - received), MSG_WAITALL);
      require(n > 0, "recv");
      crc = crc32c(crc, BytesView(buffer.data(), static_cast<std::size_t>(n)));
      require(::pwrite(file.fd, buffer.data(), static_cast<std::size_t>(n),
                       static_cast<off_t>(received)) == n,
              "pwrite");
      received += static_cast<std::uint64_t>(n);
    }
  });
  sender.join();
  return limit;
}

RawLimit sendFile(std::uint64_t bytes) {
  Loopback pair;
  TemporaryFile file;
  const std::vector<char> chunk(kChunk, 'x');
  for (std::uint64_t written = 0; written < bytes; written += kChunk) {
    require(::write(file.fd, chunk.data(), kChunk) == static_cast<ssize_t>(kChunk), "write");
  }
  std::thread receiver([&pair, bytes] {
    std::vector<char> buffer(kChunk);
    for (std::uint64_t received = 0; received < bytes;) {
      const auto n = ::recv(pair.far(), buffer.data(), kChunk, 0);
      if (n <= 0) break;
      received += static_cast<std::uint64_t>(n);
    }
  });
  const RawLimit limit = timed(bytes, [&] {
    off_t position = 0;
    while (static_cast<std::uint64_t>(position) < bytes) {
      const auto left = bytes - static_cast<std::uint64_t>(position);
      require(
          ::sendfile(pair.near(), file.fd, &position, std::min<std::uint64_t>(kChunk, left)) > 0,
          "sendfile");
    }
  });
  receiver.join();
  return limit;
}

}  // namespace millrace::bench
