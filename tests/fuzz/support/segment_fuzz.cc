// A whole log over damaged files: opened as after a crash or as after a clean stop, read, appended
// to, compacted, opened again. Whatever stands there, nothing unsound is served.
#include "log/compaction.h"
#include "log/partition_log.h"
#include "record/builder.h"
#include "tests/fuzz/support/frames.h"
#include "tests/fuzz/support/memory_files.h"
#include "tests/fuzz/support/targets.h"

namespace millrace::fuzz {
namespace {

using namespace log;

constexpr Millis kNow = 1'700'000'000'000;

OpenOptions options(MemoryFiles& system, bool clean) {
  OpenOptions out;
  out.directory = "d/t-0";
  out.config.segment_bytes = 4096;
  out.config.index_interval_bytes = 200;
  out.config.cleanup_compact = true;
  out.config.timestamp_after_max_ms = std::numeric_limits<std::int64_t>::max();
  out.high_watermark = Offset{std::numeric_limits<std::int64_t>::max()};
  out.clean_shutdown = clean;
  out.files = &system;
  return out;
}

/// Everything from start to end, or up to an error. After recovery there may be none.
void readAll(const PartitionLog& log, bool recovered) {
  Offset at = log.startOffset();
  while (at < log.endOffset()) {
    const auto got = log.read(at, 1 << 20, Isolation::kLogEnd);
    if (!got) return check(!recovered, "a recovered log can be read");
    if (got->size == 0) return;
    check(got->next_offset > at, "a read goes on");
    Offset last{-1};
    for (const FileSlice& slice : got->slices) {
      Bytes bytes(slice.size, '\0');
      const auto size = slice.file->read(slice.position, bytes.data(), bytes.size());
      check(size && *size == bytes.size(), "a slice lies within its file");
      if (!recovered) continue;
      record::BatchIterator walk(bytes);
      record::BatchView batch;
      while (walk.next(batch)) {
        check(batch.checkCrc().has_value(), "a recovered log serves sound batches");
        check(batch.baseOffset() > last, "offsets rise");
        last = batch.lastOffset();
      }
      check(walk.status() && walk.position() == bytes.size(), "slices hold whole batches");
    }
    at = got->next_offset;
  }
}

void append(PartitionLog& log) {
  record::BatchBuilder builder;
  builder.append(kNow, "key", "value");
  const Bytes batch = *builder.build();
  const Offset end = log.endOffset();
  const auto done = log.append(*record::BatchView::parse(batch), {.now_ms = kNow});
  if (done)
    check(done->base_offset == end && log.endOffset() == end + 1, "an append moves the end");
}

void compact(PartitionLog& log) {
  const Offset end = log.endOffset();
  const auto plan = log.prepareCompaction(kNow);
  if (!plan) return;
  const auto outcome = runCompaction(*plan, {.map_bytes = 1 << 16});
  if (!outcome) return;
  if (log.compacted(*plan, *outcome)) check(log.endOffset() == end, "compaction keeps the end");
}

}  // namespace

/// First byte: how; then a byte that says where the second segment begins.
void runSegment(BytesView input) {
  if (input.size() < 2) return;
  const auto mode = static_cast<unsigned char>(input[0]);
  const auto cut = static_cast<unsigned char>(input[1]);
  Bytes bytes(input.substr(2));
  if ((mode & 1) == 0) repairFrames(bytes);
  const bool clean = (mode & 2) != 0;
  MemoryFiles system;
  const LogFiles files{system, "d/t-0"};
  system.put(files.path(Offset{0}, FileKind::kLog), bytes);
  if ((mode & 4) != 0) {
    const std::size_t half = bytes.size() / 2;
    system.put(files.path(Offset{0}, FileKind::kLog), BytesView(bytes).substr(0, half));
    system.put(files.path(Offset{cut}, FileKind::kLog), BytesView(bytes).substr(half));
  }
  const FileKind extra = (mode & 8) != 0 ? FileKind::kOffsetIndex : FileKind::kTimeIndex;
  if ((mode & 16) != 0) system.put(files.path(Offset{0}, extra), BytesView(bytes).substr(0, 24));
  auto log = PartitionLog::open(options(system, clean));
  if (!log) return;
  readAll(**log, !clean && !(*log)->recovery().clean);
  (void)(*log)->offsetForTimestamp(kNow / 2, Isolation::kLogEnd);
  append(**log);
  if ((*log)->roll()) compact(**log);
  (void)(*log)->close();
  log->reset();
  const auto again = PartitionLog::open(options(system, false));
  if (again) readAll(**again, true);
}

}  // namespace millrace::fuzz
