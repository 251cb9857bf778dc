// What a record costs: appending to a batch, walking it, validating it; beside the raw limits
// (memcpy, CRC).
#include "base/checksum.h"
#include "record/builder.h"
#include "record/validator.h"

#include <benchmark/benchmark.h>

#include <cstring>

namespace millrace::record {
namespace {

constexpr std::int64_t kTimestamp = 1'700'000'000'000;

Bytes batchOf(int records, std::size_t value_size, Codec codec) {
  BatchBuilder builder({.codec = codec}, 1 << 20);
  Bytes value(value_size, 'v');
  for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<char>('a' + i * 7 % 23);
  for (int i = 0; i < records; ++i) {
    const std::string key = "key-" + std::to_string(i % 1000);
    builder.append(kTimestamp + i, key, value);
  }
  return *builder.build();
}

void countRecords(benchmark::State& state, int records, std::size_t bytes) {
  state.SetItemsProcessed(state.iterations() * records);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

void append(benchmark::State& state) {
  const Bytes value(static_cast<std::size_t>(state.range(0)), 'v');
  constexpr int kRecords = 500;
  BatchBuilder builder({}, 1 << 20);
  for (auto _ : state) {
    builder.reset();
    for (int i = 0; i < kRecords; ++i) builder.append(kTimestamp + i, "key-1234", value);
    benchmark::DoNotOptimize(builder.sizeInBytes());
  }
  countRecords(state, kRecords, kRecords * value.size());
}
BENCHMARK(append)->Arg(20)->Arg(100)->Arg(1024);

void rawCopy(benchmark::State& state) {
  const Bytes value(static_cast<std::size_t>(state.range(0)), 'v');
  constexpr int kRecords = 500;
  Bytes to(1 << 20, '\0');
  for (auto _ : state) {
    for (std::size_t i = 0; i < kRecords; ++i)
      std::memcpy(to.data() + i * value.size(), value.data(), value.size());
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  countRecords(state, kRecords, kRecords * value.size());
}
BENCHMARK(rawCopy)->Arg(20)->Arg(100)->Arg(1024);

void iterate(benchmark::State& state) {
  constexpr int kRecords = 500;
  const Bytes batch = batchOf(kRecords, static_cast<std::size_t>(state.range(0)),
                              static_cast<Codec>(state.range(1)));
  const BatchView view = *BatchView::parse(batch);
  Bytes scratch;
  for (auto _ : state) {
    RecordCursor cursor = *openRecords(view, scratch);
    RecordView record;
    std::size_t sum = 0;
    while (cursor.next(record))
      sum += record.value->size() + static_cast<std::size_t>(record.offset.value());
    benchmark::DoNotOptimize(sum);
  }
  countRecords(state, kRecords, batch.size());
}
BENCHMARK(iterate)->ArgsProduct({{100}, {0, 1, 2, 3, 4}})->ArgNames({"value", "codec"});

void compressBatch(benchmark::State& state) {
  constexpr int kRecords = 500;
  const Bytes batch = batchOf(kRecords, 100, Codec::kNone);
  const BytesView records = BytesView(batch).substr(kBatchHeaderSize);
  Bytes out;
  for (auto _ : state) {
    out.clear();
    benchmark::DoNotOptimize(compress(static_cast<Codec>(state.range(0)), records, out));
  }
  countRecords(state, kRecords, batch.size());
}
BENCHMARK(compressBatch)->DenseRange(1, 4)->ArgName("codec");

void validate(benchmark::State& state) {
  constexpr int kRecords = 500;
  const Bytes batch = batchOf(kRecords, static_cast<std::size_t>(state.range(0)), Codec::kNone);
  const BatchView view = *BatchView::parse(batch);
  for (auto _ : state) {
    auto valid = validateBatch(view, Offset{77}, LeaderEpoch{1}, kTimestamp, {});
    benchmark::DoNotOptimize(valid->max_timestamp);
  }
  countRecords(state, kRecords, batch.size());
}
BENCHMARK(validate)->Arg(100)->Arg(1024);

void rawCrc(benchmark::State& state) {
  const Bytes batch = batchOf(500, static_cast<std::size_t>(state.range(0)), Codec::kNone);
  for (auto _ : state) benchmark::DoNotOptimize(crc32c(batch));
  countRecords(state, 500, batch.size());
}
BENCHMARK(rawCrc)->Arg(100)->Arg(1024);

}  // namespace
}  // namespace millrace::record

BENCHMARK_MAIN();
