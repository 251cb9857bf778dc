#include "log/types.h"

namespace millrace::log {

Status FlushJob::run() const {
  for (const auto& file : files) MILLRACE_CHECK_OK(file->sync());
  for (const std::string& directory : directories)
    MILLRACE_CHECK_OK(system->syncDirectory(directory));
  return {};
}

}  // namespace millrace::log
