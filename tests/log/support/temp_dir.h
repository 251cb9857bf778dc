// Helpers to fill logs in a temporary directory.
#pragma once

#include "log/partition_log.h"
#include "record/builder.h"
#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace millrace::log::test {

using millrace::TempDir;

struct TestRecord {
  std::int64_t timestamp = 1000;
  std::optional<std::string> key = "k";
  std::optional<std::string> value = "v";
};

/// A batch of these records, as a producer sends it.
inline Bytes makeBatch(const std::vector<TestRecord>& records, record::BatchOptions options = {}) {
  record::BatchBuilder builder(options);
  for (const TestRecord& r : records) {
    builder.append(r.timestamp, r.key ? std::optional<BytesView>(*r.key) : std::nullopt,
                   r.value ? std::optional<BytesView>(*r.value) : std::nullopt);
  }
  return *builder.build();
}

/// `count` records of one batch with rising timestamps from `timestamp` on.
inline Bytes simpleBatch(int count, std::int64_t timestamp = 1000, std::size_t value_size = 10,
                         record::BatchOptions options = {}) {
  std::vector<TestRecord> records;
  for (int i = 0; i < count; ++i)
    records.push_back({timestamp + i, "key" + std::to_string(i), std::string(value_size, 'v')});
  return makeBatch(records, options);
}

inline std::expected<AppendInfo, AppendFailure> append(
    PartitionLog& log, const Bytes& batch, Millis now_ms = 1000, int epoch = 0,
    record::AppendOrigin origin = record::AppendOrigin::kClient) {
  return log.append(*record::BatchView::parse(batch),
                    {.leader_epoch = LeaderEpoch{epoch}, .now_ms = now_ms, .origin = origin});
}

/// All bytes that a read found.
inline Bytes contentOf(const ReadResult& result) {
  Bytes out;
  for (const FileSlice& slice : result.slices) {
    const std::size_t at = out.size();
    out.resize(at + slice.size);
    EXPECT_EQ(slice.file->read(slice.position, out.data() + at, slice.size).value(), slice.size);
  }
  return out;
}

struct ReadRecord {
  std::int64_t offset;
  std::int64_t timestamp;
  std::optional<std::string> key;
  std::optional<std::string> value;
};

/// The records in the bytes; checks every CRC.
inline std::vector<ReadRecord> recordsIn(const Bytes& bytes) {
  std::vector<ReadRecord> out;
  record::BatchIterator walk(bytes);
  record::BatchView batch;
  Bytes scratch;
  while (walk.next(batch)) {
    EXPECT_TRUE(batch.checkCrc());
    auto cursor = record::openRecords(batch, scratch);
    EXPECT_TRUE(cursor);
    record::RecordView r;
    while (cursor->next(r)) {
      out.push_back({r.offset.value(), r.timestamp,
                     r.key ? std::optional<std::string>(*r.key) : std::nullopt,
                     r.value ? std::optional<std::string>(*r.value) : std::nullopt});
    }
    EXPECT_TRUE(cursor->status());
  }
  EXPECT_TRUE(walk.status());
  EXPECT_EQ(walk.position(), bytes.size()) << "a batch is cut";
  return out;
}

/// Everything from `from` to the end of the log.
inline std::vector<ReadRecord> readAll(const PartitionLog& log, Offset from,
                                       std::uint64_t max_bytes = 1 << 20) {
  std::vector<ReadRecord> out;
  while (from < log.endOffset()) {
    const auto result = log.read(from, max_bytes, Isolation::kLogEnd);
    if (!result) {
      ADD_FAILURE() << result.error().toString();
      return out;
    }
    for (ReadRecord& r : recordsIn(contentOf(*result)))
      if (r.offset >= from.value()) out.push_back(std::move(r));
    if (result->next_offset <= from) {
      ADD_FAILURE() << "no progress at " << from.value();
      return out;
    }
    from = result->next_offset;
  }
  return out;
}

}  // namespace millrace::log::test
