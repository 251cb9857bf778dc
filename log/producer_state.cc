#include "log/producer_state.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::log {
namespace {

bool follows(std::int32_t last_sequence, std::int32_t next) {
  return next == record::addToSequence(last_sequence, 1);
}

}  // namespace

std::int32_t ProducerBatch::firstSequence() const {
  if (last_sequence == record::kNoSequence) return record::kNoSequence;
  if (last_sequence >= offset_delta) return last_sequence - offset_delta;
  // The batch began below 2^31 and went on at 0.
  return static_cast<std::int32_t>(std::int64_t{last_sequence} - offset_delta + (1LL << 31));
}

void ProducerEntry::add(const ProducerBatch& batch) {
  if (count == kBatchesPerProducer) {
    std::ranges::move(batches.begin() + 1, batches.end(), batches.begin());
    --count;
  }
  batches[count++] = batch;
  last_timestamp = batch.timestamp;
}

void ProducerEntry::addOlder(const ProducerBatch& batch) {
  if (count == kBatchesPerProducer) return;
  std::ranges::move_backward(batches.begin(), batches.begin() + count, batches.begin() + count + 1);
  batches[0] = batch;
  ++count;
}

std::optional<ProducerState::Duplicate> ProducerState::findDuplicate(
    const record::BatchView& batch) const {
  const auto found = producers_.find(batch.producerId().value());
  if (found == producers_.end() || found->second.epoch != batch.producerEpoch())
    return std::nullopt;
  if (batch.baseSequence() == record::kNoSequence) return std::nullopt;
  const ProducerEntry& entry = found->second;
  for (std::size_t i = 0; i < entry.count; ++i) {
    const ProducerBatch& known = entry.batches[i];
    if (known.firstSequence() == batch.baseSequence() &&
        known.last_sequence == batch.lastSequence())
      return Duplicate{known.firstOffset(), known.last_offset, known.timestamp};
  }
  return std::nullopt;
}

Status ProducerState::checkData(const record::BatchView& batch, record::AppendOrigin origin) const {
  const std::int64_t id = batch.producerId().value();
  const auto found = producers_.find(id);
  const bool is_new = found == producers_.end();
  const std::int16_t epoch = is_new ? record::kNoProducerEpoch : found->second.epoch;
  if (batch.producerEpoch() < epoch && origin != record::AppendOrigin::kReplication)
    return fail(Errc::kInvalidProducerEpoch,
                fmt::format("producer {} has epoch {}, not {}", id, epoch, batch.producerEpoch()));
  if (is_new) return {};
  const ProducerEntry& entry = found->second;
  if (entry.current_txn_first_offset && !batch.isTransactional())
    return fail(Errc::kInvalidTxnState,
                fmt::format("producer {} has a transaction open and wrote outside of it", id));
  if (origin != record::AppendOrigin::kClient || entry.epoch == record::kNoProducerEpoch) return {};
  const std::int32_t first = batch.baseSequence();
  if (batch.producerEpoch() != entry.epoch) {
    if (first == 0) return {};
    return fail(Errc::kOutOfOrderSequenceNumber,
                fmt::format("producer {} begins epoch {} with sequence {}, not 0", id,
                            batch.producerEpoch(), first));
  }
  const ProducerBatch* last = entry.lastBatch();
  const std::int32_t last_sequence = last == nullptr ? record::kNoSequence : last->last_sequence;
  if (follows(last_sequence, first)) return {};
  return fail(Errc::kOutOfOrderSequenceNumber,
              fmt::format("producer {} sent sequence {} after {}", id, first, last_sequence));
}

Status ProducerState::checkMarker(const record::BatchView& batch,
                                  const record::EndTxnMarker& marker) const {
  const auto found = producers_.find(batch.producerId().value());
  if (found == producers_.end()) return {};
  const ProducerEntry& entry = found->second;
  if (batch.producerEpoch() < entry.epoch)
    return fail(Errc::kInvalidProducerEpoch,
                fmt::format("producer {} has epoch {}, its marker {}", batch.producerId().value(),
                            entry.epoch, batch.producerEpoch()));
  if (marker.coordinator_epoch < entry.coordinator_epoch)
    return fail(Errc::kTransactionCoordinatorFenced,
                fmt::format("a marker of coordinator epoch {} after one of {}",
                            marker.coordinator_epoch, entry.coordinator_epoch));
  return {};
}

