#include "log/segment.h"

#include "log/segment_rescan.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <limits>

namespace millrace::log {

Result<std::shared_ptr<File>> Segment::file() {
  if (late_ != nullptr) {
    MILLRACE_CHECK_OK(late_->write());
    late_ = nullptr;
  }
  return openFile();
}

Result<std::shared_ptr<File>> Segment::openFile() {
  used_ = true;
  if (!file_) {
    MILLRACE_TRY(auto opened, files_->system.open(path(), OpenMode::kCreate));
    file_.set(std::move(opened));
  }
  return file_.get();
}

Status Segment::append(std::span<const BytesView> slices, std::span<const Written> batches,
                       const LogConfig& config, LateWrites* late) {
  MILLRACE_CHECK_OK(maxTimestamp());  // before size_ moves
  bool taken = false;
  // The first batch makes the file, whatever becomes of its bytes.
  if (late != nullptr && size_ > 0) {
    MILLRACE_TRY(const auto log, openFile());
    MILLRACE_TRY(taken, late->add(log, size_, slices));
    late_ = taken ? late : nullptr;
  }
  if (!taken) {
    MILLRACE_TRY(const auto log, file());
    if (size_ == 0 && config.preallocate) {
      MILLRACE_CHECK_OK(log->truncate(static_cast<std::uint64_t>(config.segment_bytes)));
      preallocated_ = true;
    }
    MILLRACE_CHECK_OK(log->write(size_, slices));
  }
  for (const Written& batch : batches) MILLRACE_CHECK_OK(noteBatch(batch, config));
  return {};
}

Status Segment::noteBatch(const Written& batch, const LogConfig& config) {
  sealed_ = false;
  if (size_ == 0) {
    first_timestamp_ = batch.max_timestamp;
    first_timestamp_known_ = true;
  }
  if (batch.max_timestamp > max_timestamp_.timestamp)
    max_timestamp_ = {batch.max_timestamp, batch.last_offset};
  if (bytes_since_index_ > static_cast<std::uint64_t>(config.index_interval_bytes)) {
    MILLRACE_CHECK_OK(offset_index_.append(batch.last_offset, static_cast<std::uint32_t>(size_)));
    MILLRACE_CHECK_OK(time_index_.maybeAppend(max_timestamp_.timestamp, max_timestamp_.offset));
    bytes_since_index_ = 0;
  }
  if (tail_.size() == kTailEntries) tail_.erase(tail_.begin(), tail_.begin() + kTailEntries / 2);
  tail_.push_back({batch.last_offset, size_});
  size_ += batch.size;
  bytes_since_index_ += batch.size;
  return {};
}

Result<TimeEntry> Segment::maxTimestamp() {
  if (max_timestamp_known_) return max_timestamp_;
  max_timestamp_ = {-1, base_};
  if (size_ > 0) {
    MILLRACE_TRY(const TimeEntry newest, time_index_.last());
    if (time_index_.entries().torn()) distrustIndexes();
    MILLRACE_TRY(const bool sound, believes(newest));
    // Batches behind the last index entry may be newer than it says.
    MILLRACE_TRY(const auto last, offset_index_.last());
    MILLRACE_TRY(const auto from, believe(last));
    if (sound) max_timestamp_ = newest;
    MILLRACE_TRY(const auto log, file());
    BatchReader reader(*log, from && !distrusted_ ? from->position : 0, size_);
    BatchReader::Head head;
    for (;;) {
      MILLRACE_TRY(const bool more, reader.nextHead(head));
      if (!more) break;
      if (head.max_timestamp > max_timestamp_.timestamp)
        max_timestamp_ = {head.max_timestamp, head.last_offset};
    }
  }
  max_timestamp_known_ = true;
  return max_timestamp_;
}

Result<std::optional<std::int64_t>> Segment::firstTimestamp() {
  if (!first_timestamp_known_ && size_ > 0) {
    MILLRACE_TRY(const auto head, headAt(0));
    first_timestamp_ = head.max_timestamp;
    first_timestamp_known_ = true;
  }
  if (!first_timestamp_known_ || first_timestamp_ < 0) return std::nullopt;
  return first_timestamp_;
}

Result<Millis> Segment::lastModifiedMs() {
  MILLRACE_TRY(const auto log, file());
  struct stat info{};
  if (log->fd() < 0 || ::fstat(log->fd(), &info) != 0)
    return std::numeric_limits<Millis>::max();  // unknown: never too old
  return Millis{info.st_mtim.tv_sec} * 1000 + info.st_mtim.tv_nsec / 1'000'000;
}

Result<Millis> Segment::newestMs() {
  MILLRACE_TRY(const TimeEntry newest, maxTimestamp());
  if (newest.timestamp >= 0) return newest.timestamp;
  return lastModifiedMs();
}

Result<bool> Segment::shouldRoll(std::uint64_t bytes, std::int64_t timestamp, Offset last,
                                 Millis now_ms, Millis max_age_ms, const LogConfig& config) {
  if (last - base_ > std::numeric_limits<std::int32_t>::max()) return true;
  if (size_ == 0) return false;
  if (size_ + bytes > static_cast<std::uint64_t>(config.segment_bytes)) return true;
  MILLRACE_TRY(const auto first, firstTimestamp());
  if (first) {
    if (timestamp - *first > max_age_ms) return true;
  } else {
    if (!began_ms_) {
      MILLRACE_TRY(began_ms_, lastModifiedMs());
    }
    if (now_ms - *began_ms_ > max_age_ms) return true;
  }
  const auto index_bytes = static_cast<std::uint32_t>(config.segment_index_bytes);
  MILLRACE_TRY(const std::uint32_t offsets, offset_index_.entries().count());
  MILLRACE_TRY(const std::uint32_t times, time_index_.entries().count());
  return offsets >= index_bytes / OffsetIndex::kEntrySize ||
         times + 1 >= index_bytes / TimeIndex::kEntrySize;
}

Status Segment::seal() {
  MILLRACE_TRY(const TimeEntry newest, maxTimestamp());
  if (newest.timestamp >= 0)
    MILLRACE_CHECK_OK(time_index_.maybeAppend(newest.timestamp, newest.offset));
  MILLRACE_CHECK_OK(saveIndexes(true));
  if (late_ != nullptr || preallocated_) {
    MILLRACE_TRY(const auto log, file());
    if (preallocated_) MILLRACE_CHECK_OK(log->truncate(size_));
    preallocated_ = false;
  }
  tail_.clear();
  tail_.shrink_to_fit();
  sealed_ = true;
  return {};
}

Result<bool> Segment::isBlankFrom(std::uint64_t position) {
  MILLRACE_TRY(const auto log, file());
  std::array<char, 4096> block;
  MILLRACE_TRY(const std::size_t got, log->read(position, block.data(), block.size()));
  return std::all_of(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(got),
                     [](char byte) { return byte == 0; });
}

Status Segment::cutIndexes(Boundary from) {
  sealed_ = false;
  tail_.clear();
  bytes_since_index_ = 0;
  size_ = from.position;
  sound_.cut(from.position);
  if (from.position == 0) {
    MILLRACE_CHECK_OK(offset_index_.entries().truncate(0));
    MILLRACE_CHECK_OK(time_index_.entries().truncate(0));
    max_timestamp_ = {-1, base_};
    first_timestamp_known_ = false;
    max_timestamp_known_ = true;
    return {};
  }
  MILLRACE_CHECK_OK(time_index_.truncateToOffset(from.next));
  MILLRACE_CHECK_OK(offset_index_.truncateToPosition(from.position));
  max_timestamp_known_ = false;
  MILLRACE_CHECK_OK(maxTimestamp());
  return {};
}

Result<bool> Segment::checkIndexes(const LogConfig& config) {
  if (checked_ || size_ == 0) return false;
  checked_ = true;
  const Status offsets = offset_index_.check(std::max<std::uint64_t>(size_, 1));
  const Status times = time_index_.check();
  for (const Status* status : {&offsets, &times})
    if (!*status && status->error().code != Errc::kCorruptData)
      return std::unexpected(status->error());
  if (offsets && times && !distrusted_) return false;
  distrusted_ = false;
  const std::uint64_t size = size_;
  MILLRACE_CHECK_OK(beginIndexes());
  MILLRACE_CHECK_OK(cutIndexes({0, base_}));
  Status made = rescan({0, base_}, size, config,
                       [](const record::BatchView&, std::uint64_t) { return Status{}; });
  if (made) made = seal();
  if (made) made = settleIndexes();
  if (made) return true;
  size_ = size;  // what to do about the damage is for others to say
  distrustIndexes();
  return std::unexpected(made.error());
}

Status Segment::beginIndexes() {
  MILLRACE_CHECK_OK(offset_index_.entries().beginAnew());
  return time_index_.entries().beginAnew();
}

Status Segment::settleIndexes() {
  distrusted_ = false;
  MILLRACE_TRY(const bool offsets, offset_index_.entries().settle());
  MILLRACE_TRY(const bool times, time_index_.entries().settle());
  return offsets || times ? files_->system.syncDirectory(files_->directory) : Status{};
}

Result<bool> Segment::indexesFit(Boundary from) {
  MILLRACE_TRY(const bool offsets, offset_index_.rises());
  MILLRACE_TRY(const bool times, time_index_.rises());
  if (!offsets || !times) return false;
  MILLRACE_TRY(const auto behind, time_index_.firstFrom(from.next));
  if (!behind) return true;
  const auto place = find(behind->offset);
  if (!place && place.error().code != Errc::kCorruptData) return std::unexpected(place.error());
  if (!place || place->position >= size_) return false;
  const auto head = headAt(place->position);
  if (!head && head.error().code != Errc::kCorruptData) return std::unexpected(head.error());
  return head && head->last_offset == behind->offset && head->max_timestamp == behind->timestamp;
}

Status Segment::truncate(std::uint64_t position, Offset next_offset) {
  sealed_ = false;
  MILLRACE_TRY(const auto log, file());
  MILLRACE_CHECK_OK(log->truncate(position));
  MILLRACE_CHECK_OK(offset_index_.truncateToPosition(position));
  MILLRACE_CHECK_OK(time_index_.truncateToOffset(next_offset));
  // One that nobody has looked at yet may be damaged, and what seems to lie behind the cut lie
  // before it: recovery makes it right.
  if (txn_trust_ == TxnTrust::kChecked) MILLRACE_CHECK_OK(txnIndex().truncateToOffset(next_offset));
  std::erase_if(tail_, [=](const TailEntry& e) { return e.position >= position; });
  sound_.cut(position);
  size_ = position;
  preallocated_ = false;
  bytes_since_index_ = 0;
  max_timestamp_known_ = false;
  if (position == 0) {
    first_timestamp_known_ = false;
    began_ms_.reset();
  }
  return {};
}

TxnIndex& Segment::txnIndex() {
  if (txn_index_ == nullptr) txn_index_ = std::make_unique<TxnIndex>(*files_, base_);
  return *txn_index_;
}

Status Segment::replaceTxnIndex(std::span<const AbortedTransaction> all) {
  Bytes bytes;
  for (const AbortedTransaction& txn : all) bytes += encodeTxnEntry(txn);
  txn_index_.reset();
  return files_->system.writeAtomically(files_->path(base_, FileKind::kTxnIndex), bytes);
}

Status Segment::saveIndexes(bool create) {
  MILLRACE_CHECK_OK(offset_index_.entries().save(create));
  MILLRACE_CHECK_OK(time_index_.entries().save(create));
  if (txn_index_ != nullptr) MILLRACE_CHECK_OK(txn_index_->entries().save());
  return {};
}

Status Segment::releaseUnused() {
  if (used_) {
    used_ = false;
    return {};
  }
  MILLRACE_CHECK_OK(release());
  tail_.clear();
  tail_.shrink_to_fit();
  return {};
}

void Segment::closeIndexes() {
  offset_index_.entries().close();
  time_index_.entries().close();
  if (txn_index_ != nullptr) txn_index_->entries().close();
}

Status Segment::release() {
  MILLRACE_CHECK_OK(offset_index_.entries().release());
  MILLRACE_CHECK_OK(time_index_.entries().release());
  if (txn_index_ != nullptr) MILLRACE_CHECK_OK(txn_index_->entries().release());
  if (late_ != nullptr) {
    MILLRACE_CHECK_OK(late_->write());
    late_->giveBack();
    late_ = nullptr;
  }
  file_.reset();
  return {};
}

bool Segment::takeNewNames() {
  const bool offsets = offset_index_.entries().takeMade();
  const bool times = time_index_.entries().takeMade();
  const bool txns = txn_index_ != nullptr && txn_index_->entries().takeMade();
  return offsets || times || txns;
}

Status Segment::collectFiles(std::vector<std::shared_ptr<File>>& out) {
  MILLRACE_CHECK_OK(saveIndexes(false));
  MILLRACE_TRY(auto log, file());
  out.push_back(std::move(log));
  MILLRACE_TRY(auto offsets, offset_index_.entries().file());
  if (offsets != nullptr) out.push_back(std::move(offsets));
  MILLRACE_TRY(auto times, time_index_.entries().file());
  if (times != nullptr) out.push_back(std::move(times));
  if (txn_index_ == nullptr) return {};
  MILLRACE_TRY(auto txns, txn_index_->entries().file());
  if (txns != nullptr) out.push_back(std::move(txns));
  return {};
}

}  // namespace millrace::log
