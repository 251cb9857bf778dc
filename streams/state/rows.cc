#include "streams/state/rows.h"

namespace millrace::streams {
namespace {

/// Two sorted walks as one; a buffered row hides the database's row of the same key.
class MergedIterator final : public KeyValueIterator {
 public:
  MergedIterator(const WriteBuffer::Ordered& buffer, BytesView lower, BytesView upper,
                 std::unique_ptr<KeyValueIterator> rows)
      : at_(buffer.lower_bound(lower)),
        end_(upper.empty() ? buffer.end() : buffer.lower_bound(upper)),
        rows_(std::move(rows)) {
    settle();
  }

  bool valid() const override { return at_ != end_ || rows_->valid(); }
  void next() override {
    advance();
    settle();
  }
  BytesView key() const override { return from_buffer_ ? at_->first : rows_->key(); }
  BytesView value() const override { return from_buffer_ ? *at_->second->value() : rows_->value(); }
  Status status() const override { return rows_->status(); }

 private:
  void advance() {
    if (!from_buffer_) return rows_->next();
    if (hides_) rows_->next();
    ++at_;
  }
  /// Stands on the next row that is not deleted.
  void settle() {
    for (; valid(); advance()) {
      const bool has_row = rows_->valid();
      const int order = at_ == end_ ? 1 : !has_row ? -1 : at_->first.compare(rows_->key());
      from_buffer_ = order <= 0;
      hides_ = order == 0;
      if (!from_buffer_ || !at_->second->deleted) return;
    }
  }

  WriteBuffer::Ordered::const_iterator at_;
  WriteBuffer::Ordered::const_iterator end_;
  std::unique_ptr<KeyValueIterator> rows_;
  bool from_buffer_ = false;
  bool hides_ = false;
};

}  // namespace

Result<bool> Rows::get(BytesView key, Bytes& out) const {
  const WriteBuffer::Entry* const entry = buffer_.find(key);
  if (entry == nullptr) return database_.get(family_, key, out);
  if (entry->deleted) return false;
  const auto value = entry->value();
  out.assign(value->data(), value->size());
  return true;
}

Status Rows::put(BytesView key, std::optional<BytesView> value, Millis timestamp,
                 std::size_t strip) {
  buffer_.put(key, value);
  if (changelog_ == nullptr) return {};
  if (value) value->remove_prefix(strip);
  return changelog_->append(key, value, timestamp);
}

std::unique_ptr<KeyValueIterator> Rows::walk(BytesView lower, BytesView upper) {
  auto rows = database_.walk(family_, lower, upper);
  if (buffer_.count() == 0) return rows;
  return std::make_unique<MergedIterator>(buffer_.ordered(), lower, upper, std::move(rows));
}

std::int64_t Rows::approximateRows() const {
  return database_.approximateRows(family_) + static_cast<std::int64_t>(buffer_.count());
}

Bytes afterPrefix(BytesView prefix) {
  Bytes next(prefix);
  while (!next.empty() && static_cast<unsigned char>(next.back()) == 0xFF) next.pop_back();
  if (!next.empty()) next.back() = static_cast<char>(static_cast<unsigned char>(next.back()) + 1);
  return next;
}

}  // namespace millrace::streams
