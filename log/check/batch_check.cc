#include "log/check/batch_check.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::log::detail {
namespace {

Status checkHeader(const record::BatchView& batch) {
  const auto bad = [](std::string why) { return fail(Errc::kCorruptData, std::move(why)); };
  MILLRACE_CHECK_OK(batch.checkCrc());
  if (batch.lastOffsetDelta() < 0 || batch.baseOffset() < Offset{0})
    return bad(
        fmt::format("offsets {} to {}", batch.baseOffset().value(), batch.lastOffset().value()));
  if (batch.recordCount() < 0 || batch.recordCount() - 1 > batch.lastOffsetDelta())
    return bad(fmt::format("{} records in offsets {} to {}", batch.recordCount(),
                           batch.baseOffset().value(), batch.lastOffset().value()));
  if (batch.isControl() && batch.recordCount() > 1 && batch.isTransactional())
    return bad(fmt::format("a transaction marker of {} records", batch.recordCount()));
  if (batch.isTransactional() && !batch.hasProducerId())
    return bad("a transactional batch without a producer");
  return {};
}

}  // namespace

Result<CheckedBatch> checkBatch(const record::BatchView& batch, Bytes& scratch) {
  MILLRACE_CHECK_OK(checkHeader(batch));
  CheckedBatch out;
  if (batch.recordCount() == 0 && batch.payload().empty()) return out;
  MILLRACE_TRY(record::RecordCursor cursor, record::openRecords(batch, scratch));
  record::RecordView record;
  Offset last = batch.baseOffset() - 1;
  std::int64_t newest = record::kNoTimestamp;
  while (cursor.next(record)) {
    if (record.offset <= last || record.offset > batch.lastOffset())
      return fail(Errc::kCorruptData,
                  fmt::format("record {} stands behind {} in a batch of offsets {}-{}",
                              record.offset.value(), last.value(), batch.baseOffset().value(),
                              batch.lastOffset().value()));
    last = record.offset;
    newest = std::max(newest, record.timestamp);
    if (batch.isControl() && !out.control) {
      MILLRACE_TRY(out.control, record::parseControlKey(record.key));
    }
    ++out.records;
  }
  MILLRACE_CHECK_OK(cursor.status());
  if (out.records > 0 && newest != batch.maxTimestamp())
    return fail(Errc::kCorruptData, fmt::format("the newest record's timestamp is {}, the header "
                                                "says {}",
                                                newest, batch.maxTimestamp()));
  return out;
}

}  // namespace millrace::log::detail
