#include "log/check/snapshot_check.h"

#include "log/producer_state.h"

#include <fmt/format.h>

namespace millrace::log::detail {

void SnapshotCheck::load(const LogFiles& files, const std::vector<Offset>& snapshots) {
  for (const Offset offset : snapshots) {
    const std::string path = files.path(offset, FileKind::kSnapshot);
    const auto bytes = files.system.readAll(path);
    if (!bytes) {
      report_.problem(path, std::nullopt, bytes.error());
      continue;
    }
    taken_.emplace_back(offset, path);
    ProducerState state;
    if (const Status loaded = state.loadSnapshot(*bytes); !loaded) {
      report_.problem(path, std::nullopt, loaded.error());
      continue;
    }
    for (const ProducerInfo& p : state.list()) {
      if (p.last_offset >= offset || p.current_txn_first_offset.value_or(Offset{-1}) >= offset)
        report_.problem(path, std::nullopt,
                        fmt::format("producer {} has offset {} in a snapshot taken at {}",
                                    p.producer_id.value(), p.last_offset.value(), offset.value()));
      else if (p.last_offset >= Offset{0})
        claims_.emplace(p.last_offset, Claim{path, p});
    }
  }
}

void SnapshotCheck::onData(const record::BatchView& batch) {
  auto at = claims_.lower_bound(batch.baseOffset());
  while (at != claims_.end() && at->first <= batch.lastOffset()) {
    check(at->second, batch);
    at = claims_.erase(at);
  }
}

void SnapshotCheck::check(const Claim& claim, const record::BatchView& batch) {
  const ProducerInfo& p = claim.producer;
  if (p.producer_id == batch.producerId() && p.last_offset == batch.lastOffset() &&
      p.epoch >= batch.producerEpoch() && p.last_sequence == batch.lastSequence())
    return;
  report_.problem(
      claim.file, std::nullopt,
      fmt::format("producer {} (epoch {}) wrote sequence {} at offset {}; the log has producer {} "
                  "(epoch {}), sequence {}, offsets {}-{} there",
                  p.producer_id.value(), p.epoch, p.last_sequence, p.last_offset.value(),
                  batch.producerId().value(), batch.producerEpoch(), batch.lastSequence(),
                  batch.baseOffset().value(), batch.lastOffset().value()));
}

void SnapshotCheck::finish(Offset log_end) {
  for (const auto& [offset, path] : taken_)
    if (offset > log_end)
      report_.problem(path, std::nullopt,
                      fmt::format("was taken above the end of the log, {}", log_end.value()));
}

}  // namespace millrace::log::detail
