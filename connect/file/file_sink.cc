#include "connect/file/file_sink.h"

#include "connect/value_text.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace millrace::connect {

namespace {

constexpr std::size_t kWriteSize = 1 << 20;

Status writeToStandardOutput(BytesView text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(Errc::kIo, std::string("cannot write: ") + std::strerror(errno));
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace

std::vector<ConfigKey> FileSinkTask::config() {
  return {{.name = "file",
           .type = ConfigType::kString,
           .doc = "File to append to; unset: standard output."}};
}

Status FileSinkTask::start(const Settings& settings, SinkContext& context) {
  (void)context;
  const std::string path = settings.text("file");
  if (path.empty()) return {};
  MILLRACE_TRY(file_, systemFiles().open(path, OpenMode::kCreate));
  MILLRACE_TRY(end_, file_->size());
  return {};
}

Status FileSinkTask::put(const std::vector<SinkRecord>& records) {
  for (const SinkRecord& record : records) {
    appendValueText(record.value, pending_);
    pending_ += '\n';
    if (pending_.size() >= kWriteSize) MILLRACE_CHECK_OK(write());
  }
  return write();
}

Status FileSinkTask::write() {
  if (pending_.empty()) return {};
  if (file_) {
    const BytesView slice(pending_);
    MILLRACE_CHECK_OK(file_->write(end_, std::span(&slice, 1)));
    end_ += pending_.size();
  } else {
    MILLRACE_CHECK_OK(writeToStandardOutput(pending_));
  }
  pending_.clear();
  return {};
}

Status FileSinkTask::flush(const SinkOffsets& offsets) {
  (void)offsets;
  MILLRACE_CHECK_OK(write());
  return file_ ? file_->sync() : Status();
}

}  // namespace millrace::connect
