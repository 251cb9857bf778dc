#include "client/consumer_protocol.h"

#include "base/assert.h"
#include "base/varint.h"
#include "protocol/codec.h"
#include "protocol/messages/consumer_protocol_assignment.h"
#include "protocol/messages/consumer_protocol_subscription.h"

#include <algorithm>

namespace millrace::client {
namespace {

using protocol::ConsumerProtocolAssignment;
using protocol::ConsumerProtocolSubscription;

template <class M>
Bytes encodeVersioned(const M& message, std::int16_t version) {
  Bytes out(2, '\0');
  storeBe(out.data(), version);
  const Status status = protocol::encode(message, version, out);
  MILLRACE_ASSERT(status.has_value(), status ? "" : status.error().detail);
  return out;
}

/// A reader of version n takes what it knows of a newer message: Kafka's rule for this protocol.
template <class M>
Result<M> decodeVersioned(BytesView bytes) {
  if (bytes.size() < 2) return fail(Errc::kMalformed, "consumer protocol: no version");
  const auto version = loadBe<std::int16_t>(bytes.data());
  if (version < 0) return fail(Errc::kMalformed, "consumer protocol: negative version");
  const auto known = std::min<std::int16_t>(version, M::kMaxVersion);
  return protocol::decode<M>(bytes.substr(2), known);
}

template <class P>
void pack(const std::vector<TopicPartition>& from, std::vector<P>& to) {
  std::vector<TopicPartition> sorted = from;
  std::sort(sorted.begin(), sorted.end());
  for (const TopicPartition& tp : sorted) {
    if (to.empty() || to.back().topic.view() != tp.topic) {
      P entry;
      entry.topic = Text(tp.topic);
      to.push_back(std::move(entry));
    }
    to.back().partitions.push_back(tp.partition);
  }
}

template <class P>
std::vector<TopicPartition> unpack(const std::vector<P>& from) {
  std::vector<TopicPartition> out;
  for (const P& entry : from) {
    for (const std::int32_t partition : entry.partitions) {
      out.push_back(TopicPartition{entry.topic.str(), partition});
    }
  }
  return out;
}

std::optional<Bytes> ownedBytes(const std::optional<Text>& text) {
  return text ? std::optional<Bytes>(text->str()) : std::nullopt;
}

}  // namespace

Bytes encodeSubscription(const MemberSubscription& subscription) {
  ConsumerProtocolSubscription message;
  for (const std::string& topic : subscription.topics) message.topics.emplace_back(topic);
  std::sort(message.topics.begin(), message.topics.end());
  if (subscription.user_data) message.user_data = Text(*subscription.user_data);
  pack(subscription.owned, message.owned_partitions);
  message.generation_id = subscription.generation;
  if (subscription.rack) message.rack_id = Text(*subscription.rack);
  return encodeVersioned(message, ConsumerProtocolSubscription::kMaxVersion);
}

Result<MemberSubscription> decodeSubscription(BytesView bytes) {
  MILLRACE_TRY(const ConsumerProtocolSubscription message,
               decodeVersioned<ConsumerProtocolSubscription>(bytes));
  MemberSubscription out;
  for (const Text& topic : message.topics) out.topics.push_back(topic.str());
  out.user_data = ownedBytes(message.user_data);
  out.owned = unpack(message.owned_partitions);
  out.generation = message.generation_id;
  if (message.rack_id) out.rack = message.rack_id->str();
  return out;
}

Bytes encodeAssignment(const MemberAssignment& assignment) {
  ConsumerProtocolAssignment message;
  pack(assignment.partitions, message.assigned_partitions);
  if (assignment.user_data) message.user_data = Text(*assignment.user_data);
  return encodeVersioned(message, ConsumerProtocolAssignment::kMaxVersion);
}

Result<MemberAssignment> decodeAssignment(BytesView bytes) {
  if (bytes.empty()) return MemberAssignment{};
  MILLRACE_TRY(const ConsumerProtocolAssignment message,
               decodeVersioned<ConsumerProtocolAssignment>(bytes));
  return MemberAssignment{unpack(message.assigned_partitions), ownedBytes(message.user_data)};
}

}  // namespace millrace::client
