#include "streams/task.h"

#include "streams/input_queue.h"

#include <algorithm>
#include <exception>
#include <unordered_set>

namespace millrace::streams {

struct Task::State {
  State(Topology t, Options o)
      : topology(std::move(t)),
        options(std::move(o)),
        context(options.id, options.application_id, *options.collector, *options.cache) {}

  Topology topology;
  Options options;
  ProcessorContext context;
  std::vector<std::pair<std::string, std::unique_ptr<Node>>> nodes;  // in the order of declaration
  std::unordered_map<std::string, Node*> by_name;
  std::vector<TaskStore*> stores;  // in the order of creation
  std::vector<std::unique_ptr<InputQueue>> inputs;
  InputOrder order;
  std::uint64_t processed = 0;
  bool commit_needed = false;
  bool closed = false;
};

namespace {

Error userError(const char* what) {
  return {Errc::kUserCode, std::string("user code failed: ") + what};
}

/// Runs `call`, which may run user code; an exception becomes the task's error.
template <class Call>
void guarded(ProcessorContext& context, Call call) {
  try {
    call();
  } catch (const std::exception& e) {
    context.fail(userError(e.what()));
  } catch (...) {
    context.fail(userError("an exception of unknown type"));
  }
}

/// Declared nodes of the chosen subtopologies, in the order of declaration over the whole topology.
std::vector<std::string> chosenNodes(const Topology& topology,
                                     const std::vector<std::int32_t>& subtopologies) {
  std::unordered_set<std::string> chosen;
  for (const std::int32_t id : subtopologies) {
    const auto& nodes = topology.subtopologies()[static_cast<std::size_t>(id)].nodes;
    chosen.insert(nodes.begin(), nodes.end());
  }
  std::vector<std::string> ordered;
  for (const std::string& name : topology.nodeNames()) {
    if (chosen.contains(name)) ordered.push_back(name);
  }
  return ordered;
}

}  // namespace

Task::Task(Topology topology, Options options)
    : state_(std::make_unique<State>(std::move(topology), std::move(options))) {
  state_->context.wall_ms_ = state_->options.wall_ms;
}
Task::~Task() { close(); }

Status Task::makeStores(const std::vector<std::string>& names) {
  State& s = *state_;
  for (const std::string& store_name : storeOrder(s.topology, names)) {
    const StoreBuilder& builder = s.topology.store(store_name);
    auto store = builder.make();
    MILLRACE_CHECK_OK(store->init(s.context, *s.options.stores));
    s.stores.push_back(store.get());
    s.context.stores_[store_name] = std::move(store);
  }
  return {};
}

Status Task::init() {
  State& s = *state_;
  const auto names = chosenNodes(s.topology, s.options.subtopologies);
  MILLRACE_CHECK_OK(makeStores(names));
  for (const std::string& name : names) {
    auto node = s.topology.node(name).prototype->clone();
    for (const std::string& parent : s.topology.node(name).parents)
      s.by_name.at(parent)->addChild(*node);
    s.by_name[name] = node.get();
    s.nodes.emplace_back(name, std::move(node));
  }
  guarded(s.context, [&] {
    for (auto& [name, node] : s.nodes) node->init(s.context);
  });
  for (const Input& input : s.options.inputs) MILLRACE_CHECK_OK(openInput(input, names));
  if (s.context.failed_) return std::unexpected(s.context.error_);
  return {};
}

Status Task::openInput(const Input& input, const std::vector<std::string>& names) {
  State& s = *state_;
  for (const std::string& name : names) {
    const NodeSpec& spec = s.topology.node(name);
    if (std::find(spec.topics.begin(), spec.topics.end(), input.topic) == spec.topics.end())
      continue;
    auto* source = dynamic_cast<SourceNodeBase*>(s.by_name.at(name));
    MILLRACE_ASSERT(source != nullptr, name);
    const std::string real_topic = s.topology.isInternal(input.topic)
                                       ? decorateTopic(s.options.application_id, input.topic)
                                       : input.topic;
    s.inputs.push_back(
        std::make_unique<InputQueue>(real_topic, input.partition, source->makeSlot(s.context)));
    return {};
  }
  return fail(Errc::kState, "no source of the task reads topic " + input.topic);
}

void Task::enqueued(std::size_t input, bool was_empty) {
  InputQueue& queue = *state_->inputs[input];
  if (!was_empty) return;
  guarded(state_->context, [&] {
    if (queue.load() && queue.hasHead()) state_->order.push(&queue);
  });
}

void Task::add(std::size_t input, RecordSlice slice) {
  const bool was_empty = !state_->inputs[input]->hasHead();
  state_->inputs[input]->add(std::move(slice));
  enqueued(input, was_empty);
}

void Task::add(std::size_t input, OwnedRecord record) {
  const bool was_empty = !state_->inputs[input]->hasHead();
  state_->inputs[input]->add(std::move(record));
  enqueued(input, was_empty);
}

std::size_t Task::buffered(std::size_t input) const { return state_->inputs[input]->size(); }

std::size_t Task::buffered() const {
  std::size_t sum = 0;
  for (const auto& input : state_->inputs) sum += input->size();
  return sum;
}

bool Task::allInputsBuffered() const { return state_->order.size() == state_->inputs.size(); }

Result<std::size_t> Task::process(std::size_t max_records, bool stop_when_dry) {
  State& s = *state_;
  ProcessorContext& context = s.context;
  std::size_t taken = 0;
  guarded(context, [&] {
    bool dry = false;
    while (taken < max_records && !dry && !s.order.empty() && !context.failed_) {
      InputQueue& queue = *s.order.pop();
      const Millis timestamp = queue.headTimestamp();
      context.stream_time_ = std::max(context.stream_time_, timestamp);
      context.origin_ = queue.headOrigin();
      queue.forwardHead();
      if (context.failed_) break;
      ++taken;
      queue.pop();
      if (queue.load() && queue.hasHead())
        s.order.push(&queue);
      else
        dry = stop_when_dry;
      if (!context.stream_time_schedules_.empty()) {
        punctuate(context.stream_time_schedules_, context.stream_time_);
      }
    }
  });
  s.processed += taken;
  s.commit_needed = s.commit_needed || taken > 0;
  if (context.failed_) return std::unexpected(context.error_);
  return taken;
}

bool Task::punctuate(std::vector<ProcessorContext::Schedule>& schedules, Millis now) {
  bool any = false;
  for (;;) {
    // The earliest due one; of equal ones the one scheduled first. A punctuator may add schedules.
    std::size_t due = schedules.size();
    std::erase_if(schedules, [](const auto& schedule) { return *schedule.cancelled; });
    due = schedules.size();
    for (std::size_t i = 0; i < schedules.size(); ++i) {
      if (schedules[i].next <= now &&
          (due == schedules.size() || schedules[i].next < schedules[due].next))
        due = i;
    }
    if (due == schedules.size()) return any;
    auto& schedule = schedules[due];
    // Missed intervals are not made up for: the next time is the first multiple after now.
    schedule.next += ((now - schedule.next) / schedule.interval + 1) * schedule.interval;
    state_->context.origin_ = {};
    const Punctuator call = schedule.call;
    call(now);
    any = true;
    state_->commit_needed = true;
    if (state_->context.failed_) return any;
  }
}

Result<bool> Task::punctuateWallClock(Millis wall_ms) {
  ProcessorContext& context = state_->context;
  context.wall_ms_ = wall_ms;
  if (context.failed_) return std::unexpected(context.error_);
  if (context.wall_clock_schedules_.empty()) return false;
  bool any = false;
  guarded(context, [&] { any = punctuate(context.wall_clock_schedules_, wall_ms); });
  if (context.failed_) return std::unexpected(context.error_);
  return any;
}

void Task::setWallClock(Millis wall_ms) { state_->context.wall_ms_ = wall_ms; }

Status Task::flush() {
  ProcessorContext& context = state_->context;
  if (context.failed_) return std::unexpected(context.error_);
  guarded(context, [&] {
    for (TaskStore* store : state_->stores) {
      store->flushCache();
      if (context.failed_) return;
    }
  });
  if (context.failed_) return std::unexpected(context.error_);
  return {};
}

std::vector<Task::Position> Task::committable() const {
  std::vector<Position> positions;
  for (std::size_t i = 0; i < state_->inputs.size(); ++i) {
    const InputQueue& queue = *state_->inputs[i];
    if (queue.moved) positions.push_back({i, queue.nextOffset(), queue.partitionTime()});
  }
  return positions;
}

void Task::committed() {
  for (const auto& input : state_->inputs) input->moved = false;
  state_->commit_needed = false;
  state_->context.commit_requested_ = false;
}

bool Task::commitNeeded() const { return state_->commit_needed; }
bool Task::commitRequested() const { return state_->context.commit_requested_; }

void Task::setPartitionTime(std::size_t input, Millis time) {
  state_->inputs[input]->setPartitionTime(time);
  state_->context.stream_time_ = std::max(state_->context.stream_time_, time);
}

void Task::close() {
  if (state_->closed) return;
  state_->closed = true;
  guarded(state_->context, [&] {
    for (auto& [name, node] : state_->nodes) node->close();
  });
}

Millis Task::streamTime() const { return state_->context.streamTime(); }
std::uint64_t Task::dropped() const { return state_->context.dropped(); }
std::uint64_t Task::processed() const { return state_->processed; }
TaskStore* Task::store(std::string_view name) { return state_->context.findStore(name); }

}  // namespace millrace::streams
