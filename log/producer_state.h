// What a partition knows of its idempotent and transactional producers (Kafka's
// ProducerStateManager).
#pragma once

#include "base/clock.h"
#include "log/types.h"
#include "record/batch.h"
#include "record/records.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

namespace millrace::log {

/// Batches remembered per producer: as many as a producer may have in flight.
inline constexpr std::size_t kBatchesPerProducer = 5;

struct ProducerBatch {
  std::int32_t last_sequence = record::kNoSequence;
  std::int32_t offset_delta = 0;
  Offset last_offset{-1};
  std::int64_t timestamp = -1;
  [[nodiscard]] std::int32_t firstSequence() const;
  [[nodiscard]] Offset firstOffset() const { return last_offset - offset_delta; }
};

/// One producer. Plain data: the rules are ProducerState's.
struct ProducerEntry {
  std::array<ProducerBatch, kBatchesPerProducer> batches;
  std::int64_t last_timestamp = -1;
  Millis active_ms = 0;  ///< wall clock of its last sign of life here
  std::optional<Offset> current_txn_first_offset;
  std::int32_t coordinator_epoch = -1;
  std::int16_t epoch = record::kNoProducerEpoch;
  std::uint8_t count = 0;

  [[nodiscard]] const ProducerBatch* lastBatch() const {
    return count == 0 ? nullptr : &batches[count - 1U];
  }
  void add(const ProducerBatch& batch);
  /// In front of the oldest one, where there is room.
  void addOlder(const ProducerBatch& batch);
};

/// A producer in a .snapshot file, with its newest batch only.
struct SnapshotEntry {
  ProducerId id;
  ProducerEntry producer;
};
/// The producers of a snapshot's bytes, in the file's order. Errors: kCorruptData.
[[nodiscard]] Result<std::vector<SnapshotEntry>> readSnapshot(BytesView bytes);

/// Sequences, duplicates, epochs and open transactions of one partition. Decides and remembers;
/// writes nothing itself.
class ProducerState {
 public:
  /// An append that was there before.
  struct Duplicate {
    Offset first_offset;
    Offset last_offset;
    std::int64_t timestamp = -1;
  };

  /// Whether the batch is one of the producer's last five.
  [[nodiscard]] std::optional<Duplicate> findDuplicate(const record::BatchView& batch) const;
  /// Whether a data batch may follow: sequences of clients, epochs of all that a leader appends
  /// (Kafka's ProducerAppendInfo). Errors: kOutOfOrderSequenceNumber, kInvalidProducerEpoch,
  /// kInvalidTxnState.
  [[nodiscard]] Status checkData(const record::BatchView& batch, record::AppendOrigin origin) const;
  /// Whether a leader may append a transaction marker. Errors: kInvalidProducerEpoch,
  /// kTransactionCoordinatorFenced.
  [[nodiscard]] Status checkMarker(const record::BatchView& batch,
                                   const record::EndTxnMarker& marker) const;

  /// Remembers an appended data batch; `first` and `last` are its offsets, `max_timestamp` its own.
  void addData(const record::BatchView& batch, Offset first, Offset last,
               std::int64_t max_timestamp);
  /// Remembers a marker at `offset`. Returns the transaction where it aborted one.
  std::optional<AbortedTransaction> addMarker(const record::BatchView& batch, Offset offset,
                                              const record::EndTxnMarker& marker);

  /// The first offset that a transaction holds back: open, or ended above the high watermark.
  [[nodiscard]] std::optional<Offset> firstUnstableOffset() const;
  /// Forgets ended transactions below the high watermark.
  void onHighWatermark(Offset high_watermark);
  /// The wall clock. A producer is active when something of it is appended, or found behind the
  /// snapshot at a start. Its records' timestamps say nothing of that: they may lie years back, and
  /// a producer that is forgotten while it retries writes twice.
  void setNow(Millis now_ms) { now_ms_ = std::max(now_ms_, now_ms); }
  /// Forgets producers without an open transaction that were silent longer than this.
  void expire(Millis now_ms, std::int64_t expiration_ms);
  /// Drops ended transactions that the log start offset has left behind. Open ones stay: what
  /// comes next of them is not decided yet.
  void onLogStart(Offset log_start);

  /// Remembers of each producer what `before` knows of the batches in front of those known here: a
  /// snapshot holds the newest one only.
  void recall(const ProducerState& before);

  void clear();
  [[nodiscard]] bool empty() const { return producers_.empty(); }
  [[nodiscard]] std::vector<ProducerInfo> list() const;

  /// A .snapshot file's bytes. A producer's timestamp there is its newest record's (Kafka's rule)
  /// or when it was active, whichever is later.
  [[nodiscard]] Bytes encodeSnapshot() const;
  /// Replaces everything. Errors: kCorruptData.
  [[nodiscard]] Status loadSnapshot(BytesView bytes);

 private:
  struct EndedTransaction {
    Offset first_offset;
    Offset last_offset;
  };
  void addEntry(ProducerId id, const ProducerEntry& entry);

  std::unordered_map<std::int64_t, ProducerEntry> producers_;
  /// First offset of each open transaction.
  std::map<Offset, ProducerId> open_;
  std::vector<EndedTransaction> ended_;
  Millis now_ms_ = 0;
};

}  // namespace millrace::log
