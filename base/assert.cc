#include "base/assert.h"

#include <cstdlib>
#include <iostream>

namespace millrace {

void assertionFailed(std::string_view condition, std::string_view message,
                     std::source_location where) {
  std::cerr << "millrace: broken invariant at " << where.file_name() << ':' << where.line()
            << " in " << where.function_name() << ": " << condition;
  if (!message.empty()) std::cerr << " (" << message << ')';
  std::cerr << std::endl;
  std::abort();
}

}  // namespace millrace
