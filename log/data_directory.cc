#include "log/data_directory.h"

#include "log/log_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <cerrno>
#include <charconv>

namespace millrace::log {
namespace {

constexpr std::string_view kCheckpointFiles[] = {kRecoveryPoints, kLogStarts, kHighWatermarks,
                                                 kCleanerOffsets};

}  // namespace

std::optional<TopicPartition> parseLogDirectory(std::string_view name) {
  const std::size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0 || dash + 1 == name.size()) return std::nullopt;
  std::int32_t partition = 0;
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + dash + 1, end, partition);
  if (parsed.ec != std::errc{} || parsed.ptr != end || partition < 0) return std::nullopt;
  return TopicPartition{std::string(name.substr(0, dash)), PartitionIndex{partition}};
}

DataDirectory::~DataDirectory() {
  if (self_ >= 0) ::close(self_);
}

std::string DataDirectory::path(std::string_view name) const {
  return fmt::format("{}/{}", path_, name);
}

Status DataDirectory::health() const {
  const std::lock_guard lock(health_mutex_);
  return health_;
}

Status DataDirectory::checkPresent() const {
  struct stat held{};
  struct stat named{};
  if (self_ < 0) return {};
  if (::fstat(self_, &held) != 0 || ::stat(path_.c_str(), &named) != 0) {
    if (errno == ENOMEM) return {};
    return fail(Errc::kIo, fmt::format("{} is not there any more: {}", path_,
                                       std::generic_category().message(errno)));
  }
  if (held.st_dev == named.st_dev && held.st_ino == named.st_ino) return {};
  return fail(Errc::kIo,
              fmt::format("{} is not there any more: its path leads to another directory "
                          "than at the start",
                          path_));
}

bool DataDirectory::goOffline(const Error& cause) {
  const std::lock_guard lock(health_mutex_);
  if (!health_) return false;
  health_ = std::unexpected(cause);
  return true;
}

Offset DataDirectory::at(const OffsetMap& map, const TopicPartition& tp) {
  const auto found = map.find(tp);
  return found == map.end() ? Offset{0} : found->second;
}

Status DataDirectory::open() {
  auto names = files_.list(path_);
  if (!names && names.error().code == Errc::kNotFound) {
    MILLRACE_CHECK_OK(files_.createDirectories(path_));
    if (const std::size_t slash = path_.rfind('/'); slash != std::string::npos)
      MILLRACE_CHECK_OK(files_.syncDirectory(slash == 0 ? "/" : path_.substr(0, slash)));
    names = files_.list(path_);
  }
  if (!names) return std::unexpected(names.error());
  MILLRACE_CHECK_OK(lock());
  for (const std::string& name : *names) {
    if (name == kCleanShutdown) clean_ = true;
    if (name.ends_with(kDeleteDirSuffix)) {
      leftovers_.push_back(path(name));
    } else if (name.ends_with(kFutureDirSuffix)) {
      futures_.push_back(name);
    } else if (auto tp = parseLogDirectory(name)) {
      found_.push_back(std::move(*tp));
    }
  }
  MILLRACE_CHECK_OK(readCopy());
  MILLRACE_TRY(recovery_points_, readCheckpoint(kRecoveryPoints));
  MILLRACE_TRY(log_starts_, readCheckpoint(kLogStarts));
  MILLRACE_TRY(high_watermarks_, readCheckpoint(kHighWatermarks));
  MILLRACE_TRY(cleaned_to_, readCheckpoint(kCleanerOffsets));
  // Empty ones are written only over others.
  writes_cleaned_ = !cleaned_to_.empty();
  return {};
}

Status DataDirectory::lock() {
  MILLRACE_TRY(lock_, files_.open(path(kLock), OpenMode::kCreate));
  if (lock_->fd() >= 0 && ::flock(lock_->fd(), LOCK_EX | LOCK_NB) != 0)
    return fail(Errc::kConfig, fmt::format("{} is in use by another broker", path_));
  if (lock_->fd() < 0) return {};
  self_ = ::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (self_ >= 0) return {};
  return fail(Errc::kIo,
              fmt::format("cannot open {}: {}", path_, std::generic_category().message(errno)));
}

Result<std::string> DataDirectory::stampOf(std::string_view name) const {
  const auto file = files_.open(path(name), OpenMode::kRead);
  if (!file && file.error().code == Errc::kNotFound) return std::string();
  if (!file) return std::unexpected(file.error());
  return (*file)->stamp();
}

Status DataDirectory::readCopy() {
  const std::string file = path(kCheckpointCopy);
  const auto bytes = files_.readAll(file);
  if (!bytes && bytes.error().code == Errc::kNotFound) return {};
  if (!bytes && bytes.error().code == Errc::kIo) return std::unexpected(bytes.error());
  auto texts = bytes ? decodeCheckpointCopy(file, *bytes)
                     : Result<CheckpointTexts>(std::unexpected(bytes.error()));
  if (!texts) complaints_.push_back(texts.error().detail);
  if (!texts) return {};
  copied_ = std::move(*texts);
  for (const std::string_view name : kCheckpointFiles) {
    MILLRACE_TRY(const std::string stamp, stampOf(name));
    const CheckpointText& copy = copied_[std::string(name)];
    if (stamp.empty() || stamp == copy.stamp) continue;
    // A start that died may have repaired this one.
    const auto text = files_.readAll(path(name));
    if (!text && text.error().code == Errc::kIo) return std::unexpected(text.error());
    copy_is_old_ = copy_is_old_ || !text || *text != copy.text;
  }
  return {};
}

