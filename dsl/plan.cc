#include "dsl/plan.h"

#include "base/assert.h"

#include <algorithm>
#include <cstdio>
#include <unordered_map>

namespace millrace::dsl {
namespace {

class RootPlan final : public PlanNode {
 public:
  RootPlan() : PlanNode("root") {}
  [[nodiscard]] Status write(TopologyBuilder&) const override { return {}; }
};

std::string tenDigits(std::int32_t number) {
  char text[16];
  std::snprintf(text, sizeof text, "%010d", number);
  return text;
}

template <class T>
bool contains(const std::vector<T>& all, const T& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

/// "KSTREAM-...-0000000012": a repartition named by a generated name gives its nodes generated
/// names too.
bool isGeneratedName(const std::string& prefix) {
  constexpr std::size_t kNumber = 11;  // dash and ten digits
  if (!prefix.starts_with("KSTREAM") || prefix.size() < kNumber) return false;
  const std::size_t dash = prefix.size() - kNumber;
  return prefix[dash] == '-' &&
         prefix.find_first_not_of("0123456789", dash + 1) == std::string::npos;
}

}  // namespace

void PlanNode::addChild(PlanNode* child) {
  if (!contains(children, child)) children.push_back(child);
  if (!contains(child->parents, this)) child->parents.push_back(this);
}

void PlanNode::removeChild(PlanNode* child) {
  std::erase(children, child);
  std::erase(child->parents, this);
}

std::vector<std::string> PlanNode::parentNames() const {
  std::vector<std::string> names;
  for (const PlanNode* parent : parents) names.push_back(parent->name);
  return names;
}

Status ProcessorPlan::write(TopologyBuilder& builder) const {
  MILLRACE_CHECK_OK(
      builder.addProcessor({.name = name, .parents = parentNames(), .prototype = prototype}));
  MILLRACE_CHECK_OK(builder.connect(name, connected_stores));
  for (const auto& store : owned_stores) MILLRACE_CHECK_OK(builder.addStateStore(store, {name}));
  return {};
}

Status SourcePlan::write(TopologyBuilder& builder) const {
  return builder.addSource(
      {.name = name, .topics = topics, .reset = reset, .prototype = prototype});
}

Status TableSourcePlan::write(TopologyBuilder& builder) const {
  MILLRACE_CHECK_OK(builder.addSource(
      {.name = source_name, .topics = {topic}, .reset = reset, .prototype = source_prototype}));
  MILLRACE_CHECK_OK(
      builder.addProcessor({.name = name, .parents = {source_name}, .prototype = table_prototype}));
  if (!state->materialized) return {};
  MILLRACE_CHECK_OK(builder.addStateStore(store, {name}));
  if (reuse_source_topic) builder.reuseSourceTopic(state->store, topic);
  return {};
}

Status StreamToTablePlan::write(TopologyBuilder& builder) const {
  MILLRACE_CHECK_OK(
      builder.addProcessor({.name = name, .parents = parentNames(), .prototype = prototype}));
  if (!state->materialized) return {};
  return builder.addStateStore(store, {name});
}

Status RepartitionPlan::write(TopologyBuilder& builder) const {
  builder.addRepartitionTopic(topic, partitions);
  auto sink_parents = parentNames();
  if (filter_prototype) {
    MILLRACE_CHECK_OK(builder.addProcessor(
        {.name = filter_name, .parents = sink_parents, .prototype = filter_prototype}));
    sink_parents = {filter_name};
  }
  MILLRACE_CHECK_OK(builder.addSink(
      {.name = sink_name, .parents = sink_parents, .topic = topic, .prototype = sink_prototype}));
  return builder.addSource({.name = name, .topics = {topic}, .prototype = source_prototype});
}

Status SinkPlan::write(TopologyBuilder& builder) const {
  return builder.addSink({.name = name,
                          .parents = parentNames(),
                          .topic = topic,
                          .extractor = extractor,
                          .prototype = prototype});
}

Status TableJoinPlan::write(TopologyBuilder& builder) const {
  MILLRACE_CHECK_OK(builder.addProcessor(
      {.name = this_name, .parents = {this_side}, .prototype = this_prototype}));
  MILLRACE_CHECK_OK(builder.addProcessor(
      {.name = other_name, .parents = {other_side}, .prototype = other_prototype}));
  MILLRACE_CHECK_OK(builder.addProcessor(
      {.name = name, .parents = {this_name, other_name}, .prototype = merge_prototype}));
  MILLRACE_CHECK_OK(builder.connect(this_name, other_stores));
  MILLRACE_CHECK_OK(builder.connect(other_name, this_stores));
  if (store) MILLRACE_CHECK_OK(builder.addStateStore(store, {name}));
  return {};
}

Status checkName(const std::string& name) {
  constexpr std::size_t kMaxNameLength = 249;
  const bool bad_char = std::any_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) == 0 && c != '.' && c != '_' && c != '-';
  });
  if (bad_char || name.empty() || name == "." || name == ".." || name.size() > kMaxNameLength) {
    return millrace::fail(
        Errc::kConfig,
        "name \"" + name + "\" is illegal: 1 to 249 of letters, digits, '.', '_' and '-'");
  }
  return {};
}

