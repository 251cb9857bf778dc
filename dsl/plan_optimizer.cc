// Rewritings of the plan before it is written: sources of one topic become one; with
// topology.optimization, tables restore from their source topics and repartitions below one
// key-changing step become one (Kafka's InternalStreamsBuilder).
#include "dsl/plan.h"

#include <algorithm>
#include <functional>
#include <typeinfo>
#include <unordered_map>

namespace millrace::dsl {
namespace {

using Predicate = std::function<bool(const PlanNode&)>;

/// Depth first upwards from `start`, itself included; as Kafka: of several parents the last one
/// searched decides.
PlanNode* findUpwards(PlanNode* start, const Predicate& matches) {
  if (matches(*start)) return start;
  PlanNode* found = nullptr;
  for (PlanNode* parent : start->parents) {
    if (matches(*parent)) return parent;
    found = findUpwards(parent, matches);
  }
  return found;
}

bool hasParent(const PlanNode& node, const PlanNode* parent) {
  return std::find(node.parents.begin(), node.parents.end(), parent) != node.parents.end();
}

/// The step to which a repartition belongs: the nearest key-changing one, unless values change in
/// between.
PlanNode* keyChangerOf(RepartitionPlan* repartition) {
  PlanNode* const any_change = findUpwards(
      repartition, [](const PlanNode& n) { return n.key_changing || n.value_changing; });
  PlanNode* const key_change =
      findUpwards(repartition, [](const PlanNode& n) { return n.key_changing; });
  return any_change != nullptr && any_change == key_change ? key_change : nullptr;
}

using KeyChangers = std::vector<std::pair<PlanNode*, std::vector<RepartitionPlan*>>>;

auto entryOf(KeyChangers& all, const PlanNode* node) {
  return std::find_if(all.begin(), all.end(),
                      [&](const auto& entry) { return entry.first == node; });
}

/// Repartitions below a merge of several key-changing streams move under the merge.
void groupUnderMergers(const std::vector<PlanNode*>& mergers, KeyChangers& key_changers) {
  std::vector<std::pair<PlanNode*, std::vector<PlanNode*>>> changers_of_merger;
  for (PlanNode* merger : mergers) {
    auto& changers = changers_of_merger.emplace_back(merger, std::vector<PlanNode*>{}).second;
    for (auto& [changer, repartitions] : key_changers) {
      const bool all_below =
          std::all_of(repartitions.begin(), repartitions.end(), [&](RepartitionPlan* r) {
            return findUpwards(r, [&](const PlanNode& n) { return hasParent(n, merger); }) !=
                   nullptr;
          });
      if (!all_below) continue;
      PlanNode* const parent = changer;
      if (findUpwards(merger, [&](const PlanNode& n) { return hasParent(n, parent); }) == nullptr)
        continue;
      changers.push_back(changer);
    }
  }
  std::vector<PlanNode*> replaced;
  for (auto& [merger, changers] : changers_of_merger) {
    std::vector<RepartitionPlan*> repartitions;
    for (PlanNode* changer : changers) {
      for (RepartitionPlan* r : entryOf(key_changers, changer)->second) {
        if (std::find(repartitions.begin(), repartitions.end(), r) == repartitions.end())
          repartitions.push_back(r);
      }
      replaced.push_back(changer);
    }
    const auto existing = entryOf(key_changers, merger);
    if (existing != key_changers.end())
      existing->second = repartitions;
    else
      key_changers.emplace_back(merger, repartitions);
  }
  for (PlanNode* changer : replaced) {
    std::erase_if(key_changers, [&](const auto& entry) { return entry.first == changer; });
  }
}

/// Children of the replaced repartition go to its parents; what hung below the key-changing step
/// hangs below the shared repartition now.
Status replaceRepartition(PlanNode* changer, RepartitionPlan* shared, RepartitionPlan* replaced) {
  PlanNode* const branch =
      findUpwards(replaced, [&](const PlanNode& n) { return hasParent(n, changer); });
  if (branch == nullptr) {
    return fail(Errc::kState, "found a null keyChangingChild node for " + replaced->name +
                                  ": this topology cannot be built with merge.repartition.topics");
  }
  shared->addChild(branch);
  changer->removeChild(branch);
  const auto parents = replaced->parents;
  for (PlanNode* child : replaced->children) {
    for (PlanNode* parent : parents) parent->addChild(child);
  }
  for (PlanNode* parent : parents) parent->removeChild(replaced);
  for (PlanNode* child : replaced->children) std::erase(child->parents, replaced);
  replaced->children.clear();
  return {};
}

}  // namespace

void Plan::enroll(PlanNode* node) {
  node->priority = next_priority_++;
  if (node->key_changing) {
    if (entryOf(key_changers_, node) == key_changers_.end()) key_changers_.push_back({node, {}});
    return;
  }
  if (auto* repartition = dynamic_cast<RepartitionPlan*>(node);
      repartition != nullptr && repartition->optimizable) {
    PlanNode* const changer = keyChangerOf(repartition);
    if (changer == nullptr) return;
    auto& known = entryOf(key_changers_, changer)->second;
    if (std::find(known.begin(), known.end(), repartition) == known.end())
      known.push_back(repartition);
  } else if (node->merging) {
    if (std::find(mergers_.begin(), mergers_.end(), node) == mergers_.end())
      mergers_.push_back(node);
  }
}

Status Plan::mergeDuplicateSources() {
  std::unordered_map<std::string, SourcePlan*> by_topic;
  const auto candidates = root_->children;
  for (PlanNode* node : candidates) {
    auto* source = dynamic_cast<SourcePlan*>(node);
    if (source == nullptr) continue;
    for (const std::string& topic : source->topics) {
      auto [known, added] = by_topic.try_emplace(topic, source);
      SourcePlan* const first = known->second;
      if (added || first == source) continue;
      if (first->topics != source->topics) {
        return millrace::fail(Errc::kState,
                              "topic " + topic + " is read together with different other topics");
      }
      const streams::Node& kept = *first->prototype;
      const streams::Node& merged = *source->prototype;
      if (typeid(kept) != typeid(merged)) {
        return millrace::fail(Errc::kState,
                              "topic " + topic + " is read twice with different types");
      }
      const auto children = source->children;
      for (PlanNode* child : children) {
        source->removeChild(child);
        first->addChild(child);
      }
      root_->removeChild(source);
      break;
    }
  }
  return {};
}

void Plan::reuseSourceTopics() {
  for (const auto& node : owned_) {
    if (auto* table = dynamic_cast<TableSourcePlan*>(node.get())) table->reuse_source_topic = true;
  }
}

Status Plan::mergeRepartitions() {
  groupUnderMergers(mergers_, key_changers_);
  const auto key_changers = key_changers_;
  for (const auto& [changer, repartitions] : key_changers) {
    if (repartitions.empty()) continue;
    const RepartitionPlan& first = *repartitions.front();
    const RepartitionNames names = repartitionNames(*this, first.topic);
    auto* shared = own(std::make_unique<RepartitionPlan>(names.source));
    shared->filter_name = names.filter;
    shared->sink_name = names.sink;
    shared->topic = first.topic;
    shared->filter_prototype = first.filter_prototype;
    shared->unfiltered_prototype = first.unfiltered_prototype;
    shared->sink_prototype = first.sink_prototype;
    shared->source_prototype = first.source_prototype;
    shared->priority = changer->priority;
    for (RepartitionPlan* replaced : repartitions) {
      MILLRACE_CHECK_OK(replaceRepartition(changer, shared, replaced));
      // A copartition group that named the replaced source now means the shared one.
      for (auto& group : copartitions_) {
        if (group.erase(replaced->name) > 0) group.insert(shared->name);
      }
    }
    changer->addChild(shared);
  }
  return {};
}

/// KIP-962: a repartition that feeds nothing but left and outer joins lets null keys pass.
void Plan::rewriteRepartitions() {
  for (const auto& node : owned_) {
    auto* repartition = dynamic_cast<RepartitionPlan*>(node.get());
    if (repartition == nullptr || !repartition->unfiltered_prototype ||
        repartition->children.empty())
      continue;
    const bool relaxed =
        std::all_of(repartition->children.begin(), repartition->children.end(),
                    [](const PlanNode* child) { return child->null_key_relaxed_join; });
    if (relaxed) repartition->filter_prototype = repartition->unfiltered_prototype;
  }
}

}  // namespace millrace::dsl
