#include "broker/net/frame_writer.h"

#include "protocol/messages/fetch_response.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <random>

namespace millrace::broker {
namespace {

/// A real file, since sendfile wants one: its bytes are random.
class WriterTest : public testing::Test {
 protected:
  WriterTest() {
    std::string name = (std::filesystem::temp_directory_path() / "millrace-XXXXXX").string();
    const int fd = ::mkstemp(name.data());
    if (fd < 0) std::abort();
    ::close(fd);
    path_ = name;
    std::mt19937_64 random(7);
    for (std::size_t i = 0; i < kFileSize; ++i) content_ += static_cast<char>(random());
    file_ = *systemFiles().open(path_, OpenMode::kReadWrite);
    const BytesView all = content_;
    EXPECT_TRUE(file_->write(0, std::span(&all, 1)));
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets_), 0);
  }
  ~WriterTest() override {
    ::close(sockets_[0]);
    ::close(sockets_[1]);
    std::filesystem::remove(path_);
  }

  /// An answer with one partition for each list of file ranges (position, size).
  protocol::Frame answer(
      const std::vector<std::vector<std::pair<std::uint64_t, std::uint32_t>>>& ranges) {
    protocol::FetchResponse response;
    response.responses.push_back({.topic = "t"});
    for (const auto& list : ranges) {
      std::vector<FileSlice> slices;
      for (const auto& [position, size] : list) slices.push_back({file_, position, size});
      response.responses[0].partitions.push_back(
          {.records = protocol::Records::slices(std::move(slices))});
    }
    return *protocol::encodeResponse(1, 12, response);
  }

  /// Everything that a reader gets who takes at most `piece` bytes whenever the writer is stuck.
  Bytes drain(FrameWriter& writer, std::size_t piece) {
    Bytes out;
    Bytes buffer(piece, '\0');
    for (;;) {
      const auto progress = writer.writeTo(sockets_[0]);
      if (!progress) {
        ADD_FAILURE() << progress.error().toString();
        return out;
      }
      const bool drained = *progress == FrameWriter::Progress::kDrained;
      ssize_t got = 0;
      while ((got = ::recv(sockets_[1], buffer.data(), buffer.size(), 0)) > 0) {
        out.append(buffer.data(), static_cast<std::size_t>(got));
        if (!drained) break;
      }
      if (drained) return out;
    }
  }

  static constexpr std::size_t kFileSize = 1 << 20;
  std::string path_;
  Bytes content_;
  std::shared_ptr<File> file_;
  int sockets_[2] = {-1, -1};
};

TEST_F(WriterTest, SmallAndLargeRangesArriveInOrderThroughANarrowSocket) {
  const int narrow = 4096;
  ASSERT_EQ(::setsockopt(sockets_[0], SOL_SOCKET, SO_SNDBUF, &narrow, sizeof narrow), 0);
  FrameWriter writer;
  Bytes expected;
  for (std::uint32_t round = 0; round < 20; ++round) {
    std::vector<std::vector<std::pair<std::uint64_t, std::uint32_t>>> ranges;
    for (std::uint32_t i = 0; i < 9; ++i) ranges.push_back({{100 * i, 50 + 700 * i}, {7, 8192}});
    ranges.push_back({{round, 300'000}});
    ranges.push_back({{3, 1}, {round, 8193}});
    ranges.push_back({});
    protocol::Frame frame = answer(ranges);
    expected += *frame.join();
    writer.push(std::move(frame));
  }
  EXPECT_EQ(drain(writer, 1000), expected);
  EXPECT_TRUE(writer.empty());
}

TEST_F(WriterTest, ASmallAnswerLeavesInOnePiece) {
  int sockets[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets), 0);  // keeps the pieces apart
  FrameWriter writer;
  protocol::Frame frame = answer({{{0, 5000}}});
  const Bytes expected = *frame.join();
  writer.push(std::move(frame));
  ASSERT_TRUE(writer.writeTo(sockets[0]));
  Bytes packet(10'000, '\0');
  const ssize_t got = ::recv(sockets[1], packet.data(), packet.size(), 0);
  EXPECT_EQ(packet.substr(0, static_cast<std::size_t>(got)), expected);
  ::close(sockets[0]);
  ::close(sockets[1]);
}

/// On a disk that cannot be read any more; sendfile fails on its descriptor, too.
class UnreadableFile final : public File {
 public:
  explicit UnreadableFile(const std::string& path)
      : path_(path), fd_(::open(path.c_str(), O_WRONLY | O_CLOEXEC)) {}
  ~UnreadableFile() override { ::close(fd_); }
  Result<std::size_t> read(std::uint64_t, char*, std::size_t) const override {
    return fail(Errc::kIo, "cannot read " + path_);
  }
  Status write(std::uint64_t, std::span<const BytesView>) override { return {}; }
  Status sync() override { return {}; }
  Status truncate(std::uint64_t) override { return {}; }
  Result<std::uint64_t> size() const override { return 0; }
  int fd() const override { return fd_; }
  const std::string& path() const override { return path_; }

 private:
  std::string path_;
  int fd_;
};

TEST_F(WriterTest, AFileThatCannotBeReadIsNotTakenForAClientThatWent) {
  file_ = std::make_shared<UnreadableFile>(path_);
  for (const std::uint32_t size : {100U, 1U << 20}) {
    FrameWriter writer;
    writer.push(answer({{{0, size}}}));
    Result<FrameWriter::Progress> progress = FrameWriter::Progress::kDrained;
    do progress = writer.writeTo(sockets_[0]);
    while (progress && *progress == FrameWriter::Progress::kYield);
    ASSERT_FALSE(progress);
    EXPECT_EQ(progress.error().code, Errc::kIo);
    EXPECT_EQ(writer.unreadable(), path_);
  }
}

TEST_F(WriterTest, AFileThatEndsEarlyIsAnError) {
  for (const std::uint32_t size : {100U, 100'000U}) {
    FrameWriter writer;
    writer.push(answer({{{kFileSize - 50, size}}}));
    Result<FrameWriter::Progress> progress = FrameWriter::Progress::kYield;
    for (int i = 0; i < 3 && progress; ++i) progress = writer.writeTo(sockets_[0]);
    ASSERT_FALSE(progress);
    EXPECT_EQ(progress.error().code, Errc::kTruncated) << size;
  }
}

}  // namespace
}  // namespace millrace::broker
