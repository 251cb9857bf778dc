// Field tables: what JSON, printing and fuzzing know of a message. An interpreter over these costs
// no compile time per message; the codecs, which must be fast, are generated code. Not for other
// rooms.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace millrace::protocol {

enum class FieldType : std::uint8_t {
  kBool,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint16,
  kUint32,
  kFloat64,
  kUuid,
  kString,
  kBytes,
  kRecords,
  kStruct,
};

/// How to reach inside a std::optional of some type.
struct OptionalOps {
  void* (*get)(void*);      ///< the value, or nullptr
  void* (*emplace)(void*);  ///< a new default value
  void (*reset)(void*);
};

/// How to reach inside a std::vector of some type.
struct ArrayOps {
  std::size_t stride;
  std::span<const char> (*view)(const void*);  ///< the elements as raw bytes
  void* (*resize)(void*, std::size_t);         ///< returns the first element
};

struct StructTable;

struct FieldTable {
  std::string_view name;  ///< as in JSON
  FieldType type;
  bool ignorable;
  bool null_by_default;
  std::int16_t tag;          ///< -1 where it is never tagged
  std::int16_t first, last;  ///< versions
  std::int16_t null_first, null_last;
  std::size_t offset;
  std::int64_t default_number;
  const OptionalOps* optional;  ///< nullptr unless it is a std::optional
  const ArrayOps* array;        ///< nullptr unless it is an array
  const StructTable* table;     ///< of a struct or of an array's elements

  [[nodiscard]] bool in(int v) const { return v >= first && v <= last; }
  [[nodiscard]] bool nullableIn(int v) const { return v >= null_first && v <= null_last; }
};

struct StructTable {
  std::span<const FieldTable> fields;
  /// Offset of the UnknownTags; -1 where the struct has none.
  std::ptrdiff_t unknown_tags;
};

template <class T>
inline constexpr OptionalOps kOptionalOps = {
    [](void* p) -> void* {
      auto& o = *static_cast<std::optional<T>*>(p);
      return o ? &*o : nullptr;
    },
    [](void* p) -> void* { return &static_cast<std::optional<T>*>(p)->emplace(); },
    [](void* p) { static_cast<std::optional<T>*>(p)->reset(); },
};

template <class T>
inline constexpr ArrayOps kArrayOps = {
    sizeof(T),
    [](const void* p) {
      const auto& v = *static_cast<const std::vector<T>*>(p);
      return std::span(static_cast<const char*>(static_cast<const void*>(v.data())),
                       v.size() * sizeof(T));
    },
    [](void* p, std::size_t n) -> void* {
      auto& v = *static_cast<std::vector<T>*>(p);
      v.clear();
      v.resize(n);
      return v.data();
    },
};

}  // namespace millrace::protocol
