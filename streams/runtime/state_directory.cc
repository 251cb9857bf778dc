#include "streams/runtime/state_directory.h"

#include "base/file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace millrace::streams {
namespace {

constexpr const char* kProcessFile = "kafka-streams-process-metadata";

/// "8-4-4-4-12" hexadecimal, as Java prints a UUID.
std::string javaUuid(const Uuid& id) {
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", id.high >> 32, id.high >> 16 & 0xFFFF,
                     id.high & 0xFFFF, id.low >> 48, id.low & 0xFFFFFFFFFFFF);
}

/// The 32 digits after `"processId":"`; nullopt where there are none.
std::optional<Uuid> findUuid(std::string_view json) {
  const auto at = json.find("\"processId\"");
  if (at == std::string_view::npos) return std::nullopt;
  std::string digits;
  for (const char c : json.substr(at + 11)) {
    if (std::isxdigit(static_cast<unsigned char>(c)) != 0) digits += c;
    if (digits.size() == 32) break;
  }
  if (digits.size() != 32) return std::nullopt;
  return Uuid{std::stoull(digits.substr(0, 16), nullptr, 16),
              std::stoull(digits.substr(16), nullptr, 16)};
}

Status ioError(const std::string& path, const char* what) {
  return fail(Errc::kIo, fmt::format("{} {}: {}", what, path, std::strerror(errno)));
}

}  // namespace

Result<std::shared_ptr<StateDirectory>> StateDirectory::open(const std::string& state_dir,
                                                             const std::string& application_id) {
  std::shared_ptr<StateDirectory> directory(new StateDirectory(state_dir + "/" + application_id));
  MILLRACE_CHECK_OK(systemFiles().createDirectories(directory->path_));
  MILLRACE_CHECK_OK(directory->lockProcess());
  MILLRACE_CHECK_OK(directory->loadProcessId());
  return directory;
}

StateDirectory::~StateDirectory() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

Status StateDirectory::lockProcess() {
  const std::string file = path_ + "/.lock";
  lock_fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_fd_ < 0) return ioError(file, "cannot open");
  if (::flock(lock_fd_, LOCK_EX | LOCK_NB) == 0) return {};
  if (errno != EWOULDBLOCK) return ioError(file, "cannot lock");
  return fail(Errc::kState, "another instance of the application uses " + path_ +
                                "; give each instance on a machine its own state.dir");
}

Status StateDirectory::loadProcessId() {
  const std::string file = path_ + "/" + kProcessFile;
  MILLRACE_TRY(const bool exists, systemFiles().exists(file));
  if (exists) {
    MILLRACE_TRY(const Bytes content, systemFiles().readAll(file));
    if (const auto id = findUuid(content)) {
      process_id_ = *id;
      return {};
    }
  }
  process_id_ = randomUuid();
  return systemFiles().writeAtomically(file, "{\"processId\":\"" + javaUuid(process_id_) + "\"}");
}

std::string StateDirectory::taskDirectory(TaskId task) const {
  return path_ + "/" + task.toString();
}

bool StateDirectory::lock(TaskId task) {
  const std::lock_guard guard(mutex_);
  return locked_.insert(task).second;
}

void StateDirectory::unlock(TaskId task) {
  const std::lock_guard guard(mutex_);
  locked_.erase(task);
}

std::vector<TaskId> StateDirectory::tasksOnDisk() const {
  std::vector<TaskId> tasks;
  const auto names = systemFiles().list(path_);
  if (!names) return tasks;
  for (const std::string& name : *names) {
    if (const auto task = parseTaskId(name)) tasks.push_back(*task);
  }
  return tasks;
}

Status StateDirectory::removeTask(TaskId task) const {
  const std::string path = taskDirectory(task);
  MILLRACE_TRY(const bool exists, systemFiles().exists(path));
  return exists ? systemFiles().removeAll(path) : Status{};
}

Status StateDirectory::removeAll(const std::string& state_dir, const std::string& application_id) {
  const std::string path = state_dir + "/" + application_id;
  MILLRACE_TRY(const bool exists, systemFiles().exists(path));
  if (!exists) return {};
  MILLRACE_TRY(const auto locked, open(state_dir, application_id));
  return systemFiles().removeAll(path);
}

}  // namespace millrace::streams
