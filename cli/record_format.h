// How consumed records are printed.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "record/records.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::cli {

/// What there is to print of a record; borrowed.
struct PrintedRecord {
  std::string_view topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp = -1;
  std::optional<BytesView> key;
  std::optional<BytesView> value;
  std::vector<record::HeaderView> headers;
};

/// A format as kcat's: %t topic, %p partition, %o offset, %T timestamp in ms, %d the same as a
/// date, %k key, %v or %s value, %K and %V or %S their sizes (-1 for null), %h headers as a=b,c=d,
/// %% a percent sign; and the escapes \n \r \t \0 \\ \xHH. Everything else stands for itself.
class RecordFormat {
 public:
  /// Errors: kConfig for an unknown token or escape.
  [[nodiscard]] static Result<RecordFormat> parse(std::string_view text, std::string null_text);
  /// Appends the record to `out`.
  void render(const PrintedRecord& record, std::string& out) const;

 private:
  struct Part {
    char token;  ///< 0: literal text
    std::string literal;
  };
  std::vector<Part> parts_;
  std::string null_text_;
};

/// Appends the record as a line of JSON. Keys and values that are not UTF-8 become {"base64":
/// "..."}.
void renderJson(const PrintedRecord& record, std::string& out);

}  // namespace millrace::cli
