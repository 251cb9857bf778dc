// Writing JSON the way Kafka Connect's converter does.
#pragma once

#include "base/result.h"
#include "connect/schema.h"

#include <string>
#include <string_view>

namespace millrace::connect {

enum class DecimalFormat { kBase64, kNumeric };

struct JsonOptions {
  bool schemas = true;  ///< an envelope with schema and payload
  DecimalFormat decimals = DecimalFormat::kBase64;
  bool null_becomes_default = true;
  SchemaPtr content = {};  ///< schema.content: of every value read, which then has no envelope
};

void appendJsonString(std::string_view text, std::string& out);
/// Errors: kMalformed where the value is not of the schema's type or has no JSON form.
Status appendJson(const SchemaPtr& schema, const Value& value, const JsonOptions& options,
                  std::string& out);
/// The schema itself; "null" for none.
Status appendJsonSchema(const SchemaPtr& schema, const JsonOptions& options, std::string& out);

}  // namespace millrace::connect
