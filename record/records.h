// The records inside a batch: a cursor that decodes one record after the other without copying or
// allocating.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "record/batch.h"

#include <cstdint>
#include <optional>

namespace millrace::record {

/// One header of a record. Keys need not be UTF-8, and may repeat.
struct HeaderView {
  BytesView key;
  std::optional<BytesView> value;
};

/// The headers of a record in order; decoded while walking. The cursor has checked them, so walking
/// cannot fail.
class HeadersView {
 public:
  HeadersView() = default;
  HeadersView(BytesView encoded, std::int32_t count) : encoded_(encoded), count_(count) {}

  class Iterator {
   public:
    Iterator() = default;
    Iterator(BytesView rest, std::int32_t left) : rest_(rest), left_(left) { load(); }
    const HeaderView& operator*() const { return current_; }
    const HeaderView* operator->() const { return &current_; }
    Iterator& operator++() {
      --left_;
      load();
      return *this;
    }
    bool operator==(const Iterator& o) const { return left_ == o.left_; }

   private:
    void load();
    BytesView rest_;
    std::int32_t left_ = 0;
    HeaderView current_;
  };

  [[nodiscard]] Iterator begin() const { return {encoded_, count_}; }
  [[nodiscard]] Iterator end() const { return {}; }
  [[nodiscard]] std::int32_t size() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  /// The headers as they stand in the record, without their count: may be copied into another
  /// record.
  [[nodiscard]] BytesView encoded() const { return encoded_; }
  /// The last header of that key (Kafka's Headers.lastHeader).
  [[nodiscard]] std::optional<HeaderView> last(BytesView key) const;

 private:
  BytesView encoded_;
  std::int32_t count_ = 0;
};

/// A record; key, value and headers point into the batch or its unpacked form.
struct RecordView {
  Offset offset;
  /// Milliseconds; the batch's max timestamp where it has LogAppendTime.
  std::int64_t timestamp = kNoTimestamp;
  std::optional<BytesView> key;
  std::optional<BytesView> value;
  HeadersView headers;
  /// kNoSequence in a batch without a base sequence.
  std::int32_t sequence = kNoSequence;
};

/// Decodes a batch's records in order. `while (cursor.next(record)) {...}`, then look at status().
class RecordCursor {
 public:
  RecordCursor() = default;
  /// `records` is the unpacked form of the batch's payload; both must outlive the cursor and its
  /// records.
  RecordCursor(const BatchView& batch, BytesView records);

  /// False at the end and on an error.
  bool next(RecordView& out);
  /// Errors: kInvalidRecord for a malformed record, a count that differs or bytes left over;
  /// kMalformed for a record length that is no varint.
  [[nodiscard]] const Status& status() const { return status_; }
  /// Records still to come.
  [[nodiscard]] std::int32_t remaining() const { return left_; }
  /// Whether status() is an error because there are no bytes for what the batch counts.
  [[nodiscard]] bool endedEarly() const { return ended_early_; }

 private:
  bool decodeBody(const char* end, RecordView& out);
  bool finish();
  bool failWith(Errc code, const char* what);

  const char* p_ = nullptr;
  const char* end_ = nullptr;
  std::int64_t base_offset_ = 0;
  std::int64_t base_timestamp_ = 0;
  std::int64_t append_timestamp_ = kNoTimestamp;
  std::int32_t base_sequence_ = kNoSequence;
  std::int32_t count_ = 0;
  std::int32_t left_ = 0;
  bool log_append_time_ = false;
  bool ended_early_ = false;
  Status status_;
};

/// Opens the records of a batch; unpacks them into `scratch` where they are compressed, which must
/// then outlive the cursor. Errors: kMalformed for an unknown codec, kCorruptData where it does not
/// unpack within `max_size` bytes, kInvalidRecord for a negative count. Where it unpacks in part,
/// and a record in that part is malformed, that is the error: Kafka reads records while it unpacks.
[[nodiscard]] Result<RecordCursor> openRecords(const BatchView& batch, Bytes& scratch,
                                               std::size_t max_size = kDefaultMaxUncompressedBytes);

/// What a control batch's record says (Kafka's ControlRecordType).
enum class ControlType : std::int16_t {
  kUnknown = -1,
  kAbort = 0,
  kCommit = 1,
  kLeaderChange = 2,
  kSnapshotHeader = 3,
  kSnapshotFooter = 4,
  kKRaftVersion = 5,
  kKRaftVoters = 6,
};
/// "COMMIT", "LEADER_CHANGE", ...; "UNKNOWN".
[[nodiscard]] std::string_view controlTypeName(ControlType type);
/// Errors: kInvalidRecord for a key of fewer than 4 bytes or a negative version.
[[nodiscard]] Result<ControlType> parseControlKey(std::optional<BytesView> key);

/// The value of an ABORT or COMMIT record (EndTxnMarker).
struct EndTxnMarker {
  ControlType type = ControlType::kAbort;
  std::int32_t coordinator_epoch = -1;
};
/// Errors: kInvalidRecord for another type or a malformed value.
[[nodiscard]] Result<EndTxnMarker> parseEndTxnMarker(const RecordView& record);

}  // namespace millrace::record