void ProducerState::addData(const record::BatchView& batch, Offset first, Offset last,
                            std::int64_t max_timestamp) {
  ProducerEntry& entry = producers_[batch.producerId().value()];
  if (entry.epoch != batch.producerEpoch()) {
    entry.count = 0;
    entry.epoch = batch.producerEpoch();
  }
  entry.add({batch.lastSequence(), static_cast<std::int32_t>(last - first), last, max_timestamp});
  entry.active_ms = now_ms_;
  if (batch.isTransactional() && !entry.current_txn_first_offset) {
    entry.current_txn_first_offset = first;
    open_.emplace(first, batch.producerId());
  }
}

std::optional<AbortedTransaction> ProducerState::addMarker(const record::BatchView& batch,
                                                           Offset offset,
                                                           const record::EndTxnMarker& marker) {
  ProducerEntry& entry = producers_[batch.producerId().value()];
  if (entry.epoch != batch.producerEpoch()) {
    entry.count = 0;
    entry.epoch = batch.producerEpoch();
  }
  entry.coordinator_epoch = marker.coordinator_epoch;
  entry.last_timestamp = batch.maxTimestamp();
  entry.active_ms = now_ms_;
  if (!entry.current_txn_first_offset) return std::nullopt;
  const Offset first = *entry.current_txn_first_offset;
  entry.current_txn_first_offset.reset();
  open_.erase(first);
  ended_.push_back({first, offset});
  if (marker.type != record::ControlType::kAbort) return std::nullopt;
  // Stable once this one is decided: up to the next open transaction, or past the marker.
  const Offset stable = open_.empty() ? offset + 1 : std::min(open_.begin()->first, offset + 1);
  return AbortedTransaction{batch.producerId(), first, offset, stable};
}

std::optional<Offset> ProducerState::firstUnstableOffset() const {
  std::optional<Offset> first;
  if (!open_.empty()) first = open_.begin()->first;
  for (const EndedTransaction& txn : ended_)
    first = first ? std::min(*first, txn.first_offset) : txn.first_offset;
  return first;
}

void ProducerState::onHighWatermark(Offset high_watermark) {
  std::erase_if(ended_, [=](const EndedTransaction& t) { return t.last_offset < high_watermark; });
}

void ProducerState::expire(Millis now_ms, std::int64_t expiration_ms) {
  setNow(now_ms);
  std::erase_if(producers_, [=, this](const auto& item) {
    const ProducerEntry& entry = item.second;
    // Not the difference: a snapshot may hold any number.
    return !entry.current_txn_first_offset && entry.active_ms <= now_ms_ - expiration_ms;
  });
}

void ProducerState::onLogStart(Offset log_start) {
  std::erase_if(ended_, [=](const EndedTransaction& t) { return t.last_offset < log_start; });
}

void ProducerState::recall(const ProducerState& before) {
  for (auto& [id, entry] : producers_) {
    const auto found = before.producers_.find(id);
    if (found == before.producers_.end() || found->second.epoch != entry.epoch) continue;
    const ProducerEntry& older = found->second;
    for (std::size_t i = older.count; i-- > 0 && entry.count > 0;) {
      const ProducerBatch& oldest = entry.batches[0];
      if (older.batches[i].last_offset >= oldest.firstOffset()) continue;
      if (!follows(older.batches[i].last_sequence, oldest.firstSequence())) break;
      entry.addOlder(older.batches[i]);
    }
  }
}

void ProducerState::clear() {
  producers_.clear();
  open_.clear();
  ended_.clear();
}

std::vector<ProducerInfo> ProducerState::list() const {
  std::vector<ProducerInfo> out;
  for (const auto& [id, entry] : producers_) {
    const ProducerBatch last = entry.lastBatch() == nullptr ? ProducerBatch{} : *entry.lastBatch();
    out.push_back({.producer_id = ProducerId{id},
                   .epoch = entry.epoch,
                   .last_sequence = last.last_sequence,
                   .last_offset = last.last_offset,
                   .last_offset_delta = last.offset_delta,
                   .last_timestamp = entry.last_timestamp,
                   .coordinator_epoch = entry.coordinator_epoch,
                   .current_txn_first_offset = entry.current_txn_first_offset});
  }
  std::ranges::sort(out, {}, &ProducerInfo::producer_id);
  return out;
}

void ProducerState::addEntry(ProducerId id, const ProducerEntry& entry) {
  producers_[id.value()] = entry;
  if (entry.current_txn_first_offset) open_.emplace(*entry.current_txn_first_offset, id);
}

}  // namespace millrace::log
