// One client's TCP connection: frames in, handlers called, replies out in order.
#pragma once

#include "base/net/task.h"
#include "base/net/waiter.h"
#include "broker/net/connection_counts.h"
#include "broker/net/frame_reader.h"
#include "broker/net/frame_writer.h"
#include "broker/net/reply_queue.h"
#include "broker/request_budget.h"
#include "broker/request_context.h"
#include "broker/shard_affinity.h"
#include "protocol/frame.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::broker {

class ConnectionHost;
class ErasedHandler;

/// Who is at the other end; goes with the connection to wherever it is served.
struct ConnectionClient {
  Session session;
  std::string address;  ///< with the port, for the log
  ConnectionCounts::Place place;
};

/// Lives on one shard; where its requests are for another one's partitions it ends there and goes
/// on as a connection of that shard, between two requests. Kept alive by run(), by its requests
/// under way and by a pending write. What it cannot make sense of closes it, as in Kafka; the cause
/// goes to the log once per client.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// `begun` is what the client has sent before.
  Connection(ConnectionHost& host, TcpSocket socket, ConnectionClient client, BytesView begun = {});
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Reads and serves until the client or the host ends it.
  [[nodiscard]] Task<> run();
  /// Ends it now; replies that are not out yet are lost. Harmless when it has ended.
  void close();

  /// Monotonic ms of the last byte in or out.
  [[nodiscard]] Millis lastActiveMs() const { return last_active_ms_; }
  /// The next move is the client's: to send a request or the rest of one, or to read its replies.
  [[nodiscard]] bool waitsForClient() const {
    return blocked_ || (replies_.unanswered() == 0 && !starved_);
  }
  /// The broker may take on another request.
  void onRoom() { room_.wakeAll(); }

 private:
  enum class ReadOutcome : std::uint8_t { kData, kWait, kEnded };
  /// Whether the replies that are owed leave room for another request.
  [[nodiscard]] bool mayStartAnother() const;
  /// Whether the broker has room for the request that comes next, as far as it is known; else
  /// onRoom() will be called.
  [[nodiscard]] bool admitNext();
  [[nodiscard]] bool tryAdmitNext();
  void consume();
  void dispatch(Frame frame);
  void start(const protocol::RequestFrame& request, ErasedHandler& handler, ChunkPtr chunk,
             RequestPermit permit);
  static Task<> serve(std::shared_ptr<Connection> self, ReplyQueue::Place place, ChunkPtr chunk,
                      RequestPermit permit, protocol::RequestFrame request, ErasedHandler* handler);
  void answerUnsupportedApiVersions(std::int32_t correlation_id);
  /// No further frames; the replies owed so far leave, then the connection closes.
  void refuse(std::string_view kind, std::string_view cause);
  void reply(ReplyQueue::Place place, std::optional<protocol::Frame> frame);
  void replyClose(ReplyQueue::Place place, std::string_view kind, std::string_view cause);
  void complain(std::string_view kind, std::string_view cause);
  void flush();
  /// After what waits for this shard now.
  void flushSoon();
  /// False where the connection broke and is closed.
  [[nodiscard]] bool write();
  void waitWritable();
  [[nodiscard]] ReadOutcome readAvailable();
  /// Whether no request is under way and all answers have left.
  [[nodiscard]] bool isBetweenRequests() const;
  void moveTo(ConnectionHost& host);

  ConnectionHost& host_;
  TcpSocket socket_;
  ConnectionClient client_;
  std::string client_id_;  ///< of the last request, for the log
  FrameReader reader_;
  ReplyQueue replies_;
  FrameWriter writer_;
  ShardAffinity affinity_;
  RequestPermit permit_;  ///< of the request that comes next
  WaitList room_;         ///< run() waits here while too many requests are under way
  Millis last_active_ms_ = 0;
  bool open_ = true;
  bool refusing_ = false;  ///< reads no more, closes when the replies are out
  bool corked_ = false;    ///< replies are collected until the whole read is dispatched
  bool starved_ = false;   ///< waits for other connections' requests to be done
  bool flush_posted_ = false;
  bool blocked_ = false;  ///< a wait for the socket to take more is pending
};

}  // namespace millrace::broker