RepartitionNames repartitionNames(Plan& plan, const std::string& prefix) {
  constexpr std::string_view kSuffix = "-repartition";
  RepartitionNames names{.topic =
                             prefix.ends_with(kSuffix) ? prefix : prefix + std::string(kSuffix)};
  names.sink = plan.newName("KSTREAM-SINK-");
  names.filter = plan.newName("KSTREAM-FILTER-");
  names.source = plan.newName("KSTREAM-SOURCE-");
  if (!isGeneratedName(prefix)) {
    names.sink = names.topic + "-sink";
    names.filter = names.topic + "-filter";
    names.source = names.topic + "-source";
  }
  return names;
}

Plan::Plan() : root_(own(std::make_unique<RootPlan>())) { enroll(root_); }
Plan::~Plan() = default;

std::string Plan::newName(const std::string& prefix) { return prefix + tenDigits(next_number_++); }
std::string Plan::newStoreName(const std::string& prefix) {
  return prefix + "STATE-STORE-" + tenDigits(next_number_++);
}

std::string Plan::nameOr(const std::string& given, const std::string& prefix) {
  std::string generated = newName(prefix);
  if (given.empty()) return generated;
  if (auto status = checkName(given); !status) fail(status.error());
  return given;
}

std::string Plan::nameOr(const std::string& given, const std::string& suffix,
                         const std::string& prefix) {
  return nameOr(given.empty() ? given : given + suffix, prefix);
}

void Plan::adopt(const std::vector<PlanNode*>& parents, std::unique_ptr<PlanNode> node) {
  PlanNode* const raw = own(std::move(node));
  for (PlanNode* parent : parents) parent->addChild(raw);
  enroll(raw);
}

void Plan::attach(PlanNode* parent, PlanNode* node) {
  parent->addChild(node);
  enroll(node);
}

void Plan::fail(Error error) {
  if (!error_) error_ = std::move(error);
}

Result<streams::Topology> Plan::build(const PlanOptions& options) {
  if (error_) return std::unexpected(*error_);
  MILLRACE_ASSERT(!built_, "a StreamsBuilder builds once");
  built_ = true;
  MILLRACE_CHECK_OK(mergeDuplicateSources());
  if (options.reuse_source_topics) reuseSourceTopics();
  if (options.merge_repartition_topics) MILLRACE_CHECK_OK(mergeRepartitions());
  rewriteRepartitions();
  TopologyBuilder builder;
  for (const auto& store : extra_stores_) MILLRACE_CHECK_OK(builder.addStateStore(store, {}));
  MILLRACE_CHECK_OK(writeAll(builder));
  for (const auto& sources : copartitions_) {
    std::vector<std::string> existing;
    std::copy_if(sources.begin(), sources.end(), std::back_inserter(existing),
                 [&](const std::string& name) { return builder.hasNode(name); });
    builder.copartition(existing);
  }
  return builder.build();
}

/// Steps are written in the order in which they were made, each after all of its parents.
Status Plan::writeAll(TopologyBuilder& builder) {
  const auto later = [](const PlanNode* a, const PlanNode* b) { return a->priority > b->priority; };
  std::vector<PlanNode*> queue{root_};
  while (!queue.empty()) {
    std::pop_heap(queue.begin(), queue.end(), later);
    PlanNode* const node = queue.back();
    queue.pop_back();
    const bool ready = std::all_of(node->parents.begin(), node->parents.end(),
                                   [](const PlanNode* parent) { return parent->written; });
    if (!ready || node->written) continue;
    MILLRACE_CHECK_OK(node->write(builder));
    node->written = true;
    for (PlanNode* child : node->children) {
      queue.push_back(child);
      std::push_heap(queue.begin(), queue.end(), later);
    }
  }
  return {};
}

}  // namespace millrace::dsl
