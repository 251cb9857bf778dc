#include "streams/runtime/active_task.h"

#include "base/assert.h"
#include "base/file.h"
#include "streams/runtime/offset_metadata.h"
#include "streams/runtime/topic_plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <sstream>

namespace millrace::streams {
namespace {

constexpr const char* kCheckpointFile = ".checkpoint";

std::string changelogKey(const std::string& store) {
  return std::string(OffsetMetadata::kChangelogKey) + store;
}

}  // namespace

ActiveTask::ActiveTask(Application& application, TaskId id, std::vector<TopicPartition> inputs,
                       ProducerCollector& collector, CacheBudget& cache,
                       const std::map<TopicPartition, std::optional<OffsetAndMetadata>>& committed)
    : application_(application),
      id_(id),
      inputs_(std::move(inputs)),
      collector_(collector),
      cache_(cache),
      last_committed_(inputs_.size()),
      partition_times_(inputs_.size(), -1),
      idle_since_(inputs_.size()) {
  if (application_.directory) directory_ = application_.directory->taskDirectory(id_);
  describeChangelogs(subtopology());
  readCommitted(committed);
}

ActiveTask::~ActiveTask() {
  if (task_) task_->close();
  task_.reset();
  stores_.reset();
  if (application_.directory) application_.directory->unlock(id_);
}

const Subtopology& ActiveTask::subtopology() const {
  const auto& all = application_.topology.subtopologies();
  const auto found = std::ranges::find(all, id_.subtopology, &Subtopology::id);
  MILLRACE_ASSERT(found != all.end(), id_.toString());
  return *found;
}

void ActiveTask::describeChangelogs(const Subtopology& subtopology) {
  for (const auto& [store, changelog] : subtopology.changelogs) {
    const std::string& application_id = application_.config.application_id;
    const std::string topic =
        changelog.created ? decorateTopic(application_id, changelog.topic.name)
                          : realTopic(application_.topology, application_id, changelog.topic.name);
    changelogs_.push_back({store, {topic, id_.partition}, changelog.created});
  }
}

void ActiveTask::readCommitted(
    const std::map<TopicPartition, std::optional<OffsetAndMetadata>>& committed) {
  const auto is_committed = [&](const auto& input) {
    const auto found = committed.find(input);
    return found != committed.end() && found->second;
  };
  if (std::ranges::none_of(inputs_, is_committed)) {
    // The inputs are read from their start: what a crash before the first commit left in the
    // changelogs would count twice. (Where the user starts from the end instead, the state is all
    // there is, and stays.)
    const ConsumerOptions options = application_.config.mainConsumer("");
    if (options.properties.at("auto.offset.reset") != "earliest") return;
    for (Changelog& changelog : changelogs_) changelog.committed = 0;
    return;
  }
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const auto found = committed.find(inputs_[i]);
    if (found == committed.end() || !found->second) continue;
    last_committed_[i] = found->second;
    const OffsetMetadata metadata = decodeOffsetMetadata(found->second->metadata);
    partition_times_[i] = metadata.partition_time;
    for (Changelog& changelog : changelogs_) {
      if (!changelog.own && changelog.partition == inputs_[i])
        changelog.committed = found->second->offset;
      const auto value = metadata.values.find(changelogKey(changelog.store));
      if (!changelog.own || value == metadata.values.end()) continue;
      // Inputs are committed at different times: the newest note counts.
      changelog.committed = std::max(changelog.committed.value_or(value->second), value->second);
    }
  }
}

Status ActiveTask::open() {
  std::vector<StoreSpec> specs;
  for (const std::string& name : subtopology().stores)
    specs.push_back(application_.topology.store(name).spec());
  MILLRACE_TRY(stores_, TaskStores::open(directory_, specs, application_.memory));
  return {};
}

Status ActiveTask::reset() {
  stores_.reset();
  if (application_.directory) MILLRACE_CHECK_OK(application_.directory->removeTask(id_));
  return open();
}

Status ActiveTask::start() {
  for (const Changelog& changelog : changelogs_) {
    if (!changelog.own) continue;
    auto& writer = writers_[changelog.store];
    if (!writer) {
      MILLRACE_TRY(writer, collector_.changelog(changelog.partition));
    }
    stores_->store(changelog.store).setChangelog(writer.get());
  }
  Task::Options options;
  options.id = id_;
  options.application_id = application_.config.application_id;
  options.subtopologies = {id_.subtopology};
  const std::string prefix = options.application_id + "-";
  for (const TopicPartition& input : inputs_) {
    const bool internal = input.topic.starts_with(prefix) &&
                          application_.topology.isInternal(input.topic.substr(prefix.size()));
    options.inputs.push_back(
        {internal ? input.topic.substr(prefix.size()) : input.topic, input.partition});
  }
  options.collector = &collector_;
  options.stores = stores_.get();
  options.cache = &cache_;
  options.wall_ms = application_.clock->wallMs();
  auto task = std::make_unique<Task>(application_.topology, std::move(options));
  MILLRACE_CHECK_OK(task->init());
  task_ = std::move(task);
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (partition_times_[i] >= 0) task_->setPartitionTime(i, partition_times_[i]);
  }
  return {};
}

