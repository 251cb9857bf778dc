#include "broker/net/frame_writer.h"

#include <fmt/format.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

namespace millrace::broker {

namespace {

constexpr std::size_t kMaxSlices = 64;
/// File ranges up to here are read and go out with the bytes around them: a copy costs less than
/// system calls of their own, and a packet less wakes the reader once instead of three times.
constexpr std::size_t kSmallRange = 8 << 10;
constexpr std::size_t kScratch = 4 * kSmallRange;
/// "The socket takes no more": not an error of the connection.
constexpr std::size_t kWouldBlock = std::numeric_limits<std::size_t>::max();

Result<std::size_t> outcome(ssize_t n) {
  if (n >= 0) return static_cast<std::size_t>(n);
  if (errno == EAGAIN || errno == EWOULDBLOCK) return kWouldBlock;
  if (errno == EINTR) return std::size_t{0};
  return fail(Errc::kClosed, fmt::format("writing to the client: {}", std::strerror(errno)));
}

bool isSmall(const protocol::Segment& segment) { return segment.size() <= kSmallRange; }

/// Reads a range from `offset` on into `out`; all of it or an error.
Status readRange(const FileSlice& range, std::size_t offset, std::span<char> out) {
  MILLRACE_TRY(const std::size_t got,
               range.file->read(range.position + offset, out.data(), out.size()));
  if (got == out.size()) return {};
  return fail(Errc::kTruncated, fmt::format("{} ends before byte {}", range.file->path(),
                                            range.position + range.size));
}

}  // namespace

Result<FrameWriter::Progress> FrameWriter::writeTo(int socket) {
  std::size_t written = 0;
  while (!frames_.empty()) {
    if (written >= kBudget) return Progress::kYield;
    const protocol::Segment& segment = frames_.front().segments()[segment_];
    const bool from_file = segment.inFile() && !isSmall(segment);
    auto sent = from_file ? sendFile(socket, segment) : sendBytes(socket);
    if (!sent) return std::unexpected(std::move(sent).error());
    if (*sent == kWouldBlock) return Progress::kBlocked;
    written += *sent;
    written_ += *sent;
    advance(*sent);
  }
  return Progress::kDrained;
}

/// One sendmsg over all bytes and small file ranges up to the next large one, across frames.
/// MSG_MORE holds a header back until the file's bytes follow, so that they share packets.
Result<std::size_t> FrameWriter::sendBytes(int socket) {
  std::array<iovec, kMaxSlices> slices;
  std::array<char, kScratch> scratch;
  std::size_t used = 0;
  std::size_t count = 0;
  bool more = false;
  std::size_t skip = segment_;
  std::size_t offset = offset_;
  for (auto frame = frames_.begin(); frame != frames_.end() && !more && count < kMaxSlices;
       ++frame) {
    const auto segments = frame->segments();
    for (std::size_t i = skip; i < segments.size() && count < kMaxSlices; ++i) {
      const std::size_t size = segments[i].size() - offset;
      if (segments[i].inFile()) {
        more = !isSmall(segments[i]) || used + size > scratch.size();
        if (more) break;
        const std::span<char> place(scratch.data() + used, size);
        if (Status read = readRange(segments[i].file, offset, place); !read) {
          if (read.error().code == Errc::kIo) unreadable_ = segments[i].file.file->path();
          return std::unexpected(std::move(read).error());
        }
        slices[count++] = {place.data(), size};
        used += size;
      } else {
        slices[count++] = {const_cast<char*>(segments[i].bytes.data() + offset), size};
      }
      offset = 0;
    }
    skip = 0;
  }
  msghdr message{};
  message.msg_iov = slices.data();
  message.msg_iovlen = count;
  return outcome(::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0)));
}

Result<std::size_t> FrameWriter::sendFile(int socket, const protocol::Segment& segment) {
  const std::size_t left = segment.file.size - offset_;
  const std::uint64_t position = segment.file.position + offset_;
  const int fd = segment.file.file->fd();
  if (fd >= 0) {
    auto at = static_cast<off_t>(position);
    errno = 0;
    auto sent = outcome(::sendfile(socket, fd, &at, left));
    if (sent && *sent == 0 && errno == 0) {
      return fail(Errc::kTruncated, fmt::format("{} ends before byte {}", segment.file.file->path(),
                                                position + left));
    }
    if (!sent) return std::unexpected(blame(*segment.file.file, position, sent.error()));
    return sent;
  }
  // A file without a descriptor (a test's): through memory.
  std::array<char, 16 << 10> piece;
  auto read = segment.file.file->read(position, piece.data(), std::min(left, piece.size()));
  if (!read) return std::unexpected(std::move(read).error());
  if (*read == 0)
    return fail(Errc::kTruncated, fmt::format("{} ends early", segment.file.file->path()));
  return outcome(::send(socket, piece.data(), *read, MSG_NOSIGNAL | MSG_DONTWAIT));
}

Error FrameWriter::blame(const File& file, std::uint64_t position, Error error) {
  char byte = 0;
  const auto read = file.read(position, &byte, 1);
  if (read) return error;
  unreadable_ = file.path();
  return read.error();
}

void FrameWriter::advance(std::size_t n) {
  while (!frames_.empty()) {
    const auto segments = frames_.front().segments();
    while (segment_ < segments.size()) {
      const std::size_t left = segments[segment_].size() - offset_;
      if (n < left) {
        offset_ += n;
        return;
      }
      n -= left;
      offset_ = 0;
      ++segment_;
    }
    bytes_ -= frames_.front().bytesInMemory();
    frames_.pop_front();
    segment_ = 0;
  }
}

}  // namespace millrace::broker
