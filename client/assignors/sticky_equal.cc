// The plan where all members subscribe to the same topics (Kafka's ConstrainedAssignmentBuilder):
// everybody gets the smallest or the largest fair share, keeping what it has.
#include "base/assert.h"
#include "client/assignors/sticky.h"

#include <algorithm>

namespace millrace::client {
namespace {

class EqualPlan {
 public:
  EqualPlan(const AssignableTopics& topics, const StickyRacks& racks, const StickyClaims& claims)
      : racks_(racks), claims_(claims) {
    std::size_t total = 0;
    for (const auto& [name, topic] : topics) {
      for (std::int32_t p = 0; p < topic.partitions; ++p) {
        unassigned_.push_back(TopicPartition{name, p});
        ++total;
      }
    }
    const std::size_t members = claims.owned.size();
    min_quota_ = total / members;
    max_quota_ = (total + members - 1) / members;
    expected_over_min_ = total % members;
    for (const auto& [member, owned] : claims.owned) result_.assignment[member];
  }

  StickyResult build() {
    keepOwned();
    std::erase_if(unassigned_, [this](const TopicPartition& tp) { return kept_.contains(tp); });
    std::sort(under_min_.begin(), under_min_.end());
    std::sort(at_min_.begin(), at_min_.end());
    racks_.sort(unassigned_);
    if (racks_.active()) assignByRack();
    assignInTurn();
    return std::move(result_);
  }

 private:
  void keepOwned() {
    for (const auto& [member, owned] : claims_.owned) {
      std::vector<TopicPartition> mine;
      for (const TopicPartition& tp : owned) {
        if (racks_.mismatch(member, tp)) {
          revoked_[tp] = member;
        } else if (!claims_.disputed.contains(tp)) {
          mine.push_back(tp);
        }
      }
      std::sort(mine.begin(), mine.end(), [](const TopicPartition& a, const TopicPartition& b) {
        return std::tie(a.partition, a.topic) < std::tie(b.partition, b.topic);
      });
      keepShare(member, mine);
    }
  }

  void keepShare(const std::string& member, const std::vector<TopicPartition>& mine) {
    std::size_t keeps = min_quota_;
    if (mine.size() < min_quota_) {
      keeps = mine.size();
      under_min_.push_back(member);
    } else if (mine.size() >= max_quota_ && over_min_ < expected_over_min_) {
      keeps = max_quota_;
      if (++over_min_ == expected_over_min_) at_min_.clear();
    } else if (over_min_ < expected_over_min_) {
      at_min_.push_back(member);
    }
    for (std::size_t i = 0; i < mine.size(); ++i) {
      if (i < keeps) {
        result_.assignment[member].push_back(mine[i]);
        kept_.insert(mine[i]);
      } else {
        revoked_[mine[i]] = member;
      }
    }
  }

  void assignByRack() {
    std::vector<TopicPartition> left;
    std::size_t turn = 0;
    for (const TopicPartition& tp : unassigned_) {
      const int index = racks_.next(tp, under_min_, turn);
      if (index >= 0) {
        auto next = static_cast<std::size_t>(index);
        const std::string member = under_min_[next];
        const std::size_t count = give(tp, member);
        if (count >= min_quota_) {
          under_min_.erase(under_min_.begin() + index);
          if (count < max_quota_) at_min_.push_back(member);
        } else {
          ++next;
        }
        turn = under_min_.empty() ? 0 : next % under_min_.size();
        continue;
      }
      // Only so many may get more than the smallest share.
      const int spare = over_min_ < expected_over_min_ ? racks_.next(tp, at_min_, 0) : -1;
      if (spare < 0) {
        left.push_back(tp);
        continue;
      }
      const std::string member = at_min_[static_cast<std::size_t>(spare)];
      if (give(tp, member) == max_quota_) {
        at_min_.erase(at_min_.begin() + spare);
        ++over_min_;
      }
    }
    unassigned_ = std::move(left);
  }

  void assignInTurn() {
    std::size_t turn = 0;
    for (const TopicPartition& tp : unassigned_) {
      if (under_min_.empty()) {
        MILLRACE_ASSERT(!at_min_.empty(), "more partitions than quotas");
        const std::string member = at_min_.front();
        at_min_.erase(at_min_.begin());
        if (give(tp, member) == max_quota_) ++over_min_;
        continue;
      }
      if (turn >= under_min_.size()) turn = 0;
      const std::string member = under_min_[turn];
      if (give(tp, member) == min_quota_) {
        under_min_.erase(under_min_.begin() + static_cast<std::ptrdiff_t>(turn));
        at_min_.push_back(member);
      } else {
        ++turn;
      }
    }
  }

  std::size_t give(const TopicPartition& tp, const std::string& member) {
    auto& list = result_.assignment[member];
    list.push_back(tp);
    const auto from = revoked_.find(tp);
    const bool moves = from != revoked_.end() && from->second != member;
    if (moves || claims_.disputed.contains(tp)) result_.transferring[tp] = member;
    return list.size();
  }

  const StickyRacks& racks_;
  const StickyClaims& claims_;
  std::size_t min_quota_ = 0;
  std::size_t max_quota_ = 0;
  std::size_t expected_over_min_ = 0;
  std::size_t over_min_ = 0;
  std::vector<TopicPartition> unassigned_;
  std::set<TopicPartition> kept_;
  std::map<TopicPartition, std::string> revoked_;  // and from whom
  std::vector<std::string> under_min_;             // members that have less than the smallest share
  std::vector<std::string> at_min_;                // members that have it and may get one more
  StickyResult result_;
};

}  // namespace

StickyResult assignStickyEqual(const AssignableTopics& topics, const StickyRacks& racks,
                               const StickyClaims& claims) {
  return EqualPlan(topics, racks, claims).build();
}

}  // namespace millrace::client
