#include "broker/embedded/in_process_transport.h"

#include "base/clock.h"
#include "broker/broker.h"
#include "protocol/api.h"
#include "protocol/messages/fetch_response.h"

#include <fmt/format.h>

#include <atomic>
#include <utility>

namespace millrace::broker {

namespace {

/// Every transport takes the next shard, so that several clients spread.
std::atomic<unsigned> next_shard{0};

/// Reads a range of files into memory of its own, without zeroing it first.
Status load(protocol::Records& records) {
  if (!records.inFile()) return {};
  const std::shared_ptr<char[]> bytes(new char[records.size()]);
  std::size_t at = 0;
  for (const FileSlice& slice : records.fileSlices()) {
    MILLRACE_TRY(const auto n, slice.file->read(slice.position, bytes.get() + at, slice.size));
    if (n != slice.size) return fail(Errc::kTruncated, slice.file->path() + " ends early");
    at += n;
  }
  records = protocol::Records::share(BytesView(bytes.get(), at), bytes);
  return {};
}

/// Records in files become records in memory: a client in this process has no socket to receive
/// them by.
Status loadRecords(protocol::AnyMessage& answer) {
  auto* fetched = answer.get<protocol::FetchResponse>();
  if (fetched == nullptr) return {};
  for (auto& topic : fetched->responses) {
    for (auto& partition : topic.partitions) MILLRACE_CHECK_OK(load(partition.records));
  }
  return {};
}

}  // namespace

/// One call under way. Whatever happens to it, `done` is called once.
struct InProcessCall {
  client::Done done;
  const protocol::MessageInfo* request_info = nullptr;
  std::shared_ptr<void> request;
  std::int16_t version = 0;
  ErasedHandler* handler = nullptr;

  ~InProcessCall() {
    if (done) finish(fail(Errc::kClosed, "the broker is stopping"));
  }
  void finish(Result<client::Reply> reply) {
    client::Done call = std::exchange(done, nullptr);
    call(std::move(reply));
  }
};

/// What calls share; lives until the last of them is done.
struct InProcessTransport::Link {
  Link(Node& n, Shard& s) : node(n), shard(s) {}
  Node& node;
  Shard& shard;
  Session session;
};

InProcessTransport::InProcessTransport(Node& node) {
  const auto turn = next_shard.fetch_add(1, std::memory_order_relaxed);
  Shard& shard =
      node.shards().at(static_cast<int>(turn % static_cast<unsigned>(node.shards().size())));
  link_ = std::make_shared<Link>(node, shard);
  link_->session.client_host = "/127.0.0.1";
  link_->session.listener_name = "IN_PROCESS";
}

InProcessTransport::~InProcessTransport() {
  // Parked fetches end; nobody asks for them any more.
  link_->shard.post([link = link_] {
    link->session.closed = true;
    auto calls = std::move(link->session.on_close);
    for (const auto& call : calls) call();
  });
}

void InProcessTransport::call(client::NodeId, client::Call call, client::Done done) {
  auto item = std::make_shared<InProcessCall>();
  item->done = std::move(done);
  const protocol::ApiInfo* api = protocol::findApi(call.request->key);
  item->handler = api == nullptr ? nullptr : link_->node.handlers().find(api->key);
  const std::int16_t version =
      api == nullptr ? std::int16_t{-1} : std::min(call.max_version, api->stable.max);
  if (item->handler == nullptr || version < call.min_version || version < api->stable.min) {
    link_->shard.post([item, name = call.request->name] {
      item->finish(
          fail(Errc::kUnsupportedVersion, fmt::format("this broker does not serve {}", name)));
    });
    return;
  }
  item->version = version;
  item->request_info = call.request;
  item->request = call.build(version);
  link_->shard.post([link = link_, item = std::move(item)] {
    spawn(link->node.inProcessGate(), link->shard, "in-process", serve(link, item));
  });
}

Task<> InProcessTransport::serve(std::shared_ptr<Link> link, std::shared_ptr<InProcessCall> call) {
  ReplyControl control;
  RequestContext context;
  context.shard = &link->shard;
  context.api = static_cast<protocol::ApiKey>(call->request_info->key);
  context.version = call->version;
  context.session = &link->session;
  context.reply = &control;
  context.received_ms = link->node.services().clock->monotonicMs();
  protocol::AnyMessage answer = co_await call->handler->call(context, call->request.get());
  client::Reply reply;
  reply.version = call->version;
  if (control.close) {
    call->finish(fail(Errc::kNetworkException, control.close_reason));
    co_return;
  }
  if (!control.suppressed) {
    const Status loaded = loadRecords(answer);
    if (!loaded) {
      call->finish(std::unexpected(loaded.error()));
      co_return;
    }
    auto kept = std::make_shared<protocol::AnyMessage>(std::move(answer));
    reply.body = std::shared_ptr<void>(kept, kept->data());
  }
  call->finish(std::move(reply));
}

}  // namespace millrace::broker

namespace millrace {

std::unique_ptr<client::Transport> Broker::transport() {
  return std::make_unique<broker::InProcessTransport>(node());
}

}  // namespace millrace
