// From types to bytes and back: Kafka's serdes for plain types, JSON for described structs, or your
// own.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/uuid.h"
#include "base/varint.h"
#include "dsl/json_serde.h"
#include "dsl/types.h"

#include <bit>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace millrace {

/// Specialise it for your own type: `static void serialize(const T&, Bytes& out)` appends,
/// `static Status deserialize(BytesView, T& out)` replaces. Null never gets here.
template <class T>
struct Serde;

/// A serde that is given where the one of the type does not fit: `{.valueSerde =
/// std::make_shared<Mine>()}`. Shared by threads: const.
template <class T>
class CustomSerde {
 public:
  virtual ~CustomSerde() = default;
  virtual void serialize(const T& value, Bytes& out) const = 0;
  [[nodiscard]] virtual Status deserialize(BytesView bytes, T& out) const = 0;
};
template <class T>
using SerdePtr = std::shared_ptr<const CustomSerde<T>>;

template <class T>
concept HasSerde = requires(const T& in, T& out, Bytes& bytes) {
  Serde<T>::serialize(in, bytes);
  { Serde<T>::deserialize(BytesView{}, out) } -> std::same_as<Status>;
};

namespace dsl {

[[nodiscard]] std::unexpected<Error> wrongSize(BytesView bytes, std::size_t expected);
void serializeUuid(const Uuid& uuid, Bytes& out);
[[nodiscard]] Status deserializeUuid(BytesView bytes, Uuid& out);

/// Types of which a serde is always given (changes of tables).
template <class T>
inline constexpr bool kCustomSerdeOnly = false;

/// The serde of a type, or the one that was given in its place.
template <class T>
class SerdeOf {
 public:
  SerdeOf() = default;
  SerdeOf(SerdePtr<T> custom)
      : custom_(std::move(custom)) {}  // NOLINT(google-explicit-constructor)

  void serialize(const T& value, Bytes& out) const {
    static_assert(HasSerde<T> || kCustomSerdeOnly<T>,
                  "no serde for this type: BOOST_DESCRIBE_STRUCT it (JSON), or specialise "
                  "millrace::Serde<T>");
    if constexpr (kCustomSerdeOnly<T>) {
      custom_->serialize(value, out);
    } else {
      if (custom_) return custom_->serialize(value, out);
      Serde<T>::serialize(value, out);
    }
  }
  [[nodiscard]] Status deserialize(BytesView bytes, T& out) const {
    static_assert(HasSerde<T> || kCustomSerdeOnly<T>,
                  "no serde for this type: BOOST_DESCRIBE_STRUCT it (JSON), or specialise "
                  "millrace::Serde<T>");
    if constexpr (kCustomSerdeOnly<T>) {
      return custom_->deserialize(bytes, out);
    } else {
      if (custom_) return custom_->deserialize(bytes, out);
      return Serde<T>::deserialize(bytes, out);
    }
  }
  [[nodiscard]] const SerdePtr<T>& custom() const { return custom_; }

 private:
  SerdePtr<T> custom_;
};

template <class T>
concept Number = (std::integral<T> || std::floating_point<T>) && (sizeof(T) <= 8);

template <std::size_t kBytes>
struct UnsignedOf;
template <>
struct UnsignedOf<1> {
  using Type = std::uint8_t;
};
template <>
struct UnsignedOf<2> {
  using Type = std::uint16_t;
};
template <>
struct UnsignedOf<4> {
  using Type = std::uint32_t;
};
template <>
struct UnsignedOf<8> {
  using Type = std::uint64_t;
};

}  // namespace dsl

/// Text and bytes: as they are (Kafka's StringSerializer for UTF-8, ByteArraySerializer).
template <>
struct Serde<std::string> {
  static void serialize(const std::string& value, Bytes& out) { out.append(value); }
  static Status deserialize(BytesView bytes, std::string& out) {
    out.assign(bytes);
    return {};
  }
};

