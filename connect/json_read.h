// Reading JSON into Connect's values, with a schema or without.
#pragma once

#include "base/result.h"
#include "connect/converter.h"
#include "connect/json_text.h"

namespace millrace::connect {

/// The first JSON value of `text`; what follows it is ignored, as Kafka's converter does. With
/// options.schemas the text must be an object of exactly "schema" and "payload". Errors:
/// kMalformed.
[[nodiscard]] Result<SchemaAndValue> readJson(BytesView text, const JsonOptions& options);

/// A schema as JSON, for schema.content. Errors: kMalformed.
[[nodiscard]] Result<SchemaPtr> readJsonSchema(BytesView text, const JsonOptions& options);

}  // namespace millrace::connect
