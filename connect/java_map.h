// The format of a standalone worker's offset file: a Java HashMap<byte[], byte[]>, serialised.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <map>
#include <optional>

namespace millrace::connect {

/// Keys and values as bytes; a null value stands for a deleted offset.
using ByteMap = std::map<Bytes, std::optional<Bytes>>;

/// What java.io.ObjectOutputStream writes for such a map.
[[nodiscard]] Bytes writeJavaMap(const ByteMap& map);
/// Errors: kMalformed where the bytes are not such a map.
[[nodiscard]] Result<ByteMap> readJavaMap(BytesView bytes);

}  // namespace millrace::connect
