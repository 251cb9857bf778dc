// How the sender gets its producer id (InitProducerId).
#include "base/log.h"
#include "client/sender.h"
#include "protocol/messages/init_producer_id_request.h"
#include "protocol/messages/init_producer_id_response.h"

#include <fmt/format.h>

namespace millrace::client {

using protocol::InitProducerIdRequest;
using protocol::InitProducerIdResponse;

void Sender::askIdentity() {
  if (asking_identity_ || systemClock().monotonicMs() < identity_not_before_ms_) return;
  asking_identity_ = true;
  Call call;
  call.request = &InitProducerIdRequest::info();
  call.response = &InitProducerIdResponse::info();
  call.min_version = 0;
  call.max_version = 5;
  call.timeout_ms = options_.request_timeout_ms;
  call.build = [](std::int16_t) -> std::shared_ptr<void> {
    auto request = std::make_shared<InitProducerIdRequest>();
    request->transactional_id = std::nullopt;
    request->transaction_timeout_ms = INT32_MAX;
    return request;
  };
  base_.transport->call(kAnyNode, std::move(call),
                        [weak = weak_from_this(), runtime = base_.runtime](Result<Reply> reply) {
                          runtime->post([weak, r = std::move(reply)]() mutable {
                            if (const auto again = weak.lock()) again->onIdentity(std::move(r));
                          });
                        });
}

void Sender::onIdentity(Result<Reply> reply) {
  asking_identity_ = false;
  Error error{Errc::kNone, {}};
  if (!reply) {
    error = reply.error();
  } else {
    const auto& answer = *static_cast<const InitProducerIdResponse*>(reply->body.get());
    error.code = fromWire(answer.error_code);
    if (error.code == Errc::kNone) {
      identity_ = ProducerIdentity{answer.producer_id, answer.producer_epoch};
      identity_failures_ = 0;
      return run();
    }
    error.detail = fmt::format("InitProducerId: {}", errorMessage(error.code));
  }
  // A cluster that cannot give ids at all will not learn it while we wait.
  const bool fatal = error.code == Errc::kUnsupportedVersion || error.code == Errc::kClosed ||
                     error.code == Errc::kClusterAuthorizationFailed;
  MILLRACE_LOG_DEBUG("no producer id yet: {}", error.toString());
  if (fatal) {
    error.detail += ": grant IDEMPOTENT_WRITE, or set enable.idempotence=false";
    return failAll(error);
  }
  const Millis delay = backoff_.delay(identity_failures_++, systemRandom());
  identity_not_before_ms_ = systemClock().monotonicMs() + delay;
  base_.runtime->post([weak = weak_from_this(), delay] {
    const auto self = weak.lock();
    if (!self) return;
    if (!self->alarm_) {
      self->alarm_ = std::make_unique<Alarm>(*self->base_.runtime, [weak] {
        if (const auto again = weak.lock()) again->run();
      });
    }
    self->alarm_->setWithin(delay + 1);
  });
}

}  // namespace millrace::client
