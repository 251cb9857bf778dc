#include "connect/java_map.h"

#include "base/varint.h"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

namespace millrace::connect {

// Grammar (Java Object Serialization Specification, section 6), for this one shape:
//   stream  := AC ED 00 05 object(HashMap)
//   object  := 73 classDesc(HashMap) float(loadFactor) int(threshold)
//              77 08 int(capacity) int(size) { bytes bytes }*size 78
//   bytes   := 70 (null) | 75 classDesc([B) int(length) byte*length | 71 handle
//   classDesc := 72 utf(name) long(uid) flags short(fields) field* 78 70 | 71 int(handle)
namespace {

constexpr std::string_view kMagic("\xAC\xED\x00\x05", 4);
constexpr char kNull = 0x70;
constexpr char kReference = 0x71;
constexpr char kClassDesc = 0x72;
constexpr char kObject = 0x73;
constexpr char kArray = 0x75;
constexpr char kBlock = 0x77;
constexpr char kEnd = 0x78;
constexpr std::uint32_t kFirstHandle = 0x7E0000;
constexpr std::uint64_t kHashMapUid = 0x0507DAC1C31660D1;
constexpr std::uint64_t kBytesUid = 0xACF317F8060854E0;
constexpr std::uint32_t kLoadFactor = 0x3F400000;  // 0.75f

template <class T>
void put(Bytes& out, T value) {
  char buffer[sizeof(T)];
  storeBe(buffer, value);
  out.append(buffer, sizeof(T));
}

void putName(Bytes& out, std::string_view name) {
  put(out, static_cast<std::uint16_t>(name.size()));
  out += name;
}

/// The array's class once in full, then by its handle (the second class described in the stream).
void putBytes(Bytes& out, const Bytes& bytes, bool& described) {
  out += kArray;
  if (described) {
    // Handles in order: HashMap's class 0, its field names are no handles, the map 1, [B 2.
    out += kReference;
    put(out, kFirstHandle + 2);
  } else {
    out += kClassDesc;
    putName(out, "[B");
    put(out, kBytesUid);
    out += '\x02';
    put(out, std::uint16_t{0});
    out += kEnd;
    out += kNull;
    described = true;
  }
  put(out, static_cast<std::uint32_t>(bytes.size()));
  out += bytes;
}

class Reader {
 public:
  explicit Reader(BytesView bytes) : rest_(bytes) {}

  Result<ByteMap> read() {
    if (!take(kMagic) || !take(std::string_view(&kObject, 1))) return broken();
    MILLRACE_CHECK_OK(skipClass());
    skip(8);  // loadFactor, threshold
    if (!take(std::string_view(&kBlock, 1)) || !take(std::string_view("\x08", 1))) return broken();
    skip(4);  // capacity
    const auto size = number<std::int32_t>();
    ByteMap map;
    for (std::int32_t i = 0; i < size && !failed_; ++i) {
      MILLRACE_TRY(std::optional<Bytes> key, readBytes());
      MILLRACE_TRY(std::optional<Bytes> value, readBytes());
      if (key) map.insert_or_assign(std::move(*key), std::move(value));
    }
    if (!take(std::string_view(&kEnd, 1)) || failed_) return broken();
    return map;
  }

 private:
  static std::unexpected<Error> broken() {
    return fail(Errc::kMalformed, "not a serialised java.util.HashMap of byte arrays");
  }
  bool take(std::string_view wanted) {
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(wanted.size());
    return true;
  }
  void skip(std::size_t size) {
    failed_ = failed_ || rest_.size() < size;
    if (!failed_) rest_.remove_prefix(size);
  }
  template <class T>
  T number() {
    failed_ = failed_ || rest_.size() < sizeof(T);
    if (failed_) return 0;
    const T value = loadBe<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return value;
  }
  /// A class description, whatever it says: the shape that follows is known.
  Status skipClass() {
    if (take(std::string_view(&kReference, 1))) {
      skip(4);
      return {};
    }
    if (!take(std::string_view(&kClassDesc, 1))) return broken();
    skip(number<std::uint16_t>());
    skip(9);  // uid and flags
    const auto fields = number<std::uint16_t>();
    for (int i = 0; i < fields; ++i) {
      skip(1);  // a primitive type's letter
      skip(number<std::uint16_t>());
    }
    if (failed_ || !take(std::string_view(&kEnd, 1)) || !take(std::string_view(&kNull, 1))) {
      return broken();
    }
    return {};
  }
  Result<std::optional<Bytes>> readBytes() {
    if (take(std::string_view(&kNull, 1))) return std::nullopt;
    if (!take(std::string_view(&kArray, 1))) return broken();
    MILLRACE_CHECK_OK(skipClass());
    const auto size = number<std::uint32_t>();
    if (failed_ || rest_.size() < size) return broken();
    Bytes bytes(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return bytes;
  }

  BytesView rest_;
  bool failed_ = false;
};

}  // namespace

Bytes writeJavaMap(const ByteMap& map) {
  Bytes out(kMagic);
  out += kObject;
  out += kClassDesc;
  putName(out, "java.util.HashMap");
  put(out, kHashMapUid);
  out += '\x03';
  put(out, std::uint16_t{2});
  out += 'F';
  putName(out, "loadFactor");
  out += 'I';
  putName(out, "threshold");
  out += kEnd;
  out += kNull;
  // A capacity that holds the entries at this load factor.
  const auto wanted = static_cast<std::uint32_t>(map.size() * 4 / 3 + 1);
  const std::uint32_t capacity = std::max(16U, std::bit_ceil(wanted));
  put(out, kLoadFactor);
  put(out, capacity * 3 / 4);
  out += kBlock;
  out += '\x08';
  put(out, capacity);
  put(out, static_cast<std::uint32_t>(map.size()));
  bool described = false;
  for (const auto& [key, value] : map) {
    putBytes(out, key, described);
    if (value) {
      putBytes(out, *value, described);
    } else {
      out += kNull;
    }
  }
  out += kEnd;
  return out;
}

Result<ByteMap> readJavaMap(BytesView bytes) { return Reader(bytes).read(); }

}  // namespace millrace::connect
