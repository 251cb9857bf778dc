// What is there against what should be.
#include "tests/log_model/support/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace millrace::log::test {
namespace {

std::string textOf(const std::vector<AbortedTransaction>& transactions) {
  std::string text;
  for (const AbortedTransaction& a : transactions)
    text += fmt::format("{} [{}, {}] ", a.producer_id.value(), a.first_offset.value(),
                        a.last_offset.value());
  return text;
}

std::optional<std::string> owned(const std::optional<BytesView>& view) {
  return view ? std::optional<std::string>(*view) : std::nullopt;
}

}  // namespace

void World::check(Tracked& t) {
  LogModel& m = t.model;
  m.furthest_start = std::max(m.furthest_start, m.start);
  checkRead(t, m.start, 1 << 30, Isolation::kLogEnd);
  for (int i = 0; i < 4 && m.start < m.end() && !down(); ++i) {
    const Offset from{random_.between(m.start.value(), m.end().value() - 1)};
    checkRead(t, from, random_.below(5000), static_cast<Isolation>(random_.below(3)));
  }
  if (testing::Test::HasFailure() || down()) return;
  checkProducers(t);
  checkTransactions(t);
  checkTimestamps(t);
  checkEpochs(t);
}

void World::checkRead(Tracked& t, Offset from, std::uint64_t max_bytes, Isolation isolation) {
  const auto read = t.log->read(from, max_bytes, isolation);
  if (!read) return (void)worked(std::unexpected(read.error()), "read");
  Bytes bytes;
  for (const FileSlice& slice : read->slices) {
    const std::size_t at = bytes.size();
    bytes.resize(at + slice.size);
    const auto got = slice.file->read(slice.position, bytes.data() + at, slice.size);
    if (!got) return (void)worked(std::unexpected(got.error()), "slice");
    EXPECT_EQ(*got, slice.size);
  }
  EXPECT_EQ(bytes.size(), read->size);
  const Offset end = t.log->endFor(isolation);
  const bool anything = std::ranges::any_of(t.model.batches, [&](const ModelBatch& b) {
    return b.base >= from && b.last < end &&
           std::ranges::any_of(b.records, [](const auto& r) { return !r.may_be_gone; });
  });
  if (anything && from < end)
    EXPECT_GT(read->next_offset, from)
        << "no progress below " << end.value() << " with " << max_bytes << " bytes, isolation "
        << static_cast<int>(isolation);
  EXPECT_LE(read->next_offset, std::max(from, end));
  checkRecords(t, bytes, from, read->next_offset);
}

