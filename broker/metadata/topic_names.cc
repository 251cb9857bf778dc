#include "broker/metadata/topic_names.h"

#include <fmt/core.h>

#include <algorithm>

namespace millrace::broker {
namespace {

constexpr std::size_t kMaxNameLength = 249;

bool isLegal(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

std::unexpected<Error> invalid(std::string why) {
  return fail(Errc::kInvalidTopicException, "Topic name is invalid: " + std::move(why));
}

}  // namespace

Status validateTopicName(std::string_view name) {
  if (name.empty()) return invalid("the empty string is not allowed");
  if (name == "." || name == "..") return invalid(fmt::format("'{}' is not allowed", name));
  if (name.size() > kMaxNameLength) {
    return invalid(fmt::format("the length of '{}' is longer than the max allowed length {}", name,
                               kMaxNameLength));
  }
  if (!std::ranges::all_of(name, isLegal)) {
    return invalid(fmt::format(
        "'{}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
        name));
  }
  return {};
}

bool hasCollisionChars(std::string_view name) { return name.find_first_of("._") != name.npos; }

std::string unifyCollisionChars(std::string_view name) {
  std::string unified(name);
  std::ranges::replace(unified, '.', '_');
  return unified;
}

}  // namespace millrace::broker
