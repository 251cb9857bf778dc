#include "tests/client/support/fake_cluster.h"

#include "client/consumer_protocol.h"
#include "protocol/messages/fetch_request.h"
#include "protocol/messages/fetch_response.h"
#include "protocol/messages/find_coordinator_request.h"
#include "protocol/messages/find_coordinator_response.h"
#include "protocol/messages/heartbeat_request.h"
#include "protocol/messages/heartbeat_response.h"
#include "protocol/messages/join_group_request.h"
#include "protocol/messages/join_group_response.h"
#include "protocol/messages/leave_group_request.h"
#include "protocol/messages/leave_group_response.h"
#include "protocol/messages/list_offsets_request.h"
#include "protocol/messages/list_offsets_response.h"
#include "protocol/messages/metadata_request.h"
#include "protocol/messages/metadata_response.h"
#include "protocol/messages/offset_commit_request.h"
#include "protocol/messages/offset_commit_response.h"
#include "protocol/messages/offset_fetch_request.h"
#include "protocol/messages/offset_fetch_response.h"
#include "protocol/messages/sync_group_request.h"
#include "protocol/messages/sync_group_response.h"
#include "record/builder.h"

#include <algorithm>
#include <utility>

namespace millrace::client {

using namespace protocol;

namespace {

/// How long a fetch waits for data.
constexpr std::chrono::milliseconds kFetchWait{5};
constexpr std::int64_t kLatest = -1;
constexpr std::int64_t kEarliest = -2;

std::int16_t wire(Errc code) { return static_cast<std::int16_t>(code); }

/// Topics are told apart by the length of their name and its first letter: enough for tests.
Uuid idOf(const std::string& topic) {
  return Uuid{static_cast<std::uint64_t>(topic.front()), topic.size()};
}

template <class Request>
const Request& as(const std::shared_ptr<void>& request) {
  return *static_cast<const Request*>(request.get());
}

Bytes batchOf(const std::string& value, std::int64_t offset) {
  record::BatchBuilder builder;
  builder.append(offset, std::nullopt, BytesView(value));
  Bytes bytes = *builder.build();
  record::patchBaseOffset(bytes.data(), Offset(offset));
  return bytes;
}

}  // namespace

void FakeCluster::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void FakeCluster::addTopic(const std::string& name, int partitions) {
  const std::lock_guard lock(mutex_);
  topics_[name].resize(static_cast<std::size_t>(partitions));
}

void FakeCluster::append(const TopicPartition& tp, const std::vector<std::string>& values) {
  {
    const std::lock_guard lock(mutex_);
    Partition& p = *find(tp.topic, tp.partition);
    for (const std::string& value : values)
      p.batches.push_back(batchOf(value, static_cast<std::int64_t>(p.batches.size())));
  }
  changed_.notify_all();
}

void FakeCluster::deleteBefore(const TopicPartition& tp, std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  find(tp.topic, tp.partition)->start = offset;
}

void FakeCluster::moveLeader(const TopicPartition& tp, NodeId node) {
  const std::lock_guard lock(mutex_);
  Partition& p = *find(tp.topic, tp.partition);
  p.leader = node;
  ++p.leader_epoch;
}

void FakeCluster::moveCoordinator(NodeId node) {
  const std::lock_guard lock(mutex_);
  coordinator_ = node;
}

void FakeCluster::commit(const TopicPartition& tp, std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  committed_[tp] = offset;
}

std::map<TopicPartition, std::int64_t> FakeCluster::committed() {
  const std::lock_guard lock(mutex_);
  return committed_;
}

void FakeCluster::assignInstead(std::vector<TopicPartition> partitions) {
  const std::lock_guard lock(mutex_);
  assign_instead_ = std::move(partitions);
}

bool FakeCluster::hasMember() {
  const std::lock_guard lock(mutex_);
  return !member_.empty();
}

void FakeCluster::failNext(ApiKey api, Errc code, int times) {
  const std::lock_guard lock(mutex_);
  auto& faults = faults_[static_cast<std::int16_t>(api)];
  faults.insert(faults.end(), static_cast<std::size_t>(times), {code, false});
}

void FakeCluster::breakNext(ApiKey api, Errc code, int times) {
  const std::lock_guard lock(mutex_);
  auto& faults = faults_[static_cast<std::int16_t>(api)];
  faults.insert(faults.end(), static_cast<std::size_t>(times), {code, true});
}

int FakeCluster::count(ApiKey api) {
  const std::lock_guard lock(mutex_);
  return counts_[static_cast<std::int16_t>(api)];
}

void FakeCluster::call(NodeId node, Call call, Done done) {
  {
    const std::lock_guard lock(mutex_);
    const auto key = static_cast<ApiKey>(call.request->key);
    const bool of_member = key == ApiKey::kJoinGroup || key == ApiKey::kSyncGroup ||
                           key == ApiKey::kHeartbeat || key == ApiKey::kLeaveGroup ||
                           key == ApiKey::kOffsetCommit || key == ApiKey::kOffsetFetch;
    if (of_member && !call.to_coordinator) ++strays_;
    queue_.push_back(Pending{.node = node, .call = std::move(call), .done = std::move(done)});
  }
  changed_.notify_all();
}

int FakeCluster::strays() {
  const std::lock_guard lock(mutex_);
  return strays_;
}

void FakeCluster::run() {
  std::unique_lock lock(mutex_);
  while (!stopped_ || !queue_.empty()) {
    const auto now = std::chrono::steady_clock::now();
    // Fetches that wait are looked at again with every change.
    for (std::size_t i = waiting_.size(); i > 0; --i) {
      queue_.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    while (!queue_.empty()) {
      Pending pending = std::move(queue_.front());
      queue_.pop_front();
      if (!pending.request) {
        pending.request = pending.call.build(pending.call.max_version);
        pending.deadline = now + kFetchWait;
      }
      Result<Body> body = answer(pending, now < pending.deadline);
      if (body && !*body) {
        waiting_.push_back(std::move(pending));
      } else {
        lock.unlock();
        finish(pending, std::move(body));
        lock.lock();
      }
    }
    if (stopped_) break;
    if (waiting_.empty()) {
      changed_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
    } else {
      changed_.wait_for(lock, kFetchWait);
    }
  }
  // Nobody is left waiting; callbacks of clients that are gone do nothing.
  auto left = std::move(waiting_);
  lock.unlock();
  for (Pending& pending : left) pending.done(fail(Errc::kClosed, "the test is over"));
}

void FakeCluster::finish(Pending& pending, Result<Body> body) {
  if (!body) return pending.done(std::unexpected(body.error()));
  pending.done(Reply{pending.call.max_version, std::move(*body), nullptr});
}

Result<FakeCluster::Body> FakeCluster::answer(Pending& pending, bool may_wait) {
  const auto key = static_cast<ApiKey>(pending.call.request->key);
  Errc error = Errc::kNone;
  if (!std::exchange(pending.seen, true)) {
    ++counts_[static_cast<std::int16_t>(key)];
    auto& faults = faults_[static_cast<std::int16_t>(key)];
    if (!faults.empty()) {
      const auto [code, of_transport] = faults.front();
      faults.pop_front();
      if (of_transport) return fail(code, "the test wants it so");
      error = code;
    }
  }
  const auto custom = custom_.find(static_cast<std::int16_t>(key));
  if (custom != custom_.end()) return custom->second(pending.request.get(), pending.node, error);
  switch (key) {
    case ApiKey::kMetadata: return metadata(pending);
    case ApiKey::kFindCoordinator: return findCoordinator(pending, error);
    case ApiKey::kJoinGroup: return joinGroup(pending, error);
    case ApiKey::kSyncGroup: return syncGroup(pending, error);
    case ApiKey::kHeartbeat: return heartbeat(pending, error);
    case ApiKey::kLeaveGroup: return leaveGroup(pending, error);
    case ApiKey::kOffsetFetch: return offsetFetch(pending, error);
    case ApiKey::kOffsetCommit: return offsetCommit(pending, error);
    case ApiKey::kListOffsets: return listOffsets(pending, error);
    case ApiKey::kFetch: return fetch(pending, error, may_wait);
    default: return fail(Errc::kUnsupportedVersion, "not in this cluster");
  }
}

FakeCluster::Partition* FakeCluster::find(const std::string& topic, std::int32_t index) {
  const auto found = topics_.find(topic);
  if (found == topics_.end() || index < 0 ||
      static_cast<std::size_t>(index) >= found->second.size())
    return nullptr;
  return &found->second[static_cast<std::size_t>(index)];
}

const std::string* FakeCluster::topicOf(const Uuid& id) const {
  for (const auto& [name, partitions] : topics_) {
    if (idOf(name) == id) return &name;
  }
  return nullptr;
}

FakeCluster::Body FakeCluster::metadata(const Pending& pending) {
  const auto& request = as<MetadataRequest>(pending.request);
  auto answer = std::make_shared<MetadataResponse>();
  for (const NodeId id : {1, 2}) {
    auto& broker = answer->brokers.emplace_back();
    broker.node_id = id;
    broker.host = Text("fake");
    broker.port = id;
  }
  std::vector<std::string> names;
  if (request.topics) {
    for (const auto& topic : *request.topics) names.push_back(topic.name->str());
  } else {
    for (const auto& [name, partitions] : topics_) names.push_back(name);
  }
  for (const std::string& name : names) {
    auto& topic = answer->topics.emplace_back();
    topic.name = Text(name);
    const auto found = topics_.find(name);
    if (found == topics_.end()) {
      topic.error_code = wire(Errc::kUnknownTopicOrPartition);
      continue;
    }
    topic.topic_id = idOf(name);
    for (std::size_t i = 0; i < found->second.size(); ++i) {
      auto& p = topic.partitions.emplace_back();
      p.partition_index = static_cast<std::int32_t>(i);
      p.leader_id = found->second[i].leader;
      p.leader_epoch = found->second[i].leader_epoch;
    }
  }
  return answer;
}

FakeCluster::Body FakeCluster::findCoordinator(const Pending& pending, Errc error) {
  auto answer = std::make_shared<FindCoordinatorResponse>();
  auto& found = answer->coordinators.emplace_back();
  found.key = as<FindCoordinatorRequest>(pending.request).coordinator_keys.front();
  found.error_code = wire(error);
  found.node_id = coordinator_;
  found.host = Text("fake");
  found.port = coordinator_;
  return answer;
}

/// What a request to the group gets before it is looked at.
Errc FakeCluster::groupError(const Pending& pending, Errc error) const {
  if (error != Errc::kNone) return error;
  return pending.node == coordinator_ ? Errc::kNone : Errc::kNotCoordinator;
}

FakeCluster::Body FakeCluster::joinGroup(const Pending& pending, Errc error) {
  const auto& request = as<JoinGroupRequest>(pending.request);
  auto answer = std::make_shared<JoinGroupResponse>();
  error = groupError(pending, error);
  if (error == Errc::kNone && request.member_id.empty()) {
    answer->member_id = Text("member-" + std::to_string(generation_ + 1));
    error = Errc::kMemberIdRequired;
  } else if (error == Errc::kNone) {
    member_ = request.member_id.str();
    answer->member_id = request.member_id;
    answer->leader = request.member_id;
    answer->generation_id = ++generation_;
    answer->protocol_type = request.protocol_type;
    answer->protocol_name = request.protocols.front().name;
    auto& self = answer->members.emplace_back();
    self.member_id = request.member_id;
    self.metadata = request.protocols.front().metadata;
  }
  answer->error_code = wire(error);
  return answer;
}

FakeCluster::Body FakeCluster::syncGroup(const Pending& pending, Errc error) {
  const auto& request = as<SyncGroupRequest>(pending.request);
  auto answer = std::make_shared<SyncGroupResponse>();
  error = groupError(pending, error);
  answer->error_code = wire(error);
  if (error != Errc::kNone) return answer;
  if (assign_instead_) {
    answer->assignment = Text(encodeAssignment(MemberAssignment{.partitions = *assign_instead_}));
  } else {
    answer->assignment = request.assignments.front().assignment;
  }
  return answer;
}

FakeCluster::Body FakeCluster::heartbeat(const Pending& pending, Errc error) {
  auto answer = std::make_shared<HeartbeatResponse>();
  answer->error_code = wire(groupError(pending, error));
  return answer;
}

FakeCluster::Body FakeCluster::leaveGroup(const Pending& pending, Errc error) {
  auto answer = std::make_shared<LeaveGroupResponse>();
  answer->error_code = wire(groupError(pending, error));
  if (answer->error_code == 0) member_.clear();
  return answer;
}

FakeCluster::Body FakeCluster::offsetFetch(const Pending& pending, Errc error) {
  auto answer = std::make_shared<OffsetFetchResponse>();
  const auto& asked = as<OffsetFetchRequest>(pending.request).groups.front();
  auto& group = answer->groups.emplace_back();
  group.group_id = asked.group_id;
  group.error_code = wire(groupError(pending, error));
  if (group.error_code != 0) return answer;
  if (!asked.topics) {
    for (const auto& [tp, offset] : committed_) {
      auto& t = group.topics.emplace_back();
      t.name = Text(tp.topic);
      auto& p = t.partitions.emplace_back();
      p.partition_index = tp.partition;
      p.committed_offset = offset;
    }
    return answer;
  }
  for (const auto& topic : *asked.topics) {
    auto& t = group.topics.emplace_back();
    t.name = topic.name;
    for (const std::int32_t index : topic.partition_indexes) {
      auto& p = t.partitions.emplace_back();
      p.partition_index = index;
      const auto found = committed_.find(TopicPartition{topic.name.str(), index});
      p.committed_offset = found == committed_.end() ? -1 : found->second;
    }
  }
  return answer;
}

FakeCluster::Body FakeCluster::offsetCommit(const Pending& pending, Errc error) {
  auto answer = std::make_shared<OffsetCommitResponse>();
  error = groupError(pending, error);
  for (const auto& topic : as<OffsetCommitRequest>(pending.request).topics) {
    auto& t = answer->topics.emplace_back();
    t.name = topic.name;
    for (const auto& partition : topic.partitions) {
      auto& p = t.partitions.emplace_back();
      p.partition_index = partition.partition_index;
      p.error_code = wire(error);
      if (error != Errc::kNone) continue;
      committed_[{topic.name.str(), partition.partition_index}] = partition.committed_offset;
    }
  }
  return answer;
}

FakeCluster::Body FakeCluster::listOffsets(const Pending& pending, Errc error) {
  auto answer = std::make_shared<ListOffsetsResponse>();
  for (const auto& topic : as<ListOffsetsRequest>(pending.request).topics) {
    auto& t = answer->topics.emplace_back();
    t.name = topic.name;
    for (const auto& asked : topic.partitions) {
      auto& p = t.partitions.emplace_back();
      p.partition_index = asked.partition_index;
      const Partition* log = find(topic.name.str(), asked.partition_index);
      Errc code = error;
      if (code == Errc::kNone && log == nullptr) code = Errc::kUnknownTopicOrPartition;
      if (code == Errc::kNone && log->leader != pending.node) code = Errc::kNotLeaderOrFollower;
      p.error_code = wire(code);
      if (code != Errc::kNone) continue;
      const auto end = static_cast<std::int64_t>(log->batches.size());
      if (asked.timestamp == kLatest) {
        p.offset = end;
      } else if (asked.timestamp == kEarliest) {
        p.offset = log->start;
      } else if (std::max(asked.timestamp, log->start) < end) {
        p.offset = p.timestamp = std::max(asked.timestamp, log->start);
      }
    }
  }
  return answer;
}

FakeCluster::Body FakeCluster::fetch(const Pending& pending, Errc error, bool may_wait) {
  const auto& request = as<FetchRequest>(pending.request);
  auto answer = std::make_shared<FetchResponse>();
  bool worth_it = error != Errc::kNone;
  for (const auto& topic : request.topics) {
    auto& t = answer->responses.emplace_back();
    t.topic = topic.topic;
    t.topic_id = topic.topic_id;
    const std::string* name = topicOf(topic.topic_id);
    for (const auto& asked : topic.partitions) {
      auto& p = t.partitions.emplace_back();
      p.partition_index = asked.partition;
      const Partition* log = name == nullptr ? nullptr : find(*name, asked.partition);
      Errc code = error;
      if (code == Errc::kNone && log == nullptr) code = Errc::kUnknownTopicId;
      if (code == Errc::kNone && log->leader != pending.node) code = Errc::kNotLeaderOrFollower;
      const auto end = log == nullptr ? 0 : static_cast<std::int64_t>(log->batches.size());
      const bool outside =
          log != nullptr && (asked.fetch_offset < log->start || asked.fetch_offset > end);
      if (code == Errc::kNone && outside) code = Errc::kOffsetOutOfRange;
      p.error_code = wire(code);
      worth_it = worth_it || code != Errc::kNone || asked.fetch_offset < end;
      if (code != Errc::kNone) continue;
      p.high_watermark = p.last_stable_offset = end;
      Bytes records;
      for (std::int64_t o = asked.fetch_offset; o < end; ++o)
        records += log->batches[static_cast<std::size_t>(o)];
      p.records = Records::own(std::move(records));
    }
  }
  if (!worth_it && may_wait) return nullptr;
  return answer;
}

}  // namespace millrace::client
