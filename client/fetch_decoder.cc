#include "client/fetch_decoder.h"

#include "base/varint.h"
#include "record/batch.h"
#include "record/records.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace millrace::client {
namespace {

/// Length of the record at `p`, prefix included, and its offset delta. On checked bytes only.
struct Glance {
  std::size_t size;
  std::int32_t offset_delta;
};
Glance glance(const char* p) {
  std::uint32_t length = 0;
  const char* body = getVarint32(p, p + 5, length);
  const auto size = static_cast<std::size_t>(unzigzag(length));
  std::uint64_t timestamp = 0;
  const char* at = getVarint(body + 1, body + size, timestamp);
  std::uint32_t delta = 0;
  at = getVarint32(at, body + size, delta);
  return {static_cast<std::size_t>(body - p) + size, at == nullptr ? 0 : unzigzag(delta)};
}

/// Which transactional batches were aborted, walking in offset order (Kafka's CompletedFetch).
class AbortedFilter {
 public:
  explicit AbortedFilter(const FetchedBytes& bytes)
      : on_(bytes.read_committed), aborted_(bytes.aborted) {
    std::sort(aborted_.begin(), aborted_.end(),
              [](const auto& a, const auto& b) { return a.second < b.second; });
  }
  bool drops(const record::BatchView& batch) {
    if (!on_ || !batch.hasProducerId()) return false;
    while (next_ < aborted_.size() && aborted_[next_].second <= batch.lastOffset().value()) {
      active_.insert(aborted_[next_++].first);
    }
    const std::int64_t producer = batch.producerId().value();
    if (batch.isControl()) {
      Bytes scratch;
      auto cursor = record::openRecords(batch, scratch);
      record::RecordView marker;
      if (cursor && cursor->next(marker)) {
        const auto type = record::parseControlKey(marker.key);
        if (type && *type == record::ControlType::kAbort) active_.erase(producer);
      }
      return true;
    }
    return batch.isTransactional() && active_.contains(producer);
  }

 private:
  bool on_;
  std::vector<std::pair<std::int64_t, std::int64_t>> aborted_;
  std::size_t next_ = 0;
  std::set<std::int64_t> active_;
};

/// The records of one batch that lie at or above the fetch offset; count 0 where none does.
Result<RecordSlice> decodeBatch(const FetchedBytes& in, const record::BatchView& batch) {
  MILLRACE_TRY(const record::Codec codec, batch.codec());
  std::shared_ptr<const void> owner = in.owner;
  BytesView records = batch.payload();
  if (codec != record::Codec::kNone) {
    auto unpacked = std::make_shared<Bytes>();
    MILLRACE_CHECK_OK(record::decompress(codec, batch.payload(), *unpacked));
    records = *unpacked;
    owner = std::move(unpacked);
  }
  record::RecordCursor cursor(batch, records);
  record::RecordView view;
  std::int32_t skipped = 0;
  std::int32_t count = 0;
  while (cursor.next(view)) {
    if (view.offset.value() < in.fetch_offset) {
      ++skipped;
    } else {
      ++count;
    }
  }
  MILLRACE_CHECK_OK(cursor.status());
  auto meta = std::make_shared<FetchedBatch>();
  meta->owner = std::move(owner);
  meta->topic = in.topic;
  meta->partition = in.partition;
  meta->base_offset = batch.baseOffset().value();
  meta->base_timestamp = batch.baseTimestamp();
  meta->max_timestamp = batch.maxTimestamp();
  meta->leader_epoch = batch.leaderEpoch().value();
  meta->timestamp_type = batch.timestampType();
  const char* begin = records.data();
  for (; skipped > 0; --skipped) begin += glance(begin).size;
  return RecordSlice{std::move(meta), begin, count, batch.nextOffset().value()};
}

}  // namespace

DecodedFetch decodeFetch(const FetchedBytes& in) {
  DecodedFetch out;
  out.next_offset = in.fetch_offset;
  AbortedFilter aborted(in);
  record::BatchIterator batches(in.records);
  record::BatchView batch;
  while (batches.next(batch)) {
    const auto fault = [&](const Error& error) {
      out.error = Error{error.code, fmt::format("{}-{} at offset {}: {}", *in.topic, in.partition,
                                                batch.baseOffset().value(), error.detail)};
    };
    if (in.check_crcs) {
      const Status crc = batch.checkCrc();
      if (!crc) {
        fault(crc.error());
        return out;
      }
    }
    const std::int64_t next = batch.nextOffset().value();
    if (next <= in.fetch_offset) continue;
    if (!aborted.drops(batch) && !batch.isControl()) {
      auto slice = decodeBatch(in, batch);
      if (!slice) {
        fault(slice.error());
        return out;
      }
      if (slice->count > 0) out.slices.push_back(std::move(*slice));
    }
    out.next_offset = next;
    out.last_epoch = batch.leaderEpoch().value();
  }
  if (!batches.status()) out.error = batches.status().error();
  return out;
}

RecordSlice takeFirst(RecordSlice& slice, std::int32_t count) {
  RecordSlice first = slice;
  first.count = count;
  std::int32_t last_delta = 0;
  for (std::int32_t i = 0; i < count; ++i) {
    const Glance g = glance(slice.begin);
    last_delta = g.offset_delta;
    slice.begin += g.size;
  }
  slice.count -= count;
  first.next_offset = slice.batch->base_offset + last_delta + 1;
  return first;
}

}  // namespace millrace::client
