// Changes of a table on their way through a repartition topic, as Kafka's ChangedSerializer writes
// them: new value, then 01; old value, then 00; or varint length of new, new, old, 02 (KIP-904).
#pragma once

#include "dsl/serde.h"
#include "dsl/topic_nodes.h"
#include "streams/record_meta.h"

#include <optional>
#include <utility>

namespace millrace::dsl {

enum class ChangeTag : std::uint8_t { kOldOnly = 0, kNewOnly = 1, kBoth = 2 };

/// Splits the bytes of a change into (new, old). Errors: kMalformed.
[[nodiscard]] Result<std::pair<std::optional<BytesView>, std::optional<BytesView>>> splitChange(
    BytesView bytes);
/// Appends the length of the new value in Kafka's zigzag form.
void putChangeLength(std::size_t length, Bytes& out);

/// A change read from a topic.
template <class V>
struct OwnedChange {
  std::optional<V> new_value;
  std::optional<V> old_value;
  mutable streams::Change<V> view = {};
};

template <class V>
inline constexpr bool kCustomSerdeOnly<streams::Change<V>> = true;
template <class V>
inline constexpr bool kCustomSerdeOnly<OwnedChange<V>> = true;

template <class V>
struct Emitted<OwnedChange<V>> {
  using Type = streams::Change<V>;
  static const streams::Change<V>* of(const OwnedChange<V>& change) {
    change.view.new_value = change.new_value ? &*change.new_value : nullptr;
    change.view.old_value = change.old_value ? &*change.old_value : nullptr;
    return &change.view;
  }
};

template <class V>
class ChangeWriter final : public CustomSerde<streams::Change<V>> {
 public:
  explicit ChangeWriter(SerdeOf<V> inner) : inner_(std::move(inner)) {}
  void serialize(const streams::Change<V>& change, Bytes& out) const override {
    ChangeTag tag = change.new_value != nullptr ? ChangeTag::kNewOnly : ChangeTag::kOldOnly;
    if (change.new_value != nullptr && change.old_value != nullptr) {
      tag = ChangeTag::kBoth;
      Bytes new_bytes;
      inner_.serialize(*change.new_value, new_bytes);
      putChangeLength(new_bytes.size(), out);
      out.append(new_bytes);
    } else if (change.new_value != nullptr) {
      inner_.serialize(*change.new_value, out);
    }
    if (change.old_value != nullptr) inner_.serialize(*change.old_value, out);
    out.push_back(static_cast<char>(tag));
  }
  [[nodiscard]] Status deserialize(BytesView, streams::Change<V>&) const override {
    return fail(Errc::kState, "changes are read by ChangeReader");
  }

 private:
  SerdeOf<V> inner_;
};

template <class V>
class ChangeReader final : public CustomSerde<OwnedChange<V>> {
 public:
  explicit ChangeReader(SerdeOf<V> inner) : inner_(std::move(inner)) {}
  void serialize(const OwnedChange<V>& change, Bytes& out) const override {
    ChangeWriter<V>(inner_).serialize(*Emitted<OwnedChange<V>>::of(change), out);
  }
  [[nodiscard]] Status deserialize(BytesView bytes, OwnedChange<V>& out) const override {
    MILLRACE_TRY(const auto parts, splitChange(bytes));
    out.new_value.reset();
    out.old_value.reset();
    if (parts.first) MILLRACE_CHECK_OK(inner_.deserialize(*parts.first, out.new_value.emplace()));
    if (parts.second) MILLRACE_CHECK_OK(inner_.deserialize(*parts.second, out.old_value.emplace()));
    return {};
  }

 private:
  SerdeOf<V> inner_;
};

}  // namespace millrace::dsl
