#include "random_message.h"

#include "protocol/tables.h"

#include <limits>

namespace millrace::protocol {

namespace {

class Filler {
 public:
  Filler(int version, bool flexible, std::mt19937_64& random)
      : version_(version), flexible_(flexible), random_(random) {}

  void fill(const StructTable& table, char* base, int depth) {
    for (const FieldTable& f : table.fields) {
      if (f.in(version_)) field(f, base + f.offset, depth);
    }
    if (table.unknown_tags >= 0 && flexible_ && below(8) == 0) {
      auto& tags = *reinterpret_cast<UnknownTags*>(base + table.unknown_tags);
      std::uint32_t tag = 50;
      for (auto n = below(3); n > 0; --n)
        tags.add(tag += 1 + below(1U << 20), Text(bytes(below(20))));
    }
  }

 private:
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }

  std::string bytes(std::size_t n) {
    std::string out;
    for (std::size_t i = 0; i < n; ++i) out += static_cast<char>(below(256));
    return out;
  }

  void field(const FieldTable& f, char* p, int depth) {
    if (f.optional != nullptr) {
      if (f.nullableIn(version_) && below(3) == 0) return f.optional->reset(p);
      p = static_cast<char*>(f.optional->emplace(p));
    }
    if (f.array == nullptr) return scalar(f, p, depth);
    const std::size_t n = depth > 3 ? 0 : below(4);
    auto* first = static_cast<char*>(f.array->resize(p, n));
    for (std::size_t i = 0; i < n; ++i) scalar(f, first + i * f.array->stride, depth);
  }

  template <class T>
  void number(char* p) {
    constexpr T kExtremes[] = {0, 1, static_cast<T>(-1), std::numeric_limits<T>::min(),
                               std::numeric_limits<T>::max()};
    *reinterpret_cast<T*>(p) = below(2) == 0 ? kExtremes[below(5)] : static_cast<T>(random_());
  }

  void scalar(const FieldTable& f, char* p, int depth) {
    switch (f.type) {
      case FieldType::kBool: *reinterpret_cast<bool*>(p) = below(2) == 1; break;
      case FieldType::kInt8: number<std::int8_t>(p); break;
      case FieldType::kInt16: number<std::int16_t>(p); break;
      case FieldType::kInt32: number<std::int32_t>(p); break;
      case FieldType::kInt64: number<std::int64_t>(p); break;
      case FieldType::kUint16: number<std::uint16_t>(p); break;
      case FieldType::kUint32: number<std::uint32_t>(p); break;
      case FieldType::kFloat64:
        *reinterpret_cast<double*>(p) = static_cast<double>(below(1000)) / 7;
        break;
      case FieldType::kUuid: *reinterpret_cast<Uuid*>(p) = {random_(), random_()}; break;
      case FieldType::kString:
        *reinterpret_cast<Text*>(p) = Text(std::string(below(40), 'x'));
        break;
      case FieldType::kBytes: *reinterpret_cast<Text*>(p) = Text(bytes(below(300))); break;
      case FieldType::kRecords: {
        const bool null = f.nullableIn(version_) && below(4) == 0;
        *reinterpret_cast<Records*>(p) = null ? Records::null() : Records::own(bytes(below(5000)));
        break;
      }
      case FieldType::kStruct: fill(*f.table, p, depth + 1); break;
    }
  }

  int version_;
  bool flexible_;
  std::mt19937_64& random_;
};

}  // namespace

AnyMessage randomMessage(const MessageInfo& info, int version, std::mt19937_64& random) {
  AnyMessage message(info);
  Filler(version, info.isFlexible(version), random)
      .fill(*info.table, static_cast<char*>(message.data()), 0);
  return message;
}

}  // namespace millrace::protocol
