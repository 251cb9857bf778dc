#include "client/fetch_session.h"

#include <limits>

namespace millrace::client {

FetchPlan FetchSession::plan(const FetchWishes& wishes) {
  FetchPlan plan;
  for (const auto& [tp, wish] : wishes) plan.by_id = plan.by_id && !wish.topic_id.isZero();
  // A session speaks either of names or of ids: a change closes it (KIP-516).
  if (plan.by_id != by_id_) epoch_ = 0;
  by_id_ = plan.by_id;
  plan.session_id = session_id_;
  plan.session_epoch = epoch_;
  if (epoch_ == 0) {
    plan.to_send = wishes;
    told_ = wishes;
    return plan;
  }
  for (const auto& [tp, wish] : wishes) {
    const auto known = told_.find(tp);
    if (known != told_.end() && known->second == wish) continue;
    // The same name under another id is another topic: the old one is forgotten.
    if (known != told_.end() && known->second.topic_id != wish.topic_id) {
      plan.forgotten[tp] = known->second.topic_id;
    }
    plan.to_send[tp] = wish;
  }
  for (const auto& [tp, wish] : told_) {
    if (!wishes.contains(tp)) plan.forgotten[tp] = wish.topic_id;
  }
  told_ = wishes;
  return plan;
}

bool FetchSession::onAnswer(Errc error, std::int32_t session_id) {
  if (error != Errc::kNone) {
    if (error == Errc::kFetchSessionIdNotFound) session_id_ = 0;
    epoch_ = 0;  // with the old id: the broker closes what it has (Kafka's nextCloseExisting)
    return false;
  }
  if (session_id == 0) {  // the broker keeps no session for us
    session_id_ = 0;
    epoch_ = 0;
    return true;
  }
  session_id_ = session_id;
  epoch_ = epoch_ == std::numeric_limits<std::int32_t>::max() ? 1 : epoch_ + 1;
  return true;
}

void FetchSession::onFailure() { epoch_ = 0; }

}  // namespace millrace::client
