// The sticky assignors (KIP-54, KIP-429, KIP-881): balanced as far as subscriptions allow, and as
// few moves as possible.
#pragma once

#include "client/assignors/assignors.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace millrace::client {

/// What a member says it had, from user data (sticky) or subscription fields (cooperative-sticky).
struct PreviousShare {
  std::vector<TopicPartition> partitions;
  std::optional<std::int32_t> generation = std::nullopt;
};
using PreviousShares = std::map<std::string, PreviousShare>;

struct StickyResult {
  MemberPartitions assignment;
  /// Partitions that a live member has to give up first, by new owner. Complete only where the
  /// subscriptions are equal.
  std::map<TopicPartition, std::string> transferring;
  bool equal_subscriptions = true;
};

/// The balanced plan. Walks maps in ascending order, so that the result depends on nothing else.
[[nodiscard]] StickyResult assignSticky(const AssignableTopics& topics,
                                        const GroupSubscriptions& group,
                                        const PreviousShares& previous);
/// The plan without what still belongs to somebody else: that goes out in the next round.
[[nodiscard]] MemberPartitions assignCooperativeSticky(const AssignableTopics& topics,
                                                       const GroupSubscriptions& group);
/// Previous shares from the user data of the eager sticky assignor.
[[nodiscard]] MemberPartitions assignEagerSticky(const AssignableTopics& topics,
                                                 const GroupSubscriptions& group);

/// User data of the eager assignor (version 1): what the member has, and since which generation.
[[nodiscard]] Bytes encodeStickyUserData(const std::vector<TopicPartition>& partitions,
                                         std::int32_t generation);
/// Version 1, and version 0 without a generation. Errors: kMalformed.
[[nodiscard]] Result<PreviousShare> decodeStickyUserData(BytesView bytes);
/// User data of the cooperative assignor: the generation.
[[nodiscard]] Bytes encodeGeneration(std::int32_t generation);
[[nodiscard]] std::optional<std::int32_t> decodeGeneration(BytesView bytes);

/// Where partitions and members stand (racks), shared by both builders.
class StickyRacks {
 public:
  StickyRacks(const AssignableTopics& topics, const GroupSubscriptions& group);
  /// Whether members have racks that matter.
  [[nodiscard]] bool active() const { return !member_racks_.empty(); }
  /// The member has a rack, and the partition has no replica in it.
  [[nodiscard]] bool mismatch(const std::string& member, const TopicPartition& tp) const;
  /// Both in one rack.
  [[nodiscard]] bool match(const std::string& member, const TopicPartition& tp) const;
  /// Index of the next member in the partition's racks, from `first` on and around; -1 where there
  /// is none.
  [[nodiscard]] int next(const TopicPartition& tp, const std::vector<std::string>& members,
                         std::size_t first) const;
  /// Partitions with few members in their racks first.
  void sort(std::vector<TopicPartition>& partitions) const;

 private:
  std::map<std::string, std::string> member_racks_;
  std::map<TopicPartition, std::set<std::string>> partition_racks_;
  std::map<TopicPartition, std::size_t> members_near_;
};

/// Who owned what, with claims settled: the highest generation wins, equal ones lose it for both.
struct StickyClaims {
  MemberPartitions owned;
  std::set<TopicPartition> disputed;  ///< claimed twice in one generation
  std::int32_t max_generation = -1;
};
[[nodiscard]] StickyClaims settleClaims(const AssignableTopics& topics,
                                        const GroupSubscriptions& group,
                                        const PreviousShares& previous);

/// All members subscribe to the same topics.
[[nodiscard]] StickyResult assignStickyEqual(const AssignableTopics& topics,
                                             const StickyRacks& racks, const StickyClaims& claims);
/// They do not.
[[nodiscard]] MemberPartitions assignStickyGeneral(const AssignableTopics& topics,
                                                   const GroupSubscriptions& group,
                                                   const StickyRacks& racks,
                                                   const StickyClaims& claims,
                                                   const PreviousShares& previous);

}  // namespace millrace::client
