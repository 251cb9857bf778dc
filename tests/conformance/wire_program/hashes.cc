// CRC-32C, and murmur2 with the partition that follows from it.
#include "base/checksum.h"
#include "vectors.h"

#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace millrace::wire_check {

std::string checkCrc(const boost::json::object& vector) {
  const auto hex = stringAt(vector, "hex");
  if (!hex) return hex.error().toString();
  const auto bytes = fromHex(*hex);
  if (!bytes) return bytes.error().toString();
  const std::uint32_t crc = crc32c(*bytes);
  // In two pieces it must give the same.
  const std::size_t half = bytes->size() / 2;
  const std::uint32_t joined =
      crc32c(crc32c(BytesView(*bytes).substr(0, half)), BytesView(*bytes).substr(half));
  if (crc != joined) return fmt::format("crc32c is {}, but {} in two pieces", crc, joined);
  return vector.at("crc32c").as_int64() == crc ? "" : fmt::format("crc32c is {}", crc);
}

std::string checkMurmur2(const boost::json::object& vector) {
  const auto hex = stringAt(vector, "hex");
  if (!hex) return hex.error().toString();
  const auto bytes = fromHex(*hex);
  if (!bytes) return bytes.error().toString();
  const std::int32_t hash = murmur2(*bytes);
  if (vector.at("murmur2").as_int64() != hash) return fmt::format("murmur2 is {}", hash);
  const std::int32_t partition = partitionForKey(*bytes, 7);
  return vector.at("partition_of_7").as_int64() == partition
             ? ""
             : fmt::format("the partition of 7 is {}", partition);
}

}  // namespace millrace::wire_check
