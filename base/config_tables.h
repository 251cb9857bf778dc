// What the generated config_tables.cc defines, for config_defs.cc alone.
#pragma once

#include "base/config.h"

#include <span>
#include <string_view>

namespace millrace::detail {

struct ConfigTable {
  std::string_view name;
  std::span<const ConfigKey> keys;  // sorted by name
};

/// Sorted by name.
[[nodiscard]] std::span<const ConfigTable> configTables();

}  // namespace millrace::detail
