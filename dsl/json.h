// JSON text without Boost.JSON's headers: a writer that appends, and values read from a parsed
// document.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace millrace::json {

void writeString(std::string_view text, Bytes& out);
void writeInteger(std::int64_t value, Bytes& out);
void writeUnsigned(std::uint64_t value, Bytes& out);
/// The shortest text that reads back as the same number; null for infinities and NaN, as JavaScript
/// does.
void writeDouble(double value, Bytes& out);
/// "2013-01-01T05:00:00Z", with milliseconds where there are any.
void writeTime(std::int64_t ms_since_1970, Bytes& out);

/// A value inside a Document; valid as long as that is.
class Value {
 public:
  Value() = default;
  explicit Value(const void* node) : node_(node) {}
  [[nodiscard]] bool isNull() const;
  [[nodiscard]] bool isObject() const;
  /// nullopt where the object has no such member.
  [[nodiscard]] std::optional<Value> member(std::string_view name) const;
  /// Elements of an array; nullopt where it is none.
  [[nodiscard]] std::optional<std::size_t> arraySize() const;
  [[nodiscard]] Value element(std::size_t index) const;
  /// Members of an object in their order.
  [[nodiscard]] std::size_t memberCount() const;
  [[nodiscard]] std::string_view memberName(std::size_t index) const;
  [[nodiscard]] Value memberValue(std::size_t index) const;

  // nullopt where the value is of another type or does not fit.
  [[nodiscard]] std::optional<std::string_view> text() const;
  [[nodiscard]] std::optional<bool> boolean() const;
  [[nodiscard]] std::optional<std::int64_t> integer() const;
  [[nodiscard]] std::optional<std::uint64_t> unsignedInteger() const;
  [[nodiscard]] std::optional<double> number() const;
  /// ISO text in UTC, or a number of milliseconds.
  [[nodiscard]] std::optional<std::int64_t> timeMs() const;

 private:
  const void* node_ = nullptr;
};

/// A parsed text. Errors: kMalformed with the position.
class Document {
 public:
  [[nodiscard]] static Result<Document> parse(std::string_view text);
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();
  [[nodiscard]] Value root() const;

 private:
  struct Tree;
  explicit Document(std::unique_ptr<Tree> tree);
  std::unique_ptr<Tree> tree_;
};

}  // namespace millrace::json