void World::checkRecords(Tracked& t, const Bytes& bytes, Offset from, Offset to) {
  std::map<Offset, bool> seen;
  record::BatchIterator walk(bytes);
  record::BatchView batch;
  Offset last{-1};
  while (walk.next(batch)) {
    EXPECT_TRUE(batch.checkCrc());
    EXPECT_GT(batch.baseOffset(), last) << "batches do not rise";
    last = batch.lastOffset();
    checkBatch(t, batch, seen);
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_TRUE(walk.status());
  EXPECT_EQ(walk.position(), bytes.size()) << "a batch is cut";
  for (const ModelBatch& expected : t.model.batches) {
    for (std::size_t i = 0; i < expected.records.size(); ++i) {
      const Offset offset = expected.base + static_cast<std::int64_t>(i);
      if (offset < from || offset >= to || expected.records[i].may_be_gone) continue;
      if (!seen.contains(offset)) {
        ADD_FAILURE() << t.tp.toString() << ": offset " << offset.value() << " is missing in ["
                      << from.value() << ", " << to.value() << "), key "
                      << expected.records[i].key.value_or("null") << ", producer "
                      << expected.producer_id.value() << ", batch " << expected.base.value();
        return;
      }
    }
  }
}

void World::checkBatch(Tracked& t, const record::BatchView& batch, std::map<Offset, bool>& seen) {
  const ModelBatch* expected = t.model.batchAt(batch.baseOffset());
  SCOPED_TRACE(fmt::format("{} batch {} to {}", t.tp.toString(), batch.baseOffset().value(),
                           batch.lastOffset().value()));
  if (expected == nullptr) {
    ADD_FAILURE() << "never appended";
    return;
  }
  EXPECT_EQ(batch.baseOffset(), expected->base);
  EXPECT_EQ(batch.lastOffset(), expected->last);
  EXPECT_EQ(batch.producerId(), expected->producer_id);
  EXPECT_EQ(batch.producerEpoch(), expected->producer_epoch);
  EXPECT_EQ(batch.baseSequence(), expected->base_sequence);
  EXPECT_EQ(batch.isControl(), expected->marker.has_value());
  EXPECT_EQ(batch.leaderEpoch(), expected->leader_epoch);
  Bytes scratch;
  auto cursor = record::openRecords(batch, scratch);
  ASSERT_TRUE(cursor) << cursor.error().toString();
  record::RecordView record;
  while (cursor->next(record)) {
    seen[record.offset] = true;
    const auto index = static_cast<std::size_t>(record.offset - expected->base);
    ASSERT_LT(index, expected->records.size());
    const ModelRecord& wanted = expected->records[index];
    EXPECT_FALSE(wanted.absent) << "offset " << record.offset.value();
    EXPECT_EQ(record.timestamp, wanted.timestamp);
    if (expected->marker) continue;
    EXPECT_EQ(owned(record.key), wanted.key);
    EXPECT_EQ(owned(record.value), wanted.value);
  }
  EXPECT_TRUE(cursor->status());
}

void World::checkProducers(Tracked& t) {
  const LogModel& m = t.model;
  std::map<ProducerId, ProducerInfo> found;
  for (const ProducerInfo& p : t.log->producers()) found[p.producer_id] = p;
  for (const auto& [id, wanted] : m.producers()) {
    SCOPED_TRACE(fmt::format("{} producer {}", t.tp.toString(), id.value()));
    // Those whose records were deleted may be forgotten.
    if (wanted.last.empty() || m.batches[wanted.last.back()].base < m.furthest_start) continue;
    // Compaction keeps the last batch there was; a crash may have taken that one since.
    if (m.lastBatchMayBeGone(id)) continue;
    if (!found.contains(id)) {
      ADD_FAILURE() << "forgotten";
      return;
    }
    const ProducerInfo& info = found[id];
    const ModelBatch& last = m.batches[wanted.last.back()];
    EXPECT_EQ(info.epoch, wanted.epoch);
    EXPECT_EQ(record::addToSequence(info.last_sequence, 1), wanted.next_sequence);
    EXPECT_EQ(info.last_offset, last.last);
    if (!wanted.transaction) EXPECT_FALSE(info.current_txn_first_offset);
    // Where bit rot took a marker, compaction may have dropped what that had decided.
    const Offset began = wanted.transaction.value_or(Offset{0});
    if (wanted.transaction && began >= m.furthest_start && !m.mayBeGone(began, began + 1))
      EXPECT_EQ(info.current_txn_first_offset, wanted.transaction);
  }
}

void World::checkTransactions(Tracked& t) {
  const LogModel& m = t.model;
  const auto all = m.transactions();
  const bool partly_deleted = std::ranges::any_of(all, [&](const auto& txn) {
    return txn.first < m.furthest_start && (!txn.end || *txn.end >= m.start);
  });
  // What is left of a transaction whose beginning was deleted counts from its first record left.
  EXPECT_GE(t.log->lastStableOffset(), m.lastStable());
  if (!partly_deleted) EXPECT_LE(t.log->lastStableOffset(), m.lastStable(true));
  const auto aborted = t.log->abortedTransactions(m.start, m.end());
  if (!aborted) return (void)worked(std::unexpected(aborted.error()), "abortedTransactions");
  for (const ModelBatch& batch : m.batches) {
    if (!batch.transactional || batch.marker || batch.base < m.furthest_start) continue;
    const auto txn = std::ranges::find_if(all, [&](const auto& x) {
      return x.producer_id == batch.producer_id && x.first <= batch.base &&
             (!x.end || batch.base < *x.end);
    });
    const bool listed = std::ranges::any_of(*aborted, [&](const AbortedTransaction& a) {
      return a.producer_id == batch.producer_id && a.first_offset <= batch.base &&
             batch.base <= a.last_offset;
    });
    const bool all_gone =
        std::ranges::all_of(batch.records, [](const auto& r) { return r.may_be_gone; });
    if (all_gone && txn->aborted) continue;
    EXPECT_EQ(listed, txn->aborted)
        << t.tp.toString() << " batch " << batch.base.value() << " of producer "
        << batch.producer_id.value() << ", listed: " << textOf(*aborted);
  }
}

void World::checkTimestamps(Tracked& t) {
  const LogModel& m = t.model;
  for (int i = 0; i < 5; ++i) {
    const std::int64_t wanted = clock_.wallMs() - random_.between(0, chance(2) ? 2'000 : 30'000);
    const auto found = t.log->offsetForTimestamp(wanted, Isolation::kLogEnd);
    if (!found) return (void)worked(std::unexpected(found.error()), "offsetForTimestamp");
    // The first that must be there, and no earlier one that could not be the answer.
    std::optional<Offset> first;
    bool possible = found->offset < Offset{0};
    for (const ModelBatch& batch : m.batches) {
      for (std::size_t k = 0; k < batch.records.size() && !first; ++k) {
        const Offset offset = batch.base + static_cast<std::int64_t>(k);
        if (offset < m.start || batch.records[k].timestamp < wanted) continue;
        possible = possible || offset == found->offset;
        if (!batch.records[k].may_be_gone) first = offset;
      }
    }
    SCOPED_TRACE(fmt::format("{} timestamp {}: {}, expected {}", t.tp.toString(), wanted,
                             found->offset.value(), first.value_or(Offset{-1}).value()));
    EXPECT_TRUE(possible);
    if (first) EXPECT_GE(found->offset, Offset{0});
  }
}

void World::checkEpochs(Tracked& t) {
  const LogModel& m = t.model;
  if (m.compacted_to > Offset{0}) return;
  auto found = t.log->epochs();
  auto wanted = m.epochs();
  // The first one left began below, or where a hole ends.
  Offset low = m.furthest_start;
  const auto first = std::ranges::lower_bound(m.batches, low, {}, &ModelBatch::last);
  if (first != m.batches.end()) low = std::max(low, first->base);
  for (auto* list : {&found, &wanted})
    std::erase_if(*list, [&](const EpochEntry& e) { return e.start_offset <= low; });
  EXPECT_EQ(found, wanted) << t.tp.toString();
}

}  // namespace millrace::log::test
