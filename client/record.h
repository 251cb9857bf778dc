// What a consumer hands out and what a producer takes: records, their headers and places.
#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "record/records.h"

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace {

/// One partition of one topic.
struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;

  /// "orders-3".
  [[nodiscard]] std::string toString() const { return topic + "-" + std::to_string(partition); }
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

/// A committed position: the next offset to read, and what the committer noted.
struct OffsetAndMetadata {
  std::int64_t offset = 0;
  std::optional<std::int32_t> leader_epoch = std::nullopt;
  std::string metadata = {};
  friend bool operator==(const OffsetAndMetadata&, const OffsetAndMetadata&) = default;
};

/// The first record at or after a timestamp.
struct OffsetAndTimestamp {
  std::int64_t offset = 0;
  Millis timestamp = 0;
  std::optional<std::int32_t> leader_epoch = std::nullopt;
};

/// A header that owns its bytes.
struct Header {
  std::string key;
  std::optional<Bytes> value = std::nullopt;
  friend bool operator==(const Header&, const Header&) = default;
};

/// A header that borrows: from a fetched batch, or from the caller of Producer::append.
using HeaderView = record::HeaderView;
using TimestampType = record::TimestampType;

namespace client {

/// One fetched batch, checked (CRC and structure) and decompressed; shared by every slice of it.
struct FetchedBatch {
  std::shared_ptr<const void>
      owner;  ///< keeps the bytes alive: the frame, or the decompressed buffer
  std::shared_ptr<const std::string> topic;
  std::int32_t partition = 0;
  std::int64_t base_offset = 0;
  Millis base_timestamp = 0;
  Millis max_timestamp = 0;
  std::int32_t leader_epoch = -1;
  TimestampType timestamp_type = TimestampType::kCreateTime;
};

}  // namespace client

/// A record of a fetched batch: views that live as long as any slice or ConsumerRecords of that
/// batch.
class Record {
 public:
  /// Empty where the key is null; hasKey() tells null from empty.
  [[nodiscard]] BytesView key() const { return key_; }
  [[nodiscard]] BytesView value() const { return value_; }
  [[nodiscard]] bool hasKey() const { return has_key_; }
  [[nodiscard]] bool hasValue() const { return has_value_; }
  [[nodiscard]] std::optional<BytesView> optionalKey() const {
    return has_key_ ? std::optional<BytesView>(key_) : std::nullopt;
  }
  [[nodiscard]] std::optional<BytesView> optionalValue() const {
    return has_value_ ? std::optional<BytesView>(value_) : std::nullopt;
  }
  [[nodiscard]] std::int64_t offset() const { return offset_; }
  /// Milliseconds since 1970 UTC; -1 where the producer gave none.
  [[nodiscard]] Millis timestamp() const { return timestamp_; }
  [[nodiscard]] TimestampType timestampType() const { return batch_->timestamp_type; }
  [[nodiscard]] const std::string& topic() const { return *batch_->topic; }
  [[nodiscard]] std::int32_t partition() const { return batch_->partition; }
  [[nodiscard]] std::int32_t leaderEpoch() const { return batch_->leader_epoch; }
  [[nodiscard]] std::int32_t headerCount() const { return header_count_; }
  /// Parsed at each call; views as above.
  [[nodiscard]] std::vector<HeaderView> headers() const;
  /// The last header of that key, as Kafka's Headers.lastHeader.
  [[nodiscard]] std::optional<HeaderView> lastHeader(std::string_view key) const;

 private:
  friend class RecordIterator;
  const client::FetchedBatch* batch_ = nullptr;
  BytesView key_;
  BytesView value_;
  const char* headers_ = nullptr;
  std::int64_t offset_ = 0;
  Millis timestamp_ = 0;
  std::int32_t header_count_ = 0;
  bool has_key_ = false;
  bool has_value_ = false;
};

/// Some successive records of one fetched batch. Cheap to copy; keeps the batch alive. Whoever
/// queues records across polls (streams) keeps slices and parses when it needs the record.
struct RecordSlice {
  std::shared_ptr<const client::FetchedBatch> batch;
  const char* begin = nullptr;   ///< first record's length varint
  std::int32_t count = 0;        ///< records from there, at least 1
  std::int64_t next_offset = 0;  ///< position after the slice: the offset to commit

  [[nodiscard]] const std::string& topic() const { return *batch->topic; }
  [[nodiscard]] std::int32_t partition() const { return batch->partition; }
};

/// Walks records of one slice. `for (RecordIterator it(slice); it.valid(); it.next()) use(*it);`
class RecordIterator {
 public:
  RecordIterator() = default;
  explicit RecordIterator(const RecordSlice& slice) : at_(slice.begin), left_(slice.count) {
    record_.batch_ = slice.batch.get();
    parse();
  }
  [[nodiscard]] bool valid() const { return left_ > 0; }
  void next() {
    --left_;
    parse();
  }
  const Record& operator*() const { return record_; }
  const Record* operator->() const { return &record_; }

 private:
  void parse();

  const char* at_ = nullptr;
  std::int32_t left_ = 0;
  Record record_;
};

/// What one poll returned: slices in the order of partitions and offsets; iterates as Records.
/// Holds an error instead where the consumer cannot go on (no records then); a time-out is not an
/// error, it is empty.
class ConsumerRecords {
 public:
  class Iterator;

  ConsumerRecords() = default;
  explicit ConsumerRecords(std::vector<RecordSlice> slices);
  explicit ConsumerRecords(Error error) : error_(std::make_unique<Error>(std::move(error))) {}

  [[nodiscard]] Iterator begin() const;
  [[nodiscard]] Iterator end() const;
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] const std::vector<RecordSlice>& slices() const { return slices_; }
  [[nodiscard]] bool ok() const { return error_ == nullptr; }
  /// Only where !ok().
  [[nodiscard]] const Error& error() const { return *error_; }

 private:
  std::vector<RecordSlice> slices_;
  std::size_t count_ = 0;
  std::unique_ptr<Error> error_;
};

class ConsumerRecords::Iterator {
 public:
  using value_type = Record;
  using difference_type = std::ptrdiff_t;
  Iterator() = default;
  Iterator(const RecordSlice* slice, const RecordSlice* end) : slice_(slice), end_(end) { enter(); }
  const Record& operator*() const { return *records_; }
  const Record* operator->() const { return &*records_; }
  Iterator& operator++() {
    records_.next();
    if (!records_.valid()) {
      ++slice_;
      enter();
    }
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const Iterator& a, const Iterator& b) {
    return a.slice_ == b.slice_ && (a.slice_ == a.end_ || a->offset() == b->offset());
  }

 private:
  void enter() {
    if (slice_ != end_) records_ = RecordIterator(*slice_);
  }
  const RecordSlice* slice_ = nullptr;
  const RecordSlice* end_ = nullptr;
  RecordIterator records_;
};

inline ConsumerRecords::Iterator ConsumerRecords::begin() const {
  return {slices_.data(), slices_.data() + slices_.size()};
}
inline ConsumerRecords::Iterator ConsumerRecords::end() const {
  return {slices_.data() + slices_.size(), slices_.data() + slices_.size()};
}

}  // namespace millrace
