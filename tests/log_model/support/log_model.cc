#include "tests/log_model/support/log_model.h"

#include "log/producer_state.h"

#include <algorithm>

namespace millrace::log::test {

Offset LogModel::end() const { return batches.empty() ? origin : batches.back().last + 1; }

bool LogModel::isBoundary(Offset offset) const {
  if (offset == end()) return true;
  const ModelBatch* batch = batchAt(offset);
  if (batch != nullptr) return batch->base == offset;
  return std::ranges::any_of(batches, [&](const auto& b) { return b.last + 1 == offset; });
}

const ModelBatch* LogModel::batchAt(Offset offset) const {
  const auto found = std::ranges::lower_bound(batches, offset, {}, &ModelBatch::last);
  return found == batches.end() || found->base > offset ? nullptr : &*found;
}

void LogModel::cut(Offset offset) {
  while (!batches.empty() && batches.back().base >= offset) batches.pop_back();
  synced = std::min(synced, end());
  closed_at = std::min(closed_at, end());
  high_watermark = std::min(high_watermark, end());
}

void LogModel::restartAt(Offset offset) {
  batches.clear();
  origin = start = high_watermark = synced = offset;
  compacted_to = Offset{0};
}

std::vector<ModelTransaction> LogModel::transactions() const {
  std::vector<ModelTransaction> all;
  for (const ModelBatch& batch : batches) {
    const auto open = std::ranges::find_if(
        all, [&](const auto& t) { return t.producer_id == batch.producer_id && !t.end; });
    if (batch.marker) {
      if (open == all.end()) continue;
      open->end = batch.base;
      open->aborted = batch.marker->type == record::ControlType::kAbort;
    } else if (batch.transactional && open == all.end()) {
      all.push_back({batch.producer_id, batch.base, std::nullopt});
    }
  }
  return all;
}

std::map<ProducerId, ModelProducer> LogModel::producers() const {
  std::map<ProducerId, ModelProducer> all;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const ModelBatch& batch = batches[i];
    if (batch.producer_id < ProducerId{0}) continue;
    ModelProducer& producer = all[batch.producer_id];
    if (producer.epoch != batch.producer_epoch) {
      producer = {};
      producer.epoch = batch.producer_epoch;
    }
    if (batch.marker) {
      producer.transaction.reset();
      continue;
    }
    producer.next_sequence =
        record::addToSequence(batch.base_sequence, static_cast<std::int32_t>(batch.records.size()));
    if (batch.transactional && !producer.transaction) producer.transaction = batch.base;
    producer.last.push_back(i);
    if (producer.last.size() > kBatchesPerProducer) producer.last.erase(producer.last.begin());
  }
  return all;
}

bool LogModel::lastBatchMayBeGone(ProducerId id) const {
  const auto all = producers();
  const auto found = all.find(id);
  if (found == all.end() || found->second.last.empty()) return false;
  const ModelBatch& batch = batches[found->second.last.back()];
  return batch.base < furthest_start ||
         std::ranges::all_of(batch.records, [](const auto& r) { return r.may_be_gone; });
}

bool LogModel::mayBeGone(Offset from, Offset to) const {
  return std::ranges::all_of(batches, [&](const ModelBatch& batch) {
    return batch.last < from || batch.base >= to ||
           std::ranges::all_of(batch.records, [](const auto& r) { return r.may_be_gone; });
  });
}

std::vector<EpochEntry> LogModel::epochs() const {
  std::vector<EpochEntry> all;
  for (const ModelBatch& batch : batches) {
    if (batch.last < start) continue;
    if (all.empty() || all.back().epoch < batch.leader_epoch)
      all.push_back({batch.leader_epoch, std::max(batch.base, start)});
  }
  return all;
}

Offset LogModel::endOfEpoch(LeaderEpoch wanted) const {
  const auto later = std::ranges::find_if(
      batches, [wanted](const ModelBatch& batch) { return batch.leader_epoch > wanted; });
  return later == batches.end() ? end() : later->base;
}

Offset LogModel::lastStable(bool surely) const {
  Offset stable = high_watermark;
  for (const ModelTransaction& txn : transactions()) {
    if (surely && mayBeGone(txn.first, txn.first + 1)) continue;
    if (!txn.end || *txn.end >= high_watermark) stable = std::min(stable, txn.first);
  }
  return std::max(stable, start);
}

void LogModel::compact(Offset limit) {
  compacted_to = std::max(compacted_to, limit);
  const auto all = transactions();
  const auto aborted = [&](const ModelBatch& batch) {
    return batch.transactional && std::ranges::any_of(all, [&](const auto& t) {
             return t.aborted && t.producer_id == batch.producer_id && t.first <= batch.base &&
                    batch.base < *t.end;
           });
  };
  std::map<std::string, Offset> newest;
  for (const ModelBatch& batch : batches) {
    if (batch.base >= limit || batch.marker || aborted(batch)) continue;
    for (std::size_t i = 0; i < batch.records.size(); ++i)
      newest[batch.records[i].key.value_or("")] = batch.base + static_cast<std::int64_t>(i);
  }
  for (ModelBatch& batch : batches) {
    if (batch.base >= limit) break;
    const bool whole = batch.marker || aborted(batch);
    for (std::size_t i = 0; i < batch.records.size(); ++i) {
      ModelRecord& record = batch.records[i];
      const Offset offset = batch.base + static_cast<std::int64_t>(i);
      if (whole || !record.value || newest[record.key.value_or("")] > offset)
        record.may_be_gone = true;
    }
  }
}

}  // namespace millrace::log::test
