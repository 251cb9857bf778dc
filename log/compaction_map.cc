#include "log/compaction_map.h"

#include "log/batch_reader.h"
#include "log/compaction_rules.h"

#include <fmt/format.h>
#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>
#include <vector>

namespace millrace::log {
namespace {

/// How far ahead a key's place in the map is fetched from memory.
constexpr std::size_t kAhead = 16;

/// Smaller ones cost more to hand around than to hash.
constexpr std::size_t kLeastChunk = 32 << 10;

/// Some batches on their way from the file into the map.
struct Chunk {
  struct Part {
    std::size_t begin = 0;
    std::size_t size = 0;
    Offset next;
    /// Where it stands: which of the plan's sources, and the byte there.
    std::size_t source = 0;
    std::uint64_t position = 0;
    /// Its records do not count: control batches, aborted transactions.
    bool skipped = false;
    /// Of `keys`, behind the part before it.
    std::size_t keys_end = 0;
  };
  Bytes bytes;
  std::vector<Part> parts;
  std::vector<std::pair<KeyOffsetMap::Hash, Offset>> keys;
  Bytes scratch;
  Status status;

  void clear() {
    bytes.clear();
    parts.clear();
    keys.clear();
    status = {};
  }
};

/// The source that the dirty part begins in: what lies before it has no say in the map.
std::size_t firstDirtySource(const CompactionPlan& plan) {
  const auto above =
      std::ranges::upper_bound(plan.sources, plan.first_dirty, {}, &CompactionPlan::Source::base);
  return above == plan.sources.begin() ? 0
                                       : static_cast<std::size_t>(above - plan.sources.begin() - 1);
}

/// Those that can touch a batch of this source or a later one.
std::vector<AbortedTransaction> abortedFrom(const CompactionPlan& plan, std::size_t source) {
  std::vector<AbortedTransaction> out = plan.aborted;
  if (source < plan.sources.size())
    std::erase_if(out, [&](const auto& t) { return t.last_offset < plan.sources[source].base; });
  return out;
}

/// Reads chunks in order and follows the transactions.
class ChunkSource {
 public:
  ChunkSource(const CompactionPlan& plan, std::size_t chunk_bytes, CompactionMeter& meter)
      : plan_(plan),
        chunk_bytes_(chunk_bytes),
        meter_(meter),
        source_(firstDirtySource(plan)),
        transactions_(abortedFrom(plan, source_)) {}

  /// False where nothing is left: the chunk is empty then.
  Result<bool> fill(Chunk& chunk) {
    while (chunk.bytes.size() < chunk_bytes_) {
      MILLRACE_TRY(const bool more, next());
      if (!more) break;
      const bool skipped = follow();
      const std::size_t size = batch_.sizeInBytes();
      MILLRACE_CHECK_OK(meter_.add(size));
      if (batch_.lastOffset() < plan_.first_dirty) continue;
      chunk.parts.push_back({.begin = chunk.bytes.size(),
                             .size = size,
                             .next = batch_.nextOffset(),
                             .source = source_,
                             .position = reader_->position() - size,
                             .skipped = skipped});
      chunk.bytes.append(batch_.bytes());
    }
    return !chunk.parts.empty();
  }

 private:
  Result<bool> next() {
    while (source_ < plan_.sources.size()) {
      const auto& source = plan_.sources[source_];
      if (!reader_) reader_.emplace(*source.file, 0, source.size, chunk_bytes_);
      MILLRACE_TRY(const bool more, reader_->next(batch_));
      if (more && batch_.baseOffset() < plan_.end) return true;
      reader_.reset();
      ++source_;
    }
    return false;
  }

  /// Keeps the transactions' state right; true where the batch's records do not count.
  bool follow() {
    if (!batch_.isControl()) return transactions_.isAborted(batch_);
    auto cursor = record::openRecords(batch_, scratch_);
    record::RecordView record;
    if (!cursor || !cursor->next(record)) return true;
    const auto type = record::parseControlKey(record.key);
    if (type) (void)transactions_.marker(batch_, *type);
    return true;
  }

