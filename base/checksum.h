// Checksums and hashes that Kafka's formats use.
#pragma once

#include "base/bytes.h"

#include <cstdint>

namespace millrace {

/// CRC-32C (Castagnoli), as record batches and snapshots use it. ISA-L underneath.
[[nodiscard]] std::uint32_t crc32c(BytesView data);
/// Continues a CRC over further bytes: crc32c(a+b) == crc32c(crc32c(a), b).
[[nodiscard]] std::uint32_t crc32c(std::uint32_t crc, BytesView data);
/// Kafka's murmur2 (org.apache.kafka.common.utils.Utils.murmur2), seed 0x9747b28c.
[[nodiscard]] std::int32_t murmur2(BytesView data);
/// Kafka's default partition of a serialised key: toPositive(murmur2(key)) % partitions. partitions
/// > 0.
[[nodiscard]] std::int32_t partitionForKey(BytesView key, std::int32_t partitions);
/// Java's String.hashCode over the UTF-16 units of UTF-8 text: coordinators choose their partition
/// by it.
[[nodiscard]] std::int32_t javaStringHash(std::string_view utf8);

}  // namespace millrace
