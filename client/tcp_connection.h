// One connection to a broker: connect, negotiate versions, pipeline requests, match answers.
#pragma once

#include "base/net/task.h"
#include "client/client_config.h"
#include "client/runtime.h"
#include "client/transport.h"
#include "protocol/frame.h"

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace millrace::client {

/// Everything is called in its runtime's handlers. Goes through connecting, negotiating,
/// ready, closed, and never back: the transport makes a new one. Calls queue up until it is ready.
class TcpConnection : public std::enable_shared_from_this<TcpConnection> {
 public:
  /// `on_closed(connection, was_ready)` is called once, after all calls have failed.
  using Closed = std::function<void(TcpConnection&, bool was_ready)>;

  TcpConnection(ClientRuntime& runtime, NodeAddress address, const CommonConfig& config,
                Closed on_closed);
  void start();
  /// `done` is called later, in any case.
  void call(Call call, Done done);
  /// Fails everything under way; idempotent.
  void close(Error why);

  [[nodiscard]] const NodeAddress& address() const { return address_; }
  [[nodiscard]] bool ready() const { return state_ == State::kReady; }
  [[nodiscard]] bool closed() const { return state_ == State::kClosed; }
  /// Calls that wait for an answer or for the connection.
  [[nodiscard]] std::size_t load() const { return in_flight_.size() + waiting_.size(); }

 private:
  enum class State : std::uint8_t { kConnecting, kNegotiating, kReady, kClosed };
  struct Waiting {
    Call call;
    Done done;
    SteadyTime deadline;
  };
  struct InFlight {
    std::int32_t correlation_id;
    std::int16_t version;
    const protocol::MessageInfo* response;
    Done done;
    SteadyTime deadline;
  };
  struct Outgoing {
    protocol::Frame frame;
    Done sent;  // calls without a reply: done after the write
  };

  void resolve();
  void onConnected();
  void negotiate(std::int16_t version);
  void onVersions(Result<Reply> reply, std::int16_t asked);
  void send(Waiting waiting);
  Result<std::int16_t> pickVersion(const Call& call) const;
  void sendVersion(Waiting waiting, std::int16_t version);
  void write();
  [[nodiscard]] std::vector<boost::asio::const_buffer> takeOutgoing();
  void onWritten(const ErrorCode& error);
  void failSoon(Done done, Error error);
  void read();
  void takeFrames();
  /// Reads what is missing of a frame straight to where it stays.
  void readRest(std::shared_ptr<char[]> bytes, std::size_t have, std::size_t size);
  void onReadError(const ErrorCode& error);
  /// False where the connection is closed now.
  [[nodiscard]] bool onFrame(const std::shared_ptr<char[]>& bytes, std::size_t size);
  Status answer(const std::shared_ptr<char[]>& bytes, std::size_t size);
  void watchDeadlines();
  void onAlarm();
  [[nodiscard]] SteadyTime nextDeadline() const;
  [[nodiscard]] std::string name() const;

  ClientRuntime& runtime_;
  NodeAddress address_;
  const CommonConfig& config_;
  Closed on_closed_;
  State state_ = State::kConnecting;
  boost::asio::ip::basic_resolver<boost::asio::ip::tcp, Executor> resolver_;
  std::vector<boost::asio::ip::tcp::endpoint> endpoints_;
  TcpSocket socket_;
  SteadyTimer timer_;
  SteadyTime alarm_at_ = SteadyTime::max();
  SteadyTime setup_deadline_;
  SteadyTime last_used_;

  std::map<std::int16_t, VersionRange> versions_;
  std::deque<Waiting> waiting_;
  std::deque<InFlight> in_flight_;
  std::deque<Outgoing> outgoing_;
  std::deque<Outgoing> writing_;  ///< what the socket has not taken whole yet
  std::int32_t next_correlation_ = 0;
  /// What has arrived of small frames and of the beginnings of large ones.
  std::array<char, 8 << 10> inbox_;
  std::size_t inbox_size_ = 0;
};

}  // namespace millrace::client
