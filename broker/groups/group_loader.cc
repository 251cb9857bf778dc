#include "broker/groups/group_loader.h"

#include "record/batch.h"
#include "record/records.h"

namespace millrace::broker {

Status GroupLoader::load(BytesView batches) {
  record::BatchIterator iterator(batches);
  record::BatchView batch;
  while (iterator.next(batch)) {
    MILLRACE_CHECK_OK(batch.checkCrc());
    MILLRACE_CHECK_OK(batch.isControl() ? endTransaction(batch.bytes()) : loadBatch(batch.bytes()));
  }
  return iterator.status();
}

Status GroupLoader::endTransaction(BytesView bytes) {
  MILLRACE_TRY(const record::BatchView batch, record::BatchView::parse(bytes));
  if (!batch.isTransactional()) return {};
  Bytes scratch;
  MILLRACE_TRY(record::RecordCursor cursor, record::openRecords(batch, scratch));
  record::RecordView r;
  while (cursor.next(r)) {
    MILLRACE_TRY(const record::EndTxnMarker marker, record::parseEndTxnMarker(r));
    const auto pending = pending_.find(batch.producerId().value());
    if (pending == pending_.end()) continue;
    if (marker.type == record::ControlType::kCommit) {
      for (const Pending& p : pending->second) offsets_.restore(p.offset, p.record_offset);
    }
    pending_.erase(pending);
  }
  return cursor.status();
}

Status GroupLoader::loadBatch(BytesView bytes) {
  MILLRACE_TRY(const record::BatchView batch, record::BatchView::parse(bytes));
  Bytes scratch;
  MILLRACE_TRY(record::RecordCursor cursor, record::openRecords(batch, scratch));
  record::RecordView r;
  while (cursor.next(r)) {
    ++records_;
    if (!r.key) return fail(Errc::kCorruptData, "a record of __consumer_offsets without a key");
    MILLRACE_TRY(LoadedRecord loaded, parseGroupRecord(*r.key, r.value));
    if (auto* offset = std::get_if<LoadedOffset>(&loaded)) {
      if (batch.isTransactional()) {
        pending_[batch.producerId().value()].push_back({std::move(*offset), r.offset.value()});
      } else {
        offsets_.restore(*offset, r.offset.value());
      }
    } else if (auto* group = std::get_if<LoadedGroup>(&loaded)) {
      if (group->group) {
        groups_.restore(std::move(*group->group));
      } else {
        offsets_.eraseGroup(group->group_id);
      }
    }
  }
  return cursor.status();
}

}  // namespace millrace::broker
