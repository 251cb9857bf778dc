// Sequence numbers of an idempotent producer (KIP-98, KIP-360): what the batches of one partition
// are called, and what an answer means for them. Pure.
#pragma once

#include "base/errc.h"

#include <cstdint>
#include <deque>
#include <optional>

namespace millrace::client {

/// Who a producer is to the brokers. id -1: no identity (idempotence off, or not asked yet).
struct ProducerIdentity {
  std::int64_t id = -1;
  std::int16_t epoch = -1;
  friend bool operator==(const ProducerIdentity&, const ProducerIdentity&) = default;
};

/// What to do with a batch after its answer.
enum class Verdict : std::uint8_t {
  kDone,          ///< it is in the log, once
  kRetry,         ///< send it again under the same name
  kRetryRenamed,  ///< send it again after the identity has changed (the broker's memory and ours
                  ///< differ)
  kFail,          ///< give it up
};

/// The unacknowledged batches of one partition in order. A batch keeps its sequence over retries; a
/// batch that failed is sent again only when it is the first of all, so that order holds whatever
/// the network does.
class PartitionSequencer {
 public:
  using Ticket = std::uint64_t;
  struct Entry {
    Ticket ticket = 0;
    std::int32_t base_sequence = -1;
    std::int32_t sent_sequence = -1;  ///< as it last went out; differs after a renumbering
    std::int32_t count = 0;
    ProducerIdentity identity;
    bool in_network = false;
  };

  /// Names a new batch and puts it behind the others, as in the network. Only where mayStartNew().
  /// Takes over `current` first when no batch is unacknowledged.
  Entry start(std::int32_t count, ProducerIdentity current);
  /// Whether a batch that was never sent may go now: nothing waits to be sent again, and the broker
  /// knows this producer's name (until then one batch at a time).
  [[nodiscard]] bool mayStartNew() const;
  /// The batch that may be sent again now: the first of all, if it is not in the network.
  [[nodiscard]] std::optional<Ticket> retryable() const;
  /// Takes it back into the network and tells its name.
  Entry restart(Ticket ticket);

  /// Judges an answer and updates the state. `log_start_offset` as in the answer, -1 unknown. After
  /// kDone or kFail the ticket is gone; a failed batch's followers move up into its numbers,
  /// because the broker has not seen it. kFail with `uncertain` (nobody knows whether the broker
  /// has it): needsRename() becomes true instead.
  Verdict answered(Ticket ticket, Errc error, std::int64_t base_offset,
                   std::int64_t log_start_offset);
  /// Gives up a batch that is not in the network (delivery time is over). `maybe_appended`: an
  /// earlier attempt may have reached the log.
  void abandon(Ticket ticket, bool maybe_appended);

  /// True where names must change before anything else is sent: take a new identity, then rename().
  [[nodiscard]] bool needsRename() const { return needs_rename_; }
  /// Renumbers all unacknowledged batches from 0 under `fresh`. Only when none is in the network.
  void rename(ProducerIdentity fresh);
  [[nodiscard]] bool anyInNetwork() const;
  [[nodiscard]] const std::deque<Entry>& unacknowledged() const { return entries_; }
  [[nodiscard]] const ProducerIdentity& identity() const { return identity_; }

 private:
  std::deque<Entry>::iterator find(Ticket ticket);
  void renumberFrom(std::size_t index, std::int32_t sequence);

  std::deque<Entry> entries_;
  ProducerIdentity identity_;
  std::int32_t next_sequence_ = 0;
  std::int64_t last_acked_offset_ = -1;
  Ticket next_ticket_ = 1;
  bool introduced_ = false;  ///< the broker has acknowledged something under this identity
  bool needs_rename_ = false;
};

}  // namespace millrace::client
