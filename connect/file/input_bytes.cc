#include "connect/file/input_bytes.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace millrace::connect {

Result<InputBytes> InputBytes::open(const std::string& path) {
  InputBytes input;
  if (path.empty()) return input;
  MILLRACE_TRY(input.file_, systemFiles().open(path, OpenMode::kRead));
  return input;
}

Result<std::uint64_t> InputBytes::available() const {
  if (file_) {
    MILLRACE_TRY(const std::uint64_t size, file_->size());
    return size > position_ ? size - position_ : 0;
  }
  pollfd ready{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  if (closed_ || ::poll(&ready, 1, 0) <= 0) return 0;
  return 1;
}

Result<std::size_t> InputBytes::read(Bytes& out, std::size_t limit) {
  MILLRACE_TRY(const std::uint64_t there, available());
  if (there == 0) return 0;
  const std::size_t before = out.size();
  out.resize(before + limit);
  std::size_t got = 0;
  if (file_) {
    MILLRACE_TRY(got, file_->read(position_, out.data() + before, limit));
  } else {
    const ssize_t n = ::read(STDIN_FILENO, out.data() + before, limit);
    if (n < 0 && errno != EINTR) {
      return fail(Errc::kIo, std::string("cannot read standard input: ") + std::strerror(errno));
    }
    closed_ = n == 0;
    got = n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  out.resize(before + got);
  position_ += got;
  return got;
}

}  // namespace millrace::connect
