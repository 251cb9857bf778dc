// What every generated message struct stands on: its types and its description at run time.
#pragma once

#include "base/bytes.h"
#include "base/uuid.h"
#include "protocol/api_key.h"
#include "protocol/records.h"

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace millrace::protocol {

/// A tagged field that this build's schema does not know, kept so that a writer gives it back.
struct UnknownTag {
  std::uint32_t tag = 0;
  Text data;
  friend bool operator==(const UnknownTag&, const UnknownTag&) = default;
};

/// The unknown tags of one struct, by rising tag. One pointer wide, null where there are none.
class UnknownTags {
 public:
  UnknownTags() = default;
  UnknownTags(const UnknownTags& o) : tags_(o.tags_ ? std::make_unique<Tags>(*o.tags_) : nullptr) {}
  UnknownTags(UnknownTags&&) noexcept = default;
  UnknownTags& operator=(const UnknownTags& o) { return *this = UnknownTags(o); }
  UnknownTags& operator=(UnknownTags&&) noexcept = default;
  ~UnknownTags() = default;

  [[nodiscard]] bool empty() const { return !tags_ || tags_->empty(); }
  [[nodiscard]] std::size_t size() const { return tags_ ? tags_->size() : 0; }
  [[nodiscard]] const UnknownTag* begin() const { return tags_ ? tags_->data() : nullptr; }
  [[nodiscard]] const UnknownTag* end() const { return begin() + size(); }
  /// Tags must be added in rising order.
  void add(std::uint32_t tag, Text data) {
    if (!tags_) tags_ = std::make_unique<Tags>();
    tags_->push_back({tag, std::move(data)});
  }
  friend bool operator==(const UnknownTags& a, const UnknownTags& b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
  }

 private:
  using Tags = std::vector<UnknownTag>;
  std::unique_ptr<Tags> tags_;
};

/// Where a message travels or is kept; (kind, key) names a message, except for kHeader and kData.
enum class MessageKind : std::uint8_t {
  kRequest,
  kResponse,
  kHeader,
  kMetadataRecord,  ///< __cluster_metadata
  kGroupKey,        ///< __consumer_offsets
  kGroupValue,
  kTransactionKey,  ///< __transaction_state
  kTransactionValue,
  kShareKey,  ///< __share_group_state
  kShareValue,
  kRemoteLogRecord,  ///< __remote_log_metadata
  kData,             ///< carried inside another field, a control record or a file
};

class Reader;
class Sizer;
class Writer;
struct StructTable;

/// A message type at run time. One static object each, from `ProduceRequest::info()` or the
/// registry.
struct MessageInfo {
  std::string_view name;  ///< Kafka's, e.g. "ProduceRequest"
  MessageKind kind;
  std::int16_t key;  ///< api key or record type; -1 where there is none
  std::int16_t min_version;
  std::int16_t max_version;     ///< includes an unstable one
  std::int16_t first_flexible;  ///< kNeverFlexible where there is none
  void* (*create)();
  void (*destroy)(void*);
  void (*read)(Reader&, void*, int version);
  void (*measure)(Sizer&, const void*, int version);
  void (*write)(Writer&, const void*, int version);
  const StructTable* table;  ///< the fields, for JSON and fuzzing

  [[nodiscard]] bool hasVersion(int v) const { return v >= min_version && v <= max_version; }
  [[nodiscard]] bool isFlexible(int v) const { return v >= first_flexible; }
};

inline constexpr std::int16_t kNeverFlexible = 32767;

/// A generated struct.
template <class M>
concept Message = requires(const M& m) {
  { M::info() } -> std::same_as<const MessageInfo&>;
};

/// All messages of this build. Never empty.
[[nodiscard]] const std::vector<const MessageInfo*>& allMessages();
/// nullptr when there is none of that name.
[[nodiscard]] const MessageInfo* findMessage(std::string_view name);
/// nullptr when there is none; `key` is the api key or record type.
[[nodiscard]] const MessageInfo* findMessage(MessageKind kind, std::int16_t key);

}  // namespace millrace::protocol
