// The rows of one persistent store: uncommitted writes over committed ones.
#pragma once

#include "streams/state/changelog.h"
#include "streams/state/task_database.h"
#include "streams/state/write_buffer.h"
#include "streams/store.h"

#include <memory>
#include <optional>

namespace millrace::streams {

/// Reads see the buffer first, then the database. Every put is logged, unless it comes from a
/// restore.
class Rows {
 public:
  Rows(TaskDatabase& database, std::size_t family) : database_(database), family_(family) {}

  /// Null while the store restores or has no changelog.
  void setChangelog(ChangelogWriter* changelog) { changelog_ = changelog; }

  [[nodiscard]] Result<bool> get(BytesView key, Bytes& out) const;
  /// Buffers only.
  void apply(BytesView key, std::optional<BytesView> value) { buffer_.put(key, value); }
  /// Buffers and logs; the first `strip` bytes of the value stay out of the changelog.
  [[nodiscard]] Status put(BytesView key, std::optional<BytesView> value, Millis timestamp,
                           std::size_t strip);
  /// Rows with lower <= key < upper (empty: open).
  [[nodiscard]] std::unique_ptr<KeyValueIterator> walk(BytesView lower, BytesView upper);
  [[nodiscard]] std::int64_t approximateRows() const;
  void expireBefore(Millis time) { database_.expireBefore(family_, time); }

  [[nodiscard]] WriteBuffer& buffer() { return buffer_; }
  [[nodiscard]] std::size_t family() const { return family_; }

 private:
  TaskDatabase& database_;
  std::size_t family_;
  WriteBuffer buffer_;
  ChangelogWriter* changelog_ = nullptr;
};

/// The smallest key above every key that begins with `prefix`; empty where there is none.
[[nodiscard]] Bytes afterPrefix(BytesView prefix);
/// The smallest key above `key`.
[[nodiscard]] inline Bytes after(BytesView key) { return Bytes(key) + '\0'; }

}  // namespace millrace::streams
