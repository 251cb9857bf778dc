#include "produce_probe.h"

namespace millrace::wire_check {

Result<std::optional<Errc>> produceError(std::string_view) { return std::optional<Errc>(); }

}  // namespace millrace::wire_check
