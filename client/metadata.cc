#include "client/metadata.h"

#include "base/log.h"
#include "base/random.h"
#include "protocol/messages/metadata_request.h"
#include "protocol/messages/metadata_response.h"

#include <algorithm>
#include <iterator>

namespace millrace::client {
namespace {

using protocol::MetadataRequest;
using protocol::MetadataResponse;

constexpr VersionRange kVersions{4, 13};

TopicMeta readTopic(const MetadataResponse::MetadataResponseTopic& from, const TopicMeta* before) {
  TopicMeta topic;
  topic.name = from.name ? from.name->str() : std::string();
  topic.id = from.topic_id;
  topic.internal = from.is_internal;
  topic.error = fromWire(from.error_code);
  topic.partitions.resize(from.partitions.size());
  for (const auto& p : from.partitions) {
    const auto index = static_cast<std::size_t>(p.partition_index);
    if (p.partition_index < 0 || index >= topic.partitions.size()) continue;
    PartitionMeta& meta = topic.partitions[index];
    meta.index = p.partition_index;
    meta.leader = p.leader_id;
    meta.leader_epoch = p.leader_epoch;
    meta.replicas = p.replica_nodes;
    meta.in_sync = p.isr_nodes;
    const bool same_topic = before != nullptr && before->id == topic.id;
    if (same_topic && index < before->partitions.size() &&
        before->partitions[index].leader_epoch > meta.leader_epoch) {
      meta = before->partitions[index];
    }
  }
  return topic;
}

std::string_view nameOf(const TopicTable::Entry& topic) { return topic->name; }

}  // namespace

const TopicMeta* TopicTable::find(std::string_view name) const {
  const auto it = std::ranges::lower_bound(sorted_, name, {}, nameOf);
  return it == sorted_.end() || (*it)->name != name ? nullptr : it->get();
}

void TopicTable::put(std::vector<Entry> topics) {
  std::ranges::stable_sort(topics, {}, nameOf);
  const auto twice = std::ranges::unique(topics, {}, nameOf);
  topics.erase(twice.begin(), twice.end());
  std::vector<Entry> both;
  both.reserve(sorted_.size() + topics.size());
  // Of equal names, the first range's is taken.
  std::ranges::set_union(topics, sorted_, std::back_inserter(both), {}, nameOf, nameOf);
  sorted_ = std::move(both);
}

const TopicMeta* ClusterImage::topic(const std::string& name) const {
  const TopicMeta* const found = topics.find(name);
  return found == nullptr || found->error != Errc::kNone ? nullptr : found;
}

const PartitionMeta* ClusterImage::partition(const std::string& name, std::int32_t index) const {
  const TopicMeta* found = topic(name);
  if (found == nullptr || index < 0 ||
      static_cast<std::size_t>(index) >= found->partitions.size()) {
    return nullptr;
  }
  return &found->partitions[static_cast<std::size_t>(index)];
}

std::string ClusterImage::rackOf(NodeId node) const {
  for (const NodeAddress& address : nodes) {
    if (address.id == node) return address.rack;
  }
  return {};
}

ClusterImage mergeMetadata(const ClusterImage& before, const MetadataResponse& answer,
                           bool complete) {
  ClusterImage after;
  after.cluster_id = answer.cluster_id ? answer.cluster_id->str() : std::string();
  after.controller = answer.controller_id;
  for (const auto& broker : answer.brokers) {
    after.nodes.push_back(NodeAddress{broker.node_id, broker.host.str(),
                                      static_cast<std::uint16_t>(broker.port),
                                      broker.rack ? broker.rack->str() : std::string()});
  }
  if (!complete) after.topics = before.topics;
  for (const auto& topic : answer.topics) {
    if (!topic.name) continue;
    after.news.push_back(std::make_shared<const TopicMeta>(
        readTopic(topic, before.topics.find(topic.name->view()))));
  }
  after.topics.put(after.news);
  return after;
}

MetadataService::MetadataService(std::shared_ptr<ClientRuntime> runtime,
                                 std::shared_ptr<Transport> transport, Options options)
    : runtime_(std::move(runtime)),
      transport_(std::move(transport)),
      options_(options),
      backoff_(options.retry_backoff_ms, options.retry_backoff_max_ms) {}

MetadataService::ImagePtr MetadataService::image() const {
  const std::lock_guard lock(mutex_);
  return image_;
}

std::uint64_t MetadataService::version() const {
  const std::lock_guard lock(mutex_);
  return version_;
}

Error MetadataService::lastError() const {
  const std::lock_guard lock(mutex_);
  return last_error_;
}

void MetadataService::addTopics(const std::vector<std::string>& topics) {
  {
    const std::lock_guard lock(mutex_);
    for (const std::string& topic : topics)
      if (topics_.insert(topic).second) fresh_.insert(topic);
  }
  askFresh();
}

void MetadataService::setTopics(std::set<std::string> topics) {
  {
    const std::lock_guard lock(mutex_);
    all_topics_ = false;
    topics_ = std::move(topics);
    fresh_.clear();
    for (const std::string& topic : topics_)
      if (!image_->topics.contains(topic)) fresh_.insert(topic);
  }
  askFresh();
}

void MetadataService::setAllTopics() {
  {
    const std::lock_guard lock(mutex_);
    all_topics_ = true;
  }
  requestUpdate();
}

void MetadataService::onUpdate(std::function<void(const ImagePtr&)> listener) {
  const std::lock_guard lock(mutex_);
  listeners_.push_back(std::move(listener));
}

void MetadataService::requestUpdate() {
  Millis wait_ms = 0;
  {
    const std::lock_guard lock(mutex_);
    wanted_ = true;
    if (asking_ || closed_) return;
    wait_ms = not_before_ms_ - systemClock().monotonicMs();
  }
  if (wait_ms > 0) return schedule(wait_ms);
  askNow();
}

/// Asks for the topics that are new, if there are any: at once, but not before the back-off of a
/// failure is over.
void MetadataService::askFresh() {
  Millis wait_ms = 0;
  {
    const std::lock_guard lock(mutex_);
    if (fresh_.empty() || asking_ || closed_) return;
    if (failures_ > 0) wait_ms = not_before_ms_ - systemClock().monotonicMs();
  }
  if (wait_ms > 0) return schedule(wait_ms);
  askNow();
}

/// Under the lock.
MetadataService::Wish MetadataService::takeWish(Millis now_ms) {
  const bool fresh_only = !wanted_ && !fresh_.empty() && now_ms < full_due_ms_;
  const std::set<std::string> fresh = std::exchange(fresh_, {});
  if (fresh_only && !all_topics_) return Wish(std::in_place, fresh.begin(), fresh.end());
  wanted_ = false;
  full_due_ms_ = now_ms + options_.max_age_ms;
  if (all_topics_) return std::nullopt;
  return Wish(std::in_place, topics_.begin(), topics_.end());
}

void MetadataService::askNow() {
  Wish topics;
  {
    const std::lock_guard lock(mutex_);
    if (asking_ || closed_) return;
    asking_ = true;
    topics = takeWish(systemClock().monotonicMs());
  }
  const bool complete = !topics.has_value();
  Call call;
  call.request = &MetadataRequest::info();
  call.response = &MetadataResponse::info();
  call.min_version = kVersions.min;
  call.max_version = kVersions.max;
  call.timeout_ms = options_.request_timeout_ms;
  call.build = [topics = std::move(topics),
                create = options_.auto_create](std::int16_t) -> std::shared_ptr<void> {
    auto request = std::make_shared<MetadataRequest>();
    request->allow_auto_topic_creation = create;
    if (!topics) {
      request->topics = std::nullopt;
      return request;
    }
    for (const std::string& name : *topics) {
      MetadataRequest::MetadataRequestTopic topic;
      topic.name = Text(name);
      request->topics->push_back(std::move(topic));
    }
    return request;
  };
  transport_->call(kAnyNode, std::move(call),
                   [weak = weak_from_this(), complete](Result<Reply> reply) {
                     if (const auto self = weak.lock()) self->onAnswer(std::move(reply), complete);
                   });
}

/// Under the lock: which topics do not exist yet, or have no leader.
void MetadataService::noteMissing(bool complete) {
  if (complete) missing_topics_.clear();
  for (const auto& topic : image_->news) {
    if (isRetriable(topic->error)) {
      missing_topics_.insert(topic->name);
    } else {
      missing_topics_.erase(topic->name);
    }
  }
}

/// Under the lock. Returns when to ask again, ms from now.
Millis MetadataService::onPicture(const MetadataResponse& answer, bool complete, Millis now_ms) {
  image_ = std::make_shared<const ClusterImage>(mergeMetadata(*image_, answer, complete));
  last_error_ = Error{Errc::kNone, {}};
  failures_ = 0;
  ++version_;
  noteMissing(complete);
  // Where somebody waits for one, it is asked again rather than after max_age_ms, as Kafka does. A
  // request right after would see the same: what is still missing needs a moment.
  const bool missing = std::ranges::any_of(
      missing_topics_, [this](const std::string& name) { return topics_.contains(name); });
  missing_ = missing ? missing_ + 1 : 0;
  wanted_ = wanted_ || missing;
  const Millis delay = backoff_.delay(std::max(missing_ - 1, 0), systemRandom());
  not_before_ms_ = now_ms + delay;
  if (!fresh_.empty()) return 0;
  return wanted_ ? delay : std::max<Millis>(full_due_ms_ - now_ms, 0);
}

void MetadataService::onAnswer(Result<Reply> reply, bool complete) {
  std::vector<std::function<void(const ImagePtr&)>> listeners;
  ImagePtr image;
  Millis next_ms = 0;
  {
    const std::lock_guard lock(mutex_);
    asking_ = false;
    if (closed_) return;
    const Millis now_ms = systemClock().monotonicMs();
    if (reply) {
      next_ms =
          onPicture(*static_cast<const MetadataResponse*>(reply->body.get()), complete, now_ms);
      image = image_;
      listeners = listeners_;
    } else {
      last_error_ = reply.error();
      next_ms = backoff_.delay(failures_++, systemRandom());
      not_before_ms_ = now_ms + next_ms;
      wanted_ = true;
    }
  }
  if (image) transport_->setNodes(image->nodes);
  if (!reply) MILLRACE_LOG_DEBUG("metadata: {}", reply.error().toString());
  schedule(next_ms);
  for (const auto& listener : listeners) listener(image);
}

void MetadataService::schedule(Millis delay_ms) {
  runtime_->post([weak = weak_from_this(), delay_ms] {
    const auto self = weak.lock();
    if (!self) return;
    if (!self->alarm_) {
      self->alarm_ = std::make_shared<Alarm>(*self->runtime_, [weak] {
        if (const auto again = weak.lock()) again->askNow();
      });
    }
    self->alarm_->setWithin(delay_ms);
  });
}

void MetadataService::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  listeners_.clear();
}

}  // namespace millrace::client