/// bool, integers, float and double: big-endian, as Kafka's Boolean, Short, Integer, Long, Float
/// and Double.
template <dsl::Number T>
struct Serde<T> {
  using Bits = typename dsl::UnsignedOf<sizeof(T)>::Type;
  static void serialize(const T& value, Bytes& out) {
    char bytes[sizeof(T)];
    storeBe(bytes, std::bit_cast<Bits>(value));
    out.append(bytes, sizeof(T));
  }
  static Status deserialize(BytesView bytes, T& out) {
    if (bytes.size() != sizeof(T)) return dsl::wrongSize(bytes, sizeof(T));
    const Bits bits = loadBe<Bits>(bytes.data());
    if constexpr (std::same_as<T, bool>)
      out = bits != 0;
    else
      out = std::bit_cast<T>(bits);
    return {};
  }
};

/// Points in time: 64-bit milliseconds since 1970 UTC.
template <class D>
struct Serde<std::chrono::sys_time<D>> {
  static void serialize(const std::chrono::sys_time<D>& time, Bytes& out) {
    Serde<std::int64_t>::serialize(at(time.time_since_epoch()), out);
  }
  static Status deserialize(BytesView bytes, std::chrono::sys_time<D>& out) {
    std::int64_t ms = 0;
    auto status = Serde<std::int64_t>::deserialize(bytes, ms);
    out = std::chrono::sys_time<D>(std::chrono::duration_cast<D>(std::chrono::milliseconds(ms)));
    return status;
  }
};

/// As Kafka's UUIDSerializer: 36 characters of hexadecimal text.
template <>
struct Serde<Uuid> {
  static void serialize(const Uuid& uuid, Bytes& out) { dsl::serializeUuid(uuid, out); }
  static Status deserialize(BytesView bytes, Uuid& out) { return dsl::deserializeUuid(bytes, out); }
};

/// As Kafka's TimeWindowedSerde: key, then the window's start in eight bytes. The size is not in
/// the bytes: a window read back has no end but its start, unless the serde is a TimeWindowedSerde
/// that knows the size.
template <class K>
struct Serde<Windowed<K>> {
  static void serialize(const Windowed<K>& key, Bytes& out) {
    Serde<K>::serialize(key.key, out);
    Serde<std::int64_t>::serialize(key.window.start, out);
  }
  static Status deserialize(BytesView bytes, Windowed<K>& out) {
    if (bytes.size() < sizeof(Millis)) return dsl::wrongSize(bytes, sizeof(Millis));
    const std::size_t key_size = bytes.size() - sizeof(Millis);
    out.window.start = out.window.end = loadBe<std::int64_t>(bytes.data() + key_size);
    return Serde<K>::deserialize(bytes.substr(0, key_size), out.key);
  }
};

/// Reads windowed keys of windows of one size; writes the same bytes as Serde<Windowed<K>>.
template <class K>
class TimeWindowedSerde final : public CustomSerde<Windowed<K>> {
 public:
  explicit TimeWindowedSerde(Duration size, SerdePtr<K> inner = nullptr)
      : size_(size), inner_(std::move(inner)) {}
  void serialize(const Windowed<K>& key, Bytes& out) const override {
    inner_.serialize(key.key, out);
    Serde<std::int64_t>::serialize(key.window.start, out);
  }
  [[nodiscard]] Status deserialize(BytesView bytes, Windowed<K>& out) const override {
    if (bytes.size() < sizeof(Millis)) return dsl::wrongSize(bytes, sizeof(Millis));
    const std::size_t key_size = bytes.size() - sizeof(Millis);
    out.window.start = loadBe<std::int64_t>(bytes.data() + key_size);
    out.window.end = out.window.start + size_.count();
    return inner_.deserialize(bytes.substr(0, key_size), out.key);
  }

 private:
  Duration size_;
  dsl::SerdeOf<K> inner_;
};

}  // namespace millrace
