#include "log/check/transaction_check.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::log::detail {

void TransactionCheck::onData(const record::BatchView& batch) {
  if (batch.isTransactional() && batch.recordCount() > 0)
    open_.try_emplace(batch.producerId(), batch.baseOffset());
}

void TransactionCheck::onMarker(const record::BatchView& batch, record::ControlType type) {
  if (type != record::ControlType::kAbort && type != record::ControlType::kCommit) return;
  const auto found = open_.find(batch.producerId());
  std::optional<Offset> first;
  if (found != open_.end()) {
    first = found->second;
    open_.erase(found);
  }
  if (type == record::ControlType::kAbort)
    aborts_.push_back({batch.producerId(), batch.lastOffset(), first});
}

void TransactionCheck::finishSegment(const LogFiles& files, Offset base, Offset trusted,
                                     bool whole) {
  const std::string path = files.path(base, FileKind::kTxnIndex);
  const auto size = [&]() -> Result<std::uint64_t> {
    MILLRACE_TRY(const auto file, files.system.open(path, OpenMode::kRead));
    return file->size();
  }();
  if (!size && size.error().code != Errc::kNotFound) {
    report_.problem(path, std::nullopt, size.error());
  } else if (size && *size % TxnIndex::kEntrySize != 0) {
    report_.problem(
        path, *size - *size % TxnIndex::kEntrySize,
        fmt::format("{} bytes are no multiple of an entry's {}", *size, TxnIndex::kEntrySize));
  } else {
    const auto bytes = size ? files.system.readAll(path) : Result<Bytes>(Bytes{});
    const auto entries =
        bytes ? decodeTxnEntries(path, *bytes)
              : Result<std::vector<AbortedTransaction>>(std::unexpected(bytes.error()));
    if (!entries)
      report_.problem(path, std::nullopt, entries.error());
    else if (whole)
      compare(path, *entries, trusted);
  }
  aborts_.clear();
}

void TransactionCheck::compare(const std::string& path,
                               const std::vector<AbortedTransaction>& entries, Offset trusted) {
  Offset last{-1};
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const AbortedTransaction& e = entries[i];
    const std::uint64_t at = i * TxnIndex::kEntrySize;
    const auto marker = std::ranges::find(aborts_, e.last_offset, &Abort::marker);
    if (e.first_offset > e.last_offset || e.last_offset <= last ||
        e.last_stable_offset > e.last_offset + 1) {
      report_.problem(
          path, at,
          fmt::format("a transaction from {} to {}, last stable offset {}, "
                      "does not follow the one before it",
                      e.first_offset.value(), e.last_offset.value(), e.last_stable_offset.value()));
    } else if (marker == aborts_.end() || marker->producer != e.producer_id) {
      report_.problem(path, at,
                      fmt::format("the log has no abort of producer {} at offset {}",
                                  e.producer_id.value(), e.last_offset.value()));
    } else if (marker->first && *marker->first < e.first_offset) {
      report_.problem(path, at,
                      fmt::format("the transaction begins at offset {}, not {}",
                                  marker->first->value(), e.first_offset.value()));
    }
    last = e.last_offset;
  }
  for (const Abort& abort : aborts_) {
    if (!abort.first || abort.marker >= trusted) continue;
    if (std::ranges::find(entries, abort.marker, &AbortedTransaction::last_offset) == entries.end())
      report_.problem(path, std::nullopt,
                      fmt::format("the transaction of producer {} aborted at offset {} is missing",
                                  abort.producer.value(), abort.marker.value()));
  }
}

}  // namespace millrace::log::detail
