// What compaction keeps: per record, per batch, per transaction. Pure decisions; compaction.cc
// moves the bytes.
#pragma once

#include "log/compaction.h"
#include "log/key_offset_map.h"
#include "record/records.h"

#include <map>
#include <set>
#include <vector>

namespace millrace::log {

/// Follows transactions while batches are read in order (Kafka's CleanedTransactionMetadata).
class TransactionFilter {
 public:
  explicit TransactionFilter(std::vector<AbortedTransaction> aborted);

  /// A data batch: true where it belongs to an aborted transaction.
  bool isAborted(const record::BatchView& batch);
  struct Marker {
    /// None of the transaction's records was met: the marker has nothing left to say.
    bool needless = false;
    /// The transaction to note in the new segment's index.
    std::optional<AbortedTransaction> aborted;
  };
  Marker marker(const record::BatchView& batch, record::ControlType type);

 private:
  struct Open {
    AbortedTransaction txn;
    bool met = false;
  };
  void openUpTo(Offset offset);

  std::vector<AbortedTransaction> aborted_;  // by first offset
  std::size_t next_ = 0;
  std::map<ProducerId, Open> open_aborted_;
  std::set<ProducerId> open_committed_;
};

/// What becomes of one batch.
struct BatchVerdict {
  /// No record of it is needed.
  bool drop_records = false;
  /// The header stays even without records: last batch of a producer, or of the range.
  bool keep_empty = false;
  /// A marker whose transaction is gone: it goes when this is set and over.
  bool needs_horizon = false;
  std::optional<AbortedTransaction> aborted;
};

class CompactionRules {
 public:
  CompactionRules(const CompactionPlan& plan, const KeyOffsetMap& map, Offset cleaned_to)
      : plan_(plan), map_(map), cleaned_to_(cleaned_to), transactions_(plan.aborted) {}

  /// Called for each batch in order. Errors: kInvalidRecord in a control batch.
  [[nodiscard]] Result<BatchVerdict> judge(const record::BatchView& batch);
  /// Takes out of a batch's records those that are not needed.
  void keepOnly(const record::BatchView& batch, std::vector<record::RecordView>& records);

 private:
  [[nodiscard]] bool keeps(const record::RecordView& record, const KeyOffsetMap::Hash& key,
                           bool tombstones) const;
  [[nodiscard]] bool isLastOfProducer(const record::BatchView& batch) const;
  /// Kept, so that no segment ends short of the next one: recovery takes such a hole for lost
  /// pages.
  [[nodiscard]] bool isLastOfSegment(const record::BatchView& batch) const;

  const CompactionPlan& plan_;
  const KeyOffsetMap& map_;
  Offset cleaned_to_;
  TransactionFilter transactions_;
  std::vector<KeyOffsetMap::Hash> hashes_;
};

}  // namespace millrace::log
