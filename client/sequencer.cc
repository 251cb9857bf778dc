#include "client/sequencer.h"

#include "base/assert.h"
#include "record/batch.h"

#include <algorithm>

namespace millrace::client {

PartitionSequencer::Entry PartitionSequencer::start(std::int32_t count, ProducerIdentity current) {
  MILLRACE_ASSERT(mayStartNew(), "a batch waits to be sent again");
  if (entries_.empty() && identity_ != current) {
    identity_ = current;
    next_sequence_ = 0;
    last_acked_offset_ = -1;
    introduced_ = false;
  }
  Entry entry;
  entry.ticket = next_ticket_++;
  entry.count = count;
  entry.identity = identity_;
  entry.in_network = true;
  if (identity_.id >= 0) {
    entry.base_sequence = next_sequence_;
    entry.sent_sequence = next_sequence_;
    next_sequence_ = record::addToSequence(next_sequence_, count);
  }
  entries_.push_back(entry);
  return entry;
}

bool PartitionSequencer::mayStartNew() const {
  if (needs_rename_) return false;
  // A broker takes any number from a producer that it does not know. If the first batch got lost
  // and the second one did not, the first would be refused from then on, and stand behind the
  // second once it is renamed.
  if (identity_.id >= 0 && !introduced_ && !entries_.empty()) return false;
  return std::all_of(entries_.begin(), entries_.end(), [](const Entry& e) { return e.in_network; });
}

std::optional<PartitionSequencer::Ticket> PartitionSequencer::retryable() const {
  if (needs_rename_ || entries_.empty() || entries_.front().in_network) return std::nullopt;
  return entries_.front().ticket;
}

PartitionSequencer::Entry PartitionSequencer::restart(Ticket ticket) {
  const auto it = find(ticket);
  it->in_network = true;
  it->sent_sequence = it->base_sequence;
  return *it;
}

Verdict PartitionSequencer::answered(Ticket ticket, Errc error, std::int64_t base_offset,
                                     std::int64_t log_start_offset) {
  const auto it = find(ticket);
  const auto index = static_cast<std::size_t>(it - entries_.begin());
  it->in_network = false;
  // A duplicate is in the log already; the broker no longer knows where (Kafka's
  // Sender.completeBatch).
  if (error == Errc::kNone || error == Errc::kDuplicateSequenceNumber) {
    if (base_offset >= 0) last_acked_offset_ = base_offset + it->count - 1;
    introduced_ = true;
    entries_.erase(it);
    return Verdict::kDone;
  }
  const bool idempotent = it->identity.id >= 0;
  if (idempotent && error == Errc::kOutOfOrderSequenceNumber) {
    // The ones before it are on their way again, or it was renumbered while it was out.
    if (index > 0 || it->sent_sequence != it->base_sequence) return Verdict::kRetry;
    needs_rename_ = true;
    return Verdict::kRetryRenamed;
  }
  if (idempotent && error == Errc::kUnknownProducerId) {
    // Retention has removed what the broker knew of us. Without a log start offset nobody can tell:
    // again.
    if (log_start_offset < 0 && last_acked_offset_ < 0) return Verdict::kRetry;
    needs_rename_ = true;
    return Verdict::kRetryRenamed;
  }
  if (idempotent && error == Errc::kInvalidProducerEpoch) {
    needs_rename_ = true;
    return Verdict::kRetryRenamed;
  }
  if (isRetriable(error)) return Verdict::kRetry;
  const std::int32_t freed = it->base_sequence;
  entries_.erase(it);
  if (idempotent) renumberFrom(index, freed);
  return Verdict::kFail;
}

void PartitionSequencer::abandon(Ticket ticket, bool maybe_appended) {
  const auto it = find(ticket);
  MILLRACE_ASSERT(!it->in_network, "the batch is in the network");
  const auto index = static_cast<std::size_t>(it - entries_.begin());
  const bool idempotent = it->identity.id >= 0;
  const std::int32_t freed = it->base_sequence;
  entries_.erase(it);
  if (!idempotent) return;
  if (maybe_appended) {
    needs_rename_ = true;
  } else {
    renumberFrom(index, freed);
  }
}

void PartitionSequencer::rename(ProducerIdentity fresh) {
  MILLRACE_ASSERT(!anyInNetwork(), "batches of the old name are in the network");
  identity_ = fresh;
  last_acked_offset_ = -1;
  introduced_ = false;
  needs_rename_ = false;
  renumberFrom(0, 0);
}

bool PartitionSequencer::anyInNetwork() const {
  return std::any_of(entries_.begin(), entries_.end(), [](const Entry& e) { return e.in_network; });
}

std::deque<PartitionSequencer::Entry>::iterator PartitionSequencer::find(Ticket ticket) {
  const auto it = std::find_if(entries_.begin(), entries_.end(),
                               [&](const Entry& e) { return e.ticket == ticket; });
  MILLRACE_ASSERT(it != entries_.end(), "unknown ticket");
  return it;
}

void PartitionSequencer::renumberFrom(std::size_t index, std::int32_t sequence) {
  for (std::size_t i = index; i < entries_.size(); ++i) {
    entries_[i].identity = identity_;
    entries_[i].base_sequence = sequence;
    sequence = record::addToSequence(sequence, entries_[i].count);
  }
  next_sequence_ = sequence;
}

}  // namespace millrace::client
