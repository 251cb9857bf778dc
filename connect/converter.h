// Converters: between a record's bytes in the log and Connect's values.
#pragma once

#include "base/properties.h"
#include "base/result.h"
#include "connect/schema.h"

#include <memory>
#include <optional>
#include <string>

namespace millrace::connect {

struct SchemaAndValue {
  SchemaPtr schema;
  Value value;
};

/// One per task and side (key or value); used by one thread at a time.
class Converter {
 public:
  virtual ~Converter() = default;
  /// nullopt: a null key or value. Errors: kMalformed where the value does not fit.
  [[nodiscard]] virtual Result<std::optional<Bytes>> fromConnect(const SchemaPtr& schema,
                                                                 const Value& value) = 0;
  /// Errors: kMalformed where the bytes do not hold what the converter expects.
  [[nodiscard]] virtual Result<SchemaAndValue> toConnect(std::optional<BytesView> bytes) = 0;
};

/// `name` as in key.converter: "org.apache.kafka.connect.json.JsonConverter", or its last part.
/// `config` without the prefix ("schemas.enable"). Errors: kConfig.
[[nodiscard]] Result<std::unique_ptr<Converter>> makeConverter(std::string_view name,
                                                               const Properties& config);

}  // namespace millrace::connect
