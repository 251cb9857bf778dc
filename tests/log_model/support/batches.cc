// Batches: drawn at random, as bytes, as text.
#include "tests/log_model/support/batches.h"

#include "record/builder.h"
#include "tests/log_model/support/world.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::log::test {

Bytes encode(const ModelBatch& batch) {
  if (batch.marker)
    return record::buildEndTxnMarker(batch.producer_id, batch.producer_epoch, *batch.marker,
                                     batch.records[0].timestamp);
  record::BatchBuilder builder({.producer_id = batch.producer_id,
                                .producer_epoch = batch.producer_epoch,
                                .base_sequence = batch.base_sequence,
                                .transactional = batch.transactional});
  for (std::size_t i = 0; i < batch.records.size(); ++i) {
    const ModelRecord& r = batch.records[i];
    if (r.absent) continue;
    builder.appendAt(Offset{static_cast<std::int64_t>(i)}, r.timestamp,
                     r.key ? std::optional<BytesView>(*r.key) : std::nullopt,
                     r.value ? std::optional<BytesView>(*r.value) : std::nullopt);
  }
  builder.setLastOffset(Offset{static_cast<std::int64_t>(batch.records.size()) - 1});
  return *builder.build();
}

std::string describe(const ModelBatch& batch) {
  std::string out = fmt::format("  offset {}:", batch.base.value());
  for (const ModelRecord& r : batch.records)
    out += " " + r.key.value_or("null") + (r.value ? "" : " deleted");
  if (batch.producer_id >= ProducerId{0})
    out += fmt::format(", producer {} epoch {} sequence {}", batch.producer_id.value(),
                       batch.producer_epoch, batch.base_sequence);
  if (batch.transactional) out += ", transactional";
  if (batch.marker) out += fmt::format(", marker {}", static_cast<int>(batch.marker->type));
  return out;
}

ModelBatch World::randomBatch(Tracked& t, bool keyed) {
  ModelBatch batch;
  const auto count = 1 + random_.below(chance(4) ? 12 : 3);
  const std::size_t longest = chance(12) ? 3500 / count : 60;
  for (std::uint64_t i = 0; i < count; ++i) {
    ModelRecord record{.timestamp = clock_.wallMs() - random_.between(0, 300)};
    if (keyed || t.config.cleanup_compact || chance(2))
      record.key = "k" + std::to_string(random_.below(7));
    if (!chance(8)) {
      record.value = fmt::format("v{}-", value_counter_++);
      record.value->append(random_.below(longest), 'x');
    }
    batch.records.push_back(std::move(record));
  }
  return batch;
}

ModelBatch World::producersBatch(Tracked& t, std::int64_t first_id) {
  ModelBatch batch = randomBatch(t, false);
  batch.producer_id = ProducerId{first_id + static_cast<std::int64_t>(random_.below(3))};
  const auto known = t.model.producers()[batch.producer_id];
  batch.producer_epoch = std::max<std::int16_t>(known.epoch, 0);
  batch.base_sequence = known.next_sequence;
  return batch;
}

ModelBatch World::idempotentBatch(Tracked& t) {
  ModelBatch batch = producersBatch(t, 10);
  if (chance(10)) {
    ++batch.producer_epoch;
    batch.base_sequence = 0;
  }
  return batch;
}

ModelBatch World::transactionalBatch(Tracked& t) {
  ModelBatch batch = producersBatch(t, 20);
  batch.transactional = true;
  return batch;
}

std::optional<ModelBatch> World::randomMarker(Tracked& t) {
  for (const auto& [id, producer] : t.model.producers()) {
    if (!producer.transaction || chance(3)) continue;
    ModelBatch batch;
    batch.producer_id = id;
    // Transactions of the second version end with the next epoch (KIP-890).
    batch.producer_epoch = static_cast<std::int16_t>(producer.epoch + (chance(2) ? 1 : 0));
    batch.transactional = true;
    batch.marker = record::EndTxnMarker{
        chance(2) ? record::ControlType::kAbort : record::ControlType::kCommit, 3};
    batch.records.push_back({.timestamp = clock_.wallMs()});
    return batch;
  }
  return std::nullopt;
}

}  // namespace millrace::log::test
