// Which names a topic may have.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace millrace::broker {

/// Kafka's Topic.validate. Errors: kInvalidTopicException with Kafka's text.
[[nodiscard]] Status validateTopicName(std::string_view name);
/// Whether the name has characters that metrics do not tell apart ('.' and '_').
[[nodiscard]] bool hasCollisionChars(std::string_view name);
/// The name with '.' as '_': two topics whose unified names are equal collide.
[[nodiscard]] std::string unifyCollisionChars(std::string_view name);

}  // namespace millrace::broker
