// JSON for structs that are described with BOOST_DESCRIBE_STRUCT: {"member": value, ...}, nested at
// will. Numbers, bool, text, described enums (by name), optionals (null), vectors, maps with text
// keys, points in time (ISO text, UTC). A member that the text lacks keeps its default; members
// that the struct lacks are ignored, so both sides can grow.
#pragma once

#include "dsl/json.h"
#include "dsl/types.h"

#include <boost/describe/enumerators.hpp>
#include <boost/describe/members.hpp>
#include <boost/mp11/algorithm.hpp>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace millrace {
namespace json {

template <class T>
concept Described = std::is_class_v<T> && boost::describe::has_describe_members<T>::value;
template <class T>
concept DescribedEnum = std::is_enum_v<T> && boost::describe::has_describe_enumerators<T>::value;

template <class T>
using MembersOf = boost::describe::describe_members<T, boost::describe::mod_any_access |
                                                           boost::describe::mod_inherited>;

[[nodiscard]] std::unexpected<Error> wrongType(std::string_view expected);
[[nodiscard]] std::unexpected<Error> inMember(std::string_view name, Error error);

template <class T>
struct Codec;

template <class T>
void write(const T& value, Bytes& out) {
  Codec<T>::write(value, out);
}
template <class T>
[[nodiscard]] Status read(Value value, T& out) {
  return Codec<T>::read(value, out);
}

template <>
struct Codec<std::string> {
  static void write(const std::string& value, Bytes& out) { writeString(value, out); }
  static Status read(Value value, std::string& out) {
    const auto text = value.text();
    if (!text) return wrongType("text");
    out.assign(*text);
    return {};
  }
};
template <>
struct Codec<bool> {
  static void write(bool value, Bytes& out) { out.append(value ? "true" : "false"); }
  static Status read(Value value, bool& out) {
    const auto boolean = value.boolean();
    if (!boolean) return wrongType("true or false");
    out = *boolean;
    return {};
  }
};
template <std::integral T>
struct Codec<T> {
  static void write(T value, Bytes& out) {
    if constexpr (std::is_signed_v<T>)
      writeInteger(value, out);
    else
      writeUnsigned(value, out);
  }
  static Status read(Value value, T& out) {
    const auto integer = [&] {
      if constexpr (std::is_signed_v<T>)
        return value.integer();
      else
        return value.unsignedInteger();
    }();
    if (!integer || !std::in_range<T>(*integer)) return wrongType("an integer of its size");
    out = static_cast<T>(*integer);
    return {};
  }
};
template <std::floating_point T>
struct Codec<T> {
  static void write(T value, Bytes& out) { writeDouble(static_cast<double>(value), out); }
  static Status read(Value value, T& out) {
    const auto number = value.number();
    if (!number) return wrongType("a number");
    out = static_cast<T>(*number);
    return {};
  }
};
template <class D>
struct Codec<std::chrono::sys_time<D>> {
  static void write(const std::chrono::sys_time<D>& time, Bytes& out) {
    writeTime(millrace::at(time.time_since_epoch()), out);
  }
  static Status read(Value value, std::chrono::sys_time<D>& out) {
    const auto ms = value.timeMs();
    if (!ms) return wrongType("a point in time as ISO text");
    out = std::chrono::sys_time<D>(std::chrono::duration_cast<D>(std::chrono::milliseconds(*ms)));
    return {};
  }
};
template <class T>
struct Codec<std::optional<T>> {
  static void write(const std::optional<T>& value, Bytes& out) {
    if (value)
      json::write(*value, out);
    else
      out.append("null");
  }
  static Status read(Value value, std::optional<T>& out) {
    out.reset();
    if (value.isNull()) return {};
    return json::read(value, out.emplace());
  }
};
template <class T>
struct Codec<std::vector<T>> {
  static void write(const std::vector<T>& values, Bytes& out) {
    out.push_back('[');
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0) out.push_back(',');
      json::write(values[i], out);
    }
    out.push_back(']');
  }
  static Status read(Value value, std::vector<T>& out) {
    const auto size = value.arraySize();
    if (!size) return wrongType("an array");
    out.clear();
    out.resize(*size);
    for (std::size_t i = 0; i < *size; ++i) MILLRACE_CHECK_OK(json::read(value.element(i), out[i]));
    return {};
  }
};
template <class T>
struct Codec<std::map<std::string, T>> {
  static void write(const std::map<std::string, T>& values, Bytes& out) {
    out.push_back('{');
    bool first = true;
    for (const auto& [name, value] : values) {
      if (!first) out.push_back(',');
      first = false;
      writeString(name, out);
      out.push_back(':');
      json::write(value, out);
    }
    out.push_back('}');
  }
  static Status read(Value value, std::map<std::string, T>& out) {
    if (!value.isObject()) return wrongType("an object");
    out.clear();
    for (std::size_t i = 0; i < value.memberCount(); ++i) {
      MILLRACE_CHECK_OK(json::read(value.memberValue(i), out[std::string(value.memberName(i))]));
    }
    return {};
  }
};
template <DescribedEnum T>
struct Codec<T> {
  static void write(T value, Bytes& out) {
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>([&](auto enumerator) {
      if (enumerator.value == value) writeString(enumerator.name, out);
    });
  }
  static Status read(Value value, T& out) {
    const auto text = value.text();
    bool found = false;
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>([&](auto enumerator) {
      if (text && *text == enumerator.name) {
        out = enumerator.value;
        found = true;
      }
    });
    if (!found) return wrongType("the name of an enumerator");
    return {};
  }
};
template <Described T>
struct Codec<T> {
  static void write(const T& value, Bytes& out) {
    char separator = '{';
    boost::mp11::mp_for_each<MembersOf<T>>([&](auto member) {
      out.push_back(separator);
      separator = ',';
      writeString(member.name, out);
      out.push_back(':');
      json::write(value.*member.pointer, out);
    });
    if (separator == '{') out.push_back('{');
    out.push_back('}');
  }
  static Status read(Value value, T& out) {
    if (!value.isObject()) return wrongType("an object");
    Status status;
    boost::mp11::mp_for_each<MembersOf<T>>([&](auto member) {
      const auto found = value.member(member.name);
      if (!found || !status) return;
      auto read_member = json::read(*found, out.*member.pointer);
      if (!read_member) status = inMember(member.name, std::move(read_member).error());
    });
    return status;
  }
};

}  // namespace json

/// `toJson(order)`: the text of any described struct.
template <class T>
[[nodiscard]] Bytes toJson(const T& value) {
  Bytes out;
  json::write(value, out);
  return out;
}
/// Errors: kMalformed, naming the member.
template <class T>
[[nodiscard]] Result<T> fromJson(BytesView text) {
  T value{};
  MILLRACE_TRY(const json::Document document, json::Document::parse(text));
  MILLRACE_CHECK_OK(json::read(document.root(), value));
  return value;
}

template <json::Described T>
struct Serde<T> {
  static void serialize(const T& value, Bytes& out) { json::write(value, out); }
  static Status deserialize(BytesView bytes, T& out) {
    MILLRACE_TRY(const json::Document document, json::Document::parse(bytes));
    out = T{};
    return json::read(document.root(), out);
  }
};

}  // namespace millrace