Status DataDirectory::writeCopy() {
  if (!copy_due_) return {};
  MILLRACE_CHECK_OK(files_.writeAtomically(path(kCheckpointCopy), encodeCheckpointCopy(written_)));
  copy_due_ = false;
  return {};
}

Result<Bytes> DataDirectory::checkpointText(std::string_view name) {
  auto text = files_.readAll(path(name));
  if (!text && text.error().code == Errc::kIo) return text;
  const CheckpointText& copy = copied_[std::string(name)];
  if (copy.stamp.empty() || (text && *text == copy.text)) return text;
  if (!text && text.error().code == Errc::kNotFound) {
    // Where others were written since, this one may have been taken away by who did that.
    if (copy_is_old_) return text;
  } else {
    MILLRACE_TRY(const std::string stamp, stampOf(name));
    if (stamp != copy.stamp) return text;
  }
  complaints_.push_back(
      fmt::format("{} is not what was written: what {} says is used", path(name), kCheckpointCopy));
  // Before others are written: then the copy is old.
  MILLRACE_CHECK_OK(files_.writeAtomically(path(name), copy.text));
  return copy.text;
}

Result<OffsetMap> DataDirectory::readCheckpoint(std::string_view name) {
  const std::string file = path(name);
  const auto text = checkpointText(name);
  if (!text) {
    if (text.error().code == Errc::kNotFound) return OffsetMap{};
    // Not an empty one: recovery from the beginning would write anew what is on disk and sound.
    if (text.error().code == Errc::kIo) return std::unexpected(text.error());
    complaints_.push_back(text.error().detail);
    return OffsetMap{};
  }
  // Kafka makes the file before it has anything to write, and reads it so (CheckpointFile).
  if (text->empty()) return OffsetMap{};
  const auto lines = parseCheckpoint(file, *text);
  if (!lines) {
    complaints_.push_back(lines.error().detail);
    return OffsetMap{};
  }
  OffsetMap out;
  for (const std::string& line : *lines) {
    const std::size_t space = line.find(' ');
    int partition = 0;
    long long offset = 0;
    if (space == std::string::npos ||
        std::sscanf(line.c_str() + space, "%d %lld", &partition, &offset) != 2) {
      complaints_.push_back(fmt::format("{}: '{}'", file, line));
      continue;
    }
    out[{line.substr(0, space), PartitionIndex{partition}}] = Offset{offset};
  }
  return out;
}

std::set<TopicPartition> DataDirectory::strangers() const {
  std::set<TopicPartition> out;
  for (const OffsetMap* map : {&recovery_points_, &log_starts_, &high_watermarks_, &cleaned_to_})
    for (const auto& [tp, offset] : *map) out.insert(tp);
  for (const TopicPartition& tp : found_) out.erase(tp);
  return out;
}

void DataDirectory::forgetCheckpoints() {
  recovery_points_.clear();
  log_starts_.clear();
  high_watermarks_.clear();
  cleaned_to_.clear();
  copied_.clear();
  found_ = {};
}

Status DataDirectory::writeCheckpoint(std::string_view name, const OffsetMap& offsets) {
  std::vector<std::string> lines;
  for (const auto& [tp, offset] : offsets)
    lines.push_back(fmt::format("{} {} {}", tp.topic, tp.partition.value(), offset.value()));
  Bytes text = formatCheckpoint(lines);
  CheckpointText& before = written_[std::string(name)];
  if (text == before.text) return {};
  copy_due_ = true;
  MILLRACE_CHECK_OK(files_.writeAtomically(path(name), text));
  before.text = std::move(text);
  MILLRACE_TRY(before.stamp, stampOf(name));
  return {};
}

Status DataDirectory::writeCheckpoints(const Checkpoints& points) {
  // How far a log was compacted stands on disk before its recovery point may fall below that: the
  // recovery tells lost records from compacted ones by it.
  writes_cleaned_ = writes_cleaned_ || !points.cleaned_to.empty();
  if (writes_cleaned_) MILLRACE_CHECK_OK(writeCheckpoint(kCleanerOffsets, points.cleaned_to));
  MILLRACE_CHECK_OK(writeCheckpoint(kRecoveryPoints, points.recovery_points));
  MILLRACE_CHECK_OK(writeCheckpoint(kLogStarts, points.log_starts));
  MILLRACE_CHECK_OK(writeCheckpoint(kHighWatermarks, points.high_watermarks));
  return writeCopy();
}

Status DataDirectory::removeMarker() {
  if (clean_) MILLRACE_CHECK_OK(files_.remove(path(kCleanShutdown)));
  // Were it back after a power failure, torn files would be trusted. Also where there is none: a
  // start that died may have removed it without having come to this.
  return files_.syncDirectory(path_);
}

Status DataDirectory::writeMarker(std::int64_t broker_epoch) {
  return files_.writeAtomically(path(kCleanShutdown),
                                fmt::format("{{\"version\":0,\"brokerEpoch\":{}}}", broker_epoch));
}

}  // namespace millrace::log
