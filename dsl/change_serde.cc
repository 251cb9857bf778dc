#include "dsl/change_serde.h"

#include "base/varint.h"

namespace millrace::dsl {

void putChangeLength(std::size_t length, Bytes& out) {
  char bytes[10];
  const char* const end = putVarint(bytes, zigzag(static_cast<std::int32_t>(length)));
  out.append(bytes, static_cast<std::size_t>(end - bytes));
}

Result<std::pair<std::optional<BytesView>, std::optional<BytesView>>> splitChange(BytesView bytes) {
  using Parts = std::pair<std::optional<BytesView>, std::optional<BytesView>>;
  if (bytes.empty()) return fail(Errc::kMalformed, "a change of no bytes");
  const auto tag = static_cast<ChangeTag>(bytes.back());
  bytes.remove_suffix(1);
  if (tag == ChangeTag::kNewOnly) return Parts{bytes, std::nullopt};
  if (tag == ChangeTag::kOldOnly) return Parts{std::nullopt, bytes};
  if (tag != ChangeTag::kBoth) return fail(Errc::kMalformed, "a change of an unknown kind");
  std::uint32_t raw = 0;
  const char* const start = getVarint32(bytes.data(), bytes.data() + bytes.size(), raw);
  const std::int32_t length = unzigzag(raw);
  if (start == nullptr || length < 0)
    return fail(Errc::kMalformed, "a change without the length of its new value");
  const BytesView rest(start, static_cast<std::size_t>(bytes.data() + bytes.size() - start));
  if (static_cast<std::size_t>(length) > rest.size())
    return fail(Errc::kMalformed, "a change that ends early");
  return Parts{rest.substr(0, static_cast<std::size_t>(length)),
               rest.substr(static_cast<std::size_t>(length))};
}

}  // namespace millrace::dsl
