// Drives a GroupMachine the way its shell does: answers by token, appends that succeed unless they
// are held.
#pragma once

#include "broker/groups/group_machine.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace millrace::broker::testing {

/// What a test wants different from the usual join.
struct JoinWish {
  std::int32_t session_timeout_ms = 30'000;
  std::int32_t rebalance_timeout_ms = 60'000;
  std::optional<std::string> instance_id{};
  std::string protocol_type = "consumer";
  std::vector<std::string> protocols = {"range"};
  bool require_known_member_id = false;
  bool may_skip_assignment = false;
};

struct MachineWish {
  std::int32_t initial_rebalance_delay_ms = 0;
  std::int32_t max_size = 1000;
};

class GroupDriver {
 public:
  explicit GroupDriver(MachineWish wish = {})
      : machine_(configOf(wish), [this] { return nextSuffix(); }) {}

  Token join(const std::string& group, const std::string& member, JoinWish wish = {}) {
    JoinEvent e;
    e.group_id = group;
    e.member_id = member;
    e.instance_id = wish.instance_id;
    e.client_id = "client";
    e.client_host = "/127.0.0.1";
    e.session_timeout_ms = wish.session_timeout_ms;
    e.rebalance_timeout_ms = wish.rebalance_timeout_ms;
    e.protocol_type = wish.protocol_type;
    for (const auto& name : wish.protocols) e.protocols.push_back({name, "metadata of " + name});
    e.require_known_member_id = wish.require_known_member_id;
    e.may_skip_assignment = wish.may_skip_assignment;
    const Token token = next_token_++;
    perform(machine_.join(e, token, now_));
    return token;
  }
  Token sync(const std::string& group, const std::string& member, std::int32_t generation,
             std::map<std::string, Bytes> assignments) {
    SyncEvent e;
    e.group_id = group;
    e.member_id = member;
    e.generation = generation;
    e.assignments = std::move(assignments);
    const Token token = next_token_++;
    perform(machine_.sync(e, token, now_));
    return token;
  }
  Errc heartbeat(const std::string& group, const std::string& member, std::int32_t generation,
                 std::optional<std::string> instance_id = {}) {
    return machine_.heartbeat(group, member, instance_id, generation, now_);
  }
  std::vector<Errc> leave(const std::string& group, const std::string& member) {
    auto [errors, actions] = machine_.leave(group, {{member, std::nullopt}}, now_);
    perform(std::move(actions));
    return errors;
  }
  /// The answers, after timers that are due now have fired.
  std::vector<protocol::JoinGroupResponse> joinAll(const std::vector<Token>& tokens) {
    advance(0);
    std::vector<protocol::JoinGroupResponse> answers;
    for (const Token t : tokens) {
      if (const auto* a = joinAnswer(t)) answers.push_back(*a);
    }
    return answers;
  }
  /// The leader's sync, and then everybody's.
  void syncLeader(const std::string& group, const protocol::JoinGroupResponse& any,
                  const std::vector<protocol::JoinGroupResponse>& all = {}) {
    std::map<std::string, Bytes> assignments{{any.member_id.str(), "a"}};
    for (const auto& j : all) assignments[j.member_id.str()] = "assignment of " + j.member_id.str();
    sync(group, any.leader.str(), any.generation_id, assignments);
    for (const auto& j : all) {
      if (j.member_id.view() != any.leader.view())
        sync(group, j.member_id.str(), any.generation_id, {});
    }
  }
  /// Moves the clock, timer by timer.
  void advance(Millis ms) {
    const Millis end = now_ + ms;
    while (machine_.nextDeadline() && *machine_.nextDeadline() <= end) {
      now_ = std::max(now_, *machine_.nextDeadline());
      perform(machine_.tick(now_));
    }
    now_ = end;
  }
  void holdAppends() { hold_ = true; }
  void completeAppends(Errc outcome) {
    hold_ = false;
    auto held = std::move(held_);
    held_.clear();
    for (const auto& append : held) perform(machine_.appended(append.ticket, outcome, now_));
  }
  void perform(GroupActions actions) {
    for (auto& [token, answer] : actions.joins) joins_.insert_or_assign(token, std::move(answer));
    for (auto& [token, answer] : actions.syncs) syncs_.insert_or_assign(token, std::move(answer));
    for (auto& append : actions.appends) {
      if (hold_) {
        held_.push_back(std::move(append));
      } else {
        perform(machine_.appended(append.ticket, Errc::kNone, now_));
      }
    }
  }
  const protocol::JoinGroupResponse* joinAnswer(Token token) const {
    const auto found = joins_.find(token);
    return found == joins_.end() ? nullptr : &found->second;
  }
  const protocol::SyncGroupResponse* syncAnswer(Token token) const {
    const auto found = syncs_.find(token);
    return found == syncs_.end() ? nullptr : &found->second;
  }
  GroupMachine& machine() { return machine_; }
  [[nodiscard]] Millis now() const { return now_; }

 private:
  static GroupConfig configOf(const MachineWish& wish) {
    GroupConfig config;
    config.min_session_timeout_ms = 1;
    config.initial_rebalance_delay_ms = wish.initial_rebalance_delay_ms;
    config.max_size = wish.max_size;
    return config;
  }
  std::string nextSuffix() { return std::to_string(++suffix_); }

  int suffix_ = 0;
  GroupMachine machine_;
  Millis now_ = 1'000'000;
  Token next_token_ = 1;
  bool hold_ = false;
  std::vector<GroupActions::Append> held_;
  std::map<Token, protocol::JoinGroupResponse> joins_;
  std::map<Token, protocol::SyncGroupResponse> syncs_;
};

}  // namespace millrace::broker::testing
