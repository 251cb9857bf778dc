// Writes reply frames to a socket that does not block: bytes by sendmsg, file ranges by sendfile.
#pragma once

#include "base/result.h"
#include "protocol/frame.h"

#include <cstdint>
#include <deque>
#include <string>

namespace millrace::broker {

/// Frames on their way out. Remembers where a partial write stopped.
class FrameWriter {
 public:
  enum class Progress : std::uint8_t {
    kDrained,  ///< everything is in the socket's buffer
    kBlocked,  ///< the socket takes no more for now
    kYield,    ///< kBudget bytes went out; there is more, but others want to run, too
  };
  /// Bytes after which a call returns even if the socket takes more.
  static constexpr std::size_t kBudget = 4 << 20;

  void push(protocol::Frame frame) {
    bytes_ += frame.bytesInMemory();
    frames_.push_back(std::move(frame));
  }
  [[nodiscard]] bool empty() const { return frames_.empty(); }
  /// What the frames in here hold in memory.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  /// Bytes that have left since the first call of writeTo.
  [[nodiscard]] std::uint64_t written() const { return written_; }

  /// Writes what it can. Errors: kClosed when the peer is gone, kIo from a file; the connection
  /// must then be closed, since the reader may have got half a frame.
  [[nodiscard]] Result<Progress> writeTo(int socket);
  /// The path of the file that could not be read; empty where none failed.
  [[nodiscard]] const std::string& unreadable() const { return unreadable_; }

 private:
  [[nodiscard]] Result<std::size_t> sendBytes(int socket);
  [[nodiscard]] Result<std::size_t> sendFile(int socket, const protocol::Segment& segment);
  /// sendfile does not say whose error it is: what the file says, else `error`.
  [[nodiscard]] Error blame(const File& file, std::uint64_t position, Error error);
  void advance(std::size_t n);

  std::deque<protocol::Frame> frames_;
  std::size_t bytes_ = 0;
  std::uint64_t written_ = 0;
  std::size_t segment_ = 0;  ///< of the first frame
  std::size_t offset_ = 0;   ///< within that segment
  std::string unreadable_;
};

}  // namespace millrace::broker