  const CompactionPlan& plan_;
  const std::size_t chunk_bytes_;
  CompactionMeter& meter_;
  std::size_t source_;
  TransactionFilter transactions_;
  std::optional<BatchReader> reader_;
  record::BatchView batch_;
  Bytes scratch_;
};

Status hashKeys(const CompactionPlan& plan, const KeyOffsetMap& map, Chunk& chunk,
                const Chunk::Part& part) {
  if (part.skipped) return {};
  const BytesView bytes = BytesView(chunk.bytes).substr(part.begin, part.size);
  MILLRACE_TRY(const auto batch, record::BatchView::parse(bytes));
  MILLRACE_TRY(record::RecordCursor cursor, record::openRecords(batch, chunk.scratch));
  record::RecordView record;
  while (cursor.next(record))
    if (record.key && record.offset >= plan.first_dirty)
      chunk.keys.emplace_back(map.hash(*record.key), record.offset);
  return cursor.status();
}

/// What is behind a batch that cannot be read is dropped: the pass ends there.
void hashKeys(const CompactionPlan& plan, const KeyOffsetMap& map, Chunk& chunk) {
  for (std::size_t i = 0; i < chunk.parts.size(); ++i) {
    if (Status hashed = hashKeys(plan, map, chunk, chunk.parts[i]); !hashed) {
      const Chunk::Part& part = chunk.parts[i];
      chunk.status = fail(Errc::kCorruptData, fmt::format("{} at position {}: {}",
                                                          plan.sources[part.source].file->path(),
                                                          part.position, hashed.error().detail));
      chunk.parts.resize(i);
      return;
    }
    chunk.parts[i].keys_end = chunk.keys.size();
  }
}

/// Takes chunks in order.
class MapWriter {
 public:
  MapWriter(const CompactionPlan& plan, KeyOffsetMap& map)
      : plan_(plan), map_(map), reached_(plan.first_dirty) {}

  /// False where the pass is over: the map is full, or something failed.
  bool take(const Chunk& chunk) {
    if (over_) return false;
    std::size_t key = 0;
    for (const Chunk::Part& part : chunk.parts) {
      if (!map_.fits(part.keys_end - key)) return end(whyFull());
      for (; key < part.keys_end; ++key) {
        if (key + kAhead < chunk.keys.size()) map_.prefetch(chunk.keys[key + kAhead].first);
        map_.put(chunk.keys[key].first, chunk.keys[key].second);
      }
      reached_ = part.next;
    }
    return chunk.status ? true : end(chunk.status);
  }
  [[nodiscard]] Result<Offset> result() const {
    if (!status_) return std::unexpected(status_.error());
    return reached_;
  }

 private:
  bool end(Status status) {
    over_ = true;
    status_ = std::move(status);
    return false;
  }
  [[nodiscard]] Status whyFull() const {
    if (reached_ > plan_.first_dirty) return {};
    return fail(Errc::kState,
                fmt::format("{}: one batch does not fit compaction's map", plan_.directory));
  }

  const CompactionPlan& plan_;
  KeyOffsetMap& map_;
  Offset reached_;
  Status status_;
  bool over_ = false;
};

}  // namespace

Result<Offset> buildCompactionMap(const CompactionPlan& plan, const CompactionLimits& limits,
                                  KeyOffsetMap& map, CompactionMeter& meter) {
  const auto threads = static_cast<std::size_t>(std::max(limits.threads, 1));
  const std::size_t in_flight = 2 * threads;
  std::vector<Chunk> chunks(in_flight);
  std::size_t filled = 0;
  bool drained = false;
  std::atomic<bool> over{false};
  ChunkSource source(plan, std::max(limits.buffer_bytes / in_flight, kLeastChunk), meter);
  MapWriter writer(plan, map);

  // Stages in order, and no more tokens than chunks: the one that is filled next is free again.
  const auto read = [&](tbb::flow_control& control) -> Chunk* {
    if (!drained && !over.load(std::memory_order_relaxed)) {
      Chunk& chunk = chunks[filled++ % in_flight];
      chunk.clear();
      const auto more = source.fill(chunk);
      drained = !more || !*more;
      if (!more) chunk.status = std::unexpected(more.error());
      if (!more || *more) return &chunk;
    }
    control.stop();
    return nullptr;
  };
  const auto hash = [&](Chunk* chunk) {
    hashKeys(plan, map, *chunk);
    return chunk;
  };
  const auto put = [&](Chunk* chunk) {
    if (!writer.take(*chunk)) over.store(true, std::memory_order_relaxed);
  };
  tbb::task_arena arena(static_cast<int>(threads));
  arena.execute([&] {
    tbb::parallel_pipeline(
        in_flight, tbb::make_filter<void, Chunk*>(tbb::filter_mode::serial_in_order, read) &
                       tbb::make_filter<Chunk*, Chunk*>(tbb::filter_mode::parallel, hash) &
                       tbb::make_filter<Chunk*, void>(tbb::filter_mode::serial_in_order, put));
  });
  return writer.result();
}

}  // namespace millrace::log
