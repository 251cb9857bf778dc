// Incremental fetch sessions (KIP-227): what to say to one broker so that it need not be told
// everything each time. Pure.
#pragma once

#include "base/errc.h"
#include "base/uuid.h"
#include "client/record.h"

#include <map>
#include <string>
#include <vector>

namespace millrace::client {

/// What the consumer wants of one partition.
struct FetchWish {
  Uuid topic_id;
  std::int64_t offset = 0;
  std::int32_t leader_epoch = -1;
  std::int32_t max_bytes = 1 << 20;
  friend bool operator==(const FetchWish&, const FetchWish&) = default;
};
using FetchWishes = std::map<TopicPartition, FetchWish>;

/// What goes into the request.
struct FetchPlan {
  std::int32_t session_id = 0;
  std::int32_t session_epoch = 0;
  FetchWishes to_send;  ///< all, or what changed
  std::map<TopicPartition, Uuid> forgotten;
  bool by_id = true;  ///< every topic has an id: version 13 and up will do
};

/// One per broker and consumer. plan(), then exactly one of onAnswer() and onFailure().
class FetchSession {
 public:
  FetchPlan plan(const FetchWishes& wishes);
  /// Takes note of the answer's error and session. False: the answer is void, fetch again (in
  /// full).
  bool onAnswer(Errc error, std::int32_t session_id);
  /// No answer: the broker may or may not have taken the request; the session starts anew.
  void onFailure();
  /// Every partition the broker currently remembers for us; an answer names only some of them.
  [[nodiscard]] const FetchWishes& partitions() const { return told_; }

 private:
  std::int32_t session_id_ = 0;
  std::int32_t epoch_ = 0;  // 0: full request
  FetchWishes told_;
  bool by_id_ = true;
};

}  // namespace millrace::client
