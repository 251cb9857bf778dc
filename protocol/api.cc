#include "protocol/api.h"

#include "base/assert.h"
#include "protocol/registry.h"

#include <algorithm>
#include <unordered_map>

namespace millrace::protocol {

std::int16_t ApiInfo::requestHeaderVersion(int version) const {
  if (request == nullptr) return 1;
  return request->isFlexible(std::min<int>(version, request->max_version)) ? 2 : 1;
}

std::int16_t ApiInfo::responseHeaderVersion(int version) const {
  if (response == nullptr || key == ApiKey::kApiVersions) return 0;
  return response->isFlexible(version) ? 1 : 0;
}

const ApiInfo* findApi(std::int16_t key) {
  // Keys are dense: the table's index is the key.
  const auto apis = allApis();
  if (key < 0 || static_cast<std::size_t>(key) >= apis.size()) return nullptr;
  return &apis[static_cast<std::size_t>(key)];
}

const ApiInfo& apiInfo(ApiKey key) {
  const ApiInfo* api = findApi(static_cast<std::int16_t>(key));
  MILLRACE_ASSERT(api != nullptr && api->key == key, "an ApiKey outside the enum");
  return *api;
}

std::string_view apiName(ApiKey key) { return apiInfo(key).name; }

const std::vector<const MessageInfo*>& allMessages() {
  static const std::vector<const MessageInfo*> all(messageList().begin(), messageList().end());
  return all;
}

const MessageInfo* findMessage(std::string_view name) {
  static const auto index = [] {
    std::unordered_map<std::string_view, const MessageInfo*> map;
    for (const MessageInfo* m : messageList()) map.emplace(m->name, m);
    return map;
  }();
  const auto found = index.find(name);
  return found == index.end() ? nullptr : found->second;
}

const MessageInfo* findMessage(MessageKind kind, std::int16_t key) {
  static const auto index = [] {
    std::unordered_map<int, const MessageInfo*> map;
    for (const MessageInfo* m : messageList()) {
      if (m->key >= 0) map.emplace(static_cast<int>(m->kind) << 16 | m->key, m);
    }
    return map;
  }();
  if (key < 0) return nullptr;
  const auto found = index.find(static_cast<int>(kind) << 16 | key);
  return found == index.end() ? nullptr : found->second;
}

}  // namespace millrace::protocol
