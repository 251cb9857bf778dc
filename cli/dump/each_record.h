// The records of one batch, unpacked.
#pragma once

#include "record/records.h"

namespace millrace::cli {

/// Calls visit(record) for each record of a batch. Errors: kCorruptData, kMalformed where they
/// cannot be read; some may have been visited then.
template <class Visit>
[[nodiscard]] Status eachRecord(const record::BatchView& batch, Visit visit) {
  if (batch.recordCount() == 0 && batch.payload().empty()) return {};
  Bytes scratch;
  MILLRACE_TRY(record::RecordCursor cursor, record::openRecords(batch, scratch));
  record::RecordView record;
  while (cursor.next(record)) visit(record);
  return cursor.status();
}

}  // namespace millrace::cli