Status ActiveTask::rewrite(const Changelog& changelog, const Bytes& key, Millis timestamp) {
  auto& writer = writers_[changelog.store];
  if (!writer) {
    MILLRACE_TRY(writer, collector_.changelog(changelog.partition));
  }
  Bytes value;
  MILLRACE_TRY(const bool exists, stores_->store(changelog.store).logged(key, value, timestamp));
  return writer->append(key, exists ? std::optional<BytesView>(value) : std::nullopt, timestamp);
}

Status ActiveTask::restored(const std::string& store, std::int64_t offset) {
  std::ranges::find(changelogs_, store, &Changelog::store)->committed = offset;
  return stores_->commit({{store, offset}});
}

bool ActiveTask::inputIsSettled(const Consumer& consumer, std::size_t input, Millis now_ms) {
  auto& idle_since = idle_since_[input];
  if (task_->buffered(input) > 0) {
    idle_since.reset();
    return true;
  }
  const auto lag = consumer.currentLag(inputs_[input]);
  if (!lag || *lag > 0) {  // not asked yet, or more is there to be fetched
    idle_since.reset();
    return false;
  }
  if (!idle_since) idle_since = now_ms;
  return now_ms - *idle_since >= application_.config.max_task_idle_ms;
}

bool ActiveTask::ready(const Consumer& consumer, Millis now_ms) {
  if (task_->buffered() == 0) return false;
  if (application_.config.max_task_idle_ms < 0 || inputs_.size() == 1) return true;
  bool ready = true;
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    ready = inputIsSettled(consumer, i, now_ms) && ready;
  return ready;
}

std::map<std::string, std::int64_t> ActiveTask::changelogOffsets() const {
  std::map<std::string, std::int64_t> offsets;
  for (const Changelog& changelog : changelogs_) {
    if (!changelog.own) continue;
    const std::int64_t acknowledged = collector_.acknowledged(changelog.partition);
    if (acknowledged >= 0)
      offsets[changelog.store] = acknowledged;
    else
      offsets[changelog.store] = changelog.committed.value_or(0);
  }
  return offsets;
}

void ActiveTask::collectOffsets(Consumer& consumer, CommitOffsets& offsets) {
  OffsetMetadata metadata;
  for (const auto& [store, offset] : changelogOffsets())
    metadata.values[changelogKey(store)] = offset;
  bool any = false;
  for (const Task::Position& position : task_->committable()) {
    metadata.partition_time = position.partition_time;
    partition_times_[position.input] = position.partition_time;
    auto& last = last_committed_[position.input];
    last = {.offset = position.next_offset, .metadata = encodeOffsetMetadata(metadata)};
    offsets[inputs_[position.input]] = *last;
    any = true;
  }
  if (any || metadata.values.empty()) return;
  // Only punctuators ran: the state's offsets still have to be noted beside some input.
  auto& last = last_committed_.front();
  if (!last) {
    const auto position = consumer.position(inputs_.front());
    if (!position) return;
    last = OffsetAndMetadata{.offset = *position};
  }
  metadata.partition_time = partition_times_.front();
  last->metadata = encodeOffsetMetadata(metadata);
  offsets[inputs_.front()] = *last;
}

Status ActiveTask::committed() {
  MILLRACE_CHECK_OK(stores_->commit(changelogOffsets()));
  task_->committed();
  return {};
}

void ActiveTask::report() {
  if (!started()) return;
  application_.counters.processed += task_->processed() - reported_processed_;
  application_.counters.dropped += task_->dropped() - reported_dropped_;
  reported_processed_ = task_->processed();
  reported_dropped_ = task_->dropped();
}

Status ActiveTask::suspend() {
  if (!started()) return {};
  MILLRACE_CHECK_OK(stores_->flush());
  const auto offsets = changelogOffsets();
  const auto on_disk = [&](const auto& e) { return stores_->restoredTo(e.first).has_value(); };
  if (!application_.directory || std::ranges::none_of(offsets, on_disk)) return {};
  // Kafka's checkpoint: version, count, then "topic partition offset" by line.
  std::string lines;
  int count = 0;
  for (const Changelog& changelog : changelogs_) {
    const auto offset = stores_->restoredTo(changelog.store);
    if (!offset) continue;
    lines += fmt::format("{} {} {}\n", changelog.partition.topic, changelog.partition.partition,
                         *offset);
    ++count;
  }
  return systemFiles().writeAtomically(directory_ + "/" + kCheckpointFile,
                                       fmt::format("0\n{}\n{}", count, lines));
}

std::optional<std::int64_t> ActiveTask::offsetSumOnDisk(const std::string& directory) {
  const auto content = systemFiles().readAll(directory + "/" + kCheckpointFile);
  if (!content) return std::nullopt;
  std::istringstream in(*content);
  int version = -1;
  int count = 0;
  if (!(in >> version >> count) || version != 0) return std::nullopt;
  std::int64_t sum = 0;
  for (int i = 0; i < count; ++i) {
    std::string topic;
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    if (!(in >> topic >> partition >> offset)) return std::nullopt;
    sum += std::max<std::int64_t>(offset, 0);
  }
  return sum;
}

}  // namespace millrace::streams
