// Batches from the network: walking, unpacking, validating. What the validator lets through must be
// sound in every respect.
#include "log/batch_reader.h"
#include "record/inspect.h"
#include "record/validator.h"
#include "tests/fuzz/support/frames.h"
#include "tests/fuzz/support/memory_files.h"
#include "tests/fuzz/support/targets.h"

namespace millrace::fuzz {
namespace {

using namespace record;

constexpr std::size_t kMaxUnpacked = 1 << 20;
constexpr Millis kNow = 1'700'000'000'000;

/// True where every record could be read.
bool readRecords(const BatchView& batch) {
  Bytes scratch;
  auto cursor = openRecords(batch, scratch, kMaxUnpacked);
  if (!cursor) return false;
  RecordView record;
  std::int64_t count = 0;
  while (cursor->next(record)) {
    ++count;
    for (const HeaderView& header : record.headers)
      check(header.key.size() <= batch.sizeInBytes() + scratch.size(), "headers lie within");
    if (batch.isControl()) {
      (void)parseControlKey(record.key);
      (void)parseEndTxnMarker(record);
    }
  }
  if (!cursor->status()) return false;
  check(count == batch.recordCount(), "a cursor without an error has seen the count");
  return true;
}

/// Through a file, batches are the same as in memory.
void throughFile(BytesView bytes, std::size_t batches) {
  MemoryFiles files;
  files.put("f", bytes);
  const auto file = files.open("f", OpenMode::kRead);
  log::BatchReader whole(**file, 0, bytes.size(), 64);
  log::BatchReader heads(**file, 0, bytes.size(), 64);
  BatchView batch;
  log::BatchReader::Head head;
  std::size_t seen = 0;
  for (;;) {
    const auto more = whole.next(batch);
    const auto more_heads = heads.nextHead(head);
    if (!more || !*more) break;
    check(more_heads && *more_heads, "a whole batch has a header");
    check(head.base_offset == batch.baseOffset() && head.size == batch.sizeInBytes() &&
              head.last_offset == batch.lastOffset(),
          "header and batch agree");
    ++seen;
  }
  check(seen <= batches, "a file has no more batches than its bytes");
}

void validate(const BatchView& batch, unsigned char mode) {
  ValidationRules rules;
  rules.origin = static_cast<AppendOrigin>(mode & 3);
  rules.compacted = (mode & 4) != 0;
  rules.timestamp_type =
      (mode & 8) != 0 ? TimestampType::kLogAppendTime : TimestampType::kCreateTime;
  if ((mode & 16) != 0) rules.target_codec = static_cast<Codec>((mode >> 5) % 5);
  rules.max_uncompressed_bytes = kMaxUnpacked;
  const auto valid = validateBatch(batch, Offset{1000}, LeaderEpoch{7}, kNow, rules);
  if (!valid) return;
  Bytes appended(valid->header.data(), valid->header.size());
  appended.append(valid->payload);
  const auto view = BatchView::parse(appended);
  check(view.has_value(), "a valid batch is a batch");
  check(view->checkCrc().has_value(), "a valid batch has the right CRC");
  check(view->lastOffset() == valid->last_offset, "the last offset is the batch's");
  if (rules.origin == AppendOrigin::kReplication) return;
  check(view->baseOffset() == Offset{1000} && view->leaderEpoch() == LeaderEpoch{7},
        "offset and epoch are stamped");
  check(readRecords(*view), "a valid batch's records can be read");
  check(view->recordCount() == valid->record_count, "the count is the batch's");
}

}  // namespace

void runBatch(BytesView input) {
  if (input.empty()) return;
  const auto mode = static_cast<unsigned char>(input[0]);
  Bytes bytes(input.substr(1));
  if ((mode & 128) == 0) repairFrames(bytes);
  BatchIterator walk(bytes);
  BatchView batch;
  std::size_t batches = 0;
  bool sound = true;
  while (walk.next(batch)) {
    ++batches;
    const bool crc = batch.checkCrc().has_value();
    const bool records = readRecords(batch);
    sound = sound && crc && records;
    validate(batch, mode);
  }
  check(walk.position() <= bytes.size(), "batches lie within the bytes");
  const Inspection inspection = inspect(bytes, kMaxUnpacked);
  if (inspection.error == std::nullopt && walk.status() && batches > 0)
    check(sound, "what inspect() accepts can be read");
  throughFile(bytes, batches);
  (void)singleBatch(bytes, static_cast<std::int16_t>(3 + mode % 10));
  (void)hasTransactionalBatch(bytes);
}

}  // namespace millrace::fuzz
