#include "log/types.h"

namespace millrace::log {

Status FlushJob::run() const {
  for (const auto& file : files) MILLRACE_CHECK_OK(file->sync());
  return {};
}

}  // namespace millrace::log
