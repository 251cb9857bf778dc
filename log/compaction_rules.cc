#include "log/compaction_rules.h"

#include <algorithm>

namespace millrace::log {

TransactionFilter::TransactionFilter(std::vector<AbortedTransaction> aborted)
    : aborted_(std::move(aborted)) {
  std::ranges::sort(aborted_, {}, &AbortedTransaction::first_offset);
}

void TransactionFilter::openUpTo(Offset offset) {
  for (; next_ < aborted_.size() && aborted_[next_].first_offset <= offset; ++next_)
    open_aborted_.insert_or_assign(aborted_[next_].producer_id, Open{aborted_[next_]});
}

bool TransactionFilter::isAborted(const record::BatchView& batch) {
  openUpTo(batch.lastOffset());
  if (!batch.isTransactional()) return false;
  const auto found = open_aborted_.find(batch.producerId());
  if (found == open_aborted_.end()) {
    open_committed_.insert(batch.producerId());
    return false;
  }
  found->second.met = true;
  return true;
}

TransactionFilter::Marker TransactionFilter::marker(const record::BatchView& batch,
                                                    record::ControlType type) {
  openUpTo(batch.lastOffset());
  if (type == record::ControlType::kCommit)
    return {.needless = open_committed_.erase(batch.producerId()) == 0};
  if (type != record::ControlType::kAbort) return {};
  const auto found = open_aborted_.find(batch.producerId());
  if (found == open_aborted_.end()) return {.needless = true};
  const Open open = found->second;
  open_aborted_.erase(found);
  if (!open.met) return {.needless = true};
  return {.aborted = open.txn};
}

bool CompactionRules::isLastOfProducer(const record::BatchView& batch) const {
  if (!batch.hasProducerId()) return false;
  const auto found = plan_.producers.find(batch.producerId());
  if (found == plan_.producers.end()) return false;
  const auto& last = found->second;
  if (last.last_data_offset >= Offset{0}) return batch.lastOffset() == last.last_data_offset;
  return batch.isControl() && batch.producerEpoch() == last.epoch;
}

bool CompactionRules::isLastOfSegment(const record::BatchView& batch) const {
  return batch.nextOffset() == plan_.end ||
         std::ranges::binary_search(plan_.sources, batch.nextOffset(), {},
                                    &CompactionPlan::Source::base);
}

Result<BatchVerdict> CompactionRules::judge(const record::BatchView& batch) {
  BatchVerdict verdict;
  verdict.keep_empty =
      isLastOfProducer(batch) || batch.nextOffset() == cleaned_to_ || isLastOfSegment(batch);
  if (!batch.isControl()) {
    // Above the end nothing is decided for good, though its segment may be copied.
    verdict.drop_records = transactions_.isAborted(batch) && batch.baseOffset() < plan_.end;
    return verdict;
  }
  Bytes scratch;
  MILLRACE_TRY(record::RecordCursor cursor, record::openRecords(batch, scratch));
  record::RecordView record;
  if (!cursor.next(record)) return verdict;  // emptied by an earlier run
  const auto type = record::parseControlKey(record.key);
  if (!type) return verdict;  // not understood, so not dropped
  const auto marker = transactions_.marker(batch, *type);
  verdict.aborted = marker.aborted;
  if (batch.baseOffset() >= plan_.end) return verdict;
  const auto horizon = batch.deleteHorizonMs();
  verdict.drop_records = marker.needless && horizon && *horizon <= plan_.now_ms;
  verdict.needs_horizon = marker.needless && !horizon;
  return verdict;
}

void CompactionRules::keepOnly(const record::BatchView& batch,
                               std::vector<record::RecordView>& records) {
  if (batch.isControl()) return;
  // All keys are hashed before the first is looked up: the map comes from memory meanwhile.
  hashes_.clear();
  for (const auto& record : records) {
    hashes_.push_back(record.key ? map_.hash(*record.key) : KeyOffsetMap::Hash{});
    map_.prefetch(hashes_.back());
  }
  const auto horizon = batch.deleteHorizonMs();
  const bool tombstones = !horizon || plan_.now_ms < *horizon;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < records.size(); ++i)
    if (keeps(records[i], hashes_[i], tombstones)) records[kept++] = records[i];
  records.resize(kept);
}

bool CompactionRules::keeps(const record::RecordView& record, const KeyOffsetMap::Hash& key,
                            bool tombstones) const {
  if (record.offset >= cleaned_to_) return true;
  if (!record.key || record.offset < map_.get(key)) return false;
  return record.value.has_value() || tombstones;
}

}  // namespace millrace::log
