#include "connect/offset_store.h"

#include "base/file.h"
#include "connect/json_read.h"
#include "connect/json_text.h"

namespace millrace::connect {

namespace {

std::string offsetKey(const std::string& connector, const SourceMap& partition) {
  std::string key = "[";
  appendJsonString(connector, key);
  return key + "," + sourceMapText(partition) + "]";
}

}  // namespace

std::string sourceMapText(const SourceMap& map) {
  Map entries;
  for (const auto& [name, value] : map) entries.emplace_back(Value(name), value);
  std::string text;
  const Status written = appendJson(nullptr, Value(std::move(entries)), {.schemas = false}, text);
  // Only simple values may stand in a source's partition and offset, and those have a JSON form.
  return written ? text : "{}";
}

Result<std::unique_ptr<OffsetStore>> OffsetStore::open(std::string path) {
  std::unique_ptr<OffsetStore> store(new OffsetStore(std::move(path)));
  if (store->path_.empty()) return store;
  const Result<Bytes> content = systemFiles().readAll(store->path_);
  if (!content && content.error().code == Errc::kNotFound) return store;
  if (!content) return std::unexpected(content.error());
  if (content->empty()) return store;
  Result<ByteMap> map = readJavaMap(*content);
  if (!map) return fail(map.error().code, store->path_ + ": " + map.error().detail);
  store->offsets_ = std::move(*map);
  return store;
}

std::optional<SourceMap> OffsetStore::get(const std::string& connector,
                                          const SourceMap& partition) const {
  std::optional<Bytes> text;
  {
    const std::lock_guard lock(mutex_);
    const auto found = offsets_.find(offsetKey(connector, partition));
    if (found == offsets_.end() || !found->second) return std::nullopt;
    text = found->second;
  }
  const auto value = readJson(*text, {.schemas = false});
  if (!value || value->value.map() == nullptr) return std::nullopt;
  SourceMap offset;
  for (const auto& [name, entry] : *value->value.map()) offset.emplace(*name.text(), entry);
  return offset;
}

void OffsetStore::set(const std::string& connector, const SourceMap& partition,
                      const std::optional<SourceMap>& offset) {
  const std::lock_guard lock(mutex_);
  changed_ = true;
  std::optional<Bytes> text;
  if (offset) text = sourceMapText(*offset);
  offsets_.insert_or_assign(offsetKey(connector, partition), std::move(text));
}

Status OffsetStore::flush() {
  const std::lock_guard one_writer(flush_mutex_);
  Bytes content;
  {
    const std::lock_guard lock(mutex_);
    if (!changed_ || path_.empty()) return {};
    content = writeJavaMap(offsets_);
    changed_ = false;
  }
  Status written = systemFiles().writeAtomically(path_, content);
  if (!written) {
    const std::lock_guard lock(mutex_);
    changed_ = true;
  }
  return written;
}

}  // namespace millrace::connect
