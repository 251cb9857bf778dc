#include "log/future_log.h"

#include "log/batch_reader.h"
#include "log/data_directory.h"
#include "log/own_segments.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace millrace::log {
namespace {

constexpr std::size_t kChunk = 1 << 20;
/// What may be missing while nobody can append.
constexpr std::uint64_t kMostAtTheEnd = 16 << 20;
/// What a log has beside its segments and snapshots.
constexpr std::string_view kOtherFiles[] = {kEpochCheckpoint, kPartitionMetadata, kOwnSegments};

Status removeIfThere(FileSystem& files, const std::string& path) {
  const Status removed = files.remove(path);
  return !removed && removed.error().code == Errc::kNotFound ? Status{} : removed;
}

}  // namespace

std::optional<FutureName> parseFutureName(std::string_view name) {
  if (!name.ends_with(kFutureDirSuffix)) return std::nullopt;
  name.remove_suffix(kFutureDirSuffix.size());
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot + 1 == name.size()) return std::nullopt;
  auto partition = parseLogDirectory(name.substr(0, dot));
  if (!partition) return std::nullopt;
  return FutureName{std::move(*partition), std::string(name.substr(dot + 1))};
}

FutureLog::FutureLog(FileSystem& files, FutureName name, const std::string& data_directory)
    : files_(files),
      name_(std::move(name)),
      to_{files, data_directory + "/" + name_.toString()},
      unfinished_{files, to_.directory, std::string(kCleanedSuffix)} {}

Status FutureLog::begin(const Uuid& topic_id) {
  MILLRACE_CHECK_OK(files_.createDirectories(to_.directory));
  if (!topic_id.isZero())
    MILLRACE_CHECK_OK(
        files_.writeAtomically(to_.path(kPartitionMetadata), partitionMetadata(topic_id)));
  return files_.syncDirectory(to_.directory.substr(0, to_.directory.rfind('/')));
}

std::uint64_t FutureLog::missing(const MoveSource& source) const {
  std::uint64_t bytes = 0;
  for (const auto& part : source.parts) {
    const auto found = progress_.find(part.base);
    const bool known = version_ == source.version && found != progress_.end();
    const std::uint64_t copied = known ? found->second.bytes : 0;
    bytes += part.size - std::min(copied, part.size);
  }
  return bytes;
}

void FutureLog::follow(const MoveSource& source) {
  fault_ = Fault::kNone;
  if (version_ == source.version) return;
  // Compacted, or indexes were made anew: what is here is compared once more.
  progress_.clear();
  snapshots_.clear();
  end_offset_ = 0;
  version_ = source.version;
}

Status FutureLog::judged(Status status) {
  const bool disk =
      !status && (status.error().code == Errc::kIo || status.error().code == Errc::kNotFound);
  if (disk && fault_ == Fault::kNone) fault_ = Fault::kTarget;
  return status;
}

Status FutureLog::copy(const MoveSource& source, std::uint64_t most, IoPace& pace) {
  follow(source);
  Step step{.from = {files_, source.directory}, .pace = &pace, .left = most};
  return judged(copyAll(source, step));
}

Status FutureLog::complete(const MoveSource& source) {
  const std::uint64_t left = missing(source);
  follow(source);
  if (left > kMostAtTheEnd)
    return fail(Errc::kState, fmt::format("{}: {} bytes are not copied yet", to_.directory, left));
  Step step{.from = {files_, source.directory},
            .left = std::numeric_limits<std::uint64_t>::max(),
            .last = true};
  MILLRACE_CHECK_OK(judged(copyAll(source, step)));
  return judged(finish(source, step.from));
}

Status FutureLog::copyAll(const MoveSource& source, Step& step) {
  MILLRACE_CHECK_OK(dropMissing(source));
  MILLRACE_CHECK_OK(copyParts(source, step));
  return copySnapshots(source, step.from);
}

Status FutureLog::finish(const MoveSource& source, const LogFiles& from) {
  for (const std::string_view name : kOtherFiles) {
    MILLRACE_TRY(const bool there, copyFile(from.path(name), to_.path(name)));
    if (!there && name == kOwnSegments) MILLRACE_CHECK_OK(removeIfThere(files_, to_.path(name)));
  }
  MILLRACE_CHECK_OK(removeOthers());
  MILLRACE_CHECK_OK(mustBeWhole(source));
  MILLRACE_CHECK_OK(files_.writeAtomically(to_.path(kMovedMarker), name_.id));
  end_offset_ = source.end.value();
  return files_.syncDirectory(to_.directory);
}

Status FutureLog::dropMissing(const MoveSource& source) {
  std::erase_if(snapshots_, [&](Offset at) {
    return std::ranges::find(source.snapshots, at) == source.snapshots.end();
  });
  for (auto at = progress_.begin(); at != progress_.end();) {
    const bool there =
        std::ranges::find(source.parts, at->first, &MoveSource::Part::base) != source.parts.end();
    if (!there) MILLRACE_CHECK_OK(removePart(at->first));
    at = there ? std::next(at) : progress_.erase(at);
  }
  publish();
  return {};
}

Status FutureLog::copyParts(const MoveSource& source, Step& step) {
  const auto& parts = source.parts;
  for (std::size_t i = 0; i < parts.size() && step.left > 0; ++i) {
    const bool active = i + 1 == parts.size();
    MILLRACE_CHECK_OK(copyPart(parts[i], step.last || !active, step));
    if (!active && progress_[parts[i].base].done) end_offset_ = parts[i + 1].base.value();
  }
  return {};
}

Status FutureLog::copyPart(const MoveSource::Part& part, bool sealed, Step& step) {
  Progress& progress = progress_[part.base];
  if (progress.done && progress.bytes == part.size) return {};
  if (part.size == 0) {
    // It gets its file with its first record.
    const auto there = ofSource(files_.exists(step.from.path(part.base, FileKind::kLog)));
    if (!there) return std::unexpected(there.error());
    if (!*there) {
      MILLRACE_CHECK_OK(removePart(part.base));
      progress = {.begun = true, .done = true};
      return {};
    }
  }
  if (!progress.begun || progress.done || progress.bytes > part.size) {
    progress = {.begun = true};
    bool there = false;
    if (sealed) {
      MILLRACE_TRY(there, isThere(part, step));
    }
    if (there) {
      progress = {.bytes = part.size, .begun = true, .done = true};
      publish();
      return {};
    }
    MILLRACE_CHECK_OK(removePart(part.base));
  }
  MILLRACE_CHECK_OK(copyBatches(part, progress, step));
  if (!sealed || progress.bytes < part.size) return {};
  MILLRACE_CHECK_OK(finishPart(part.base, step.from));
  progress.done = true;
  return {};
}

Status FutureLog::copyBatches(const MoveSource::Part& part, Progress& progress, Step& step) {
  MILLRACE_TRY(const auto in,
               ofSource(files_.open(step.from.path(part.base, FileKind::kLog), OpenMode::kRead)));
  MILLRACE_TRY(const auto out,
               files_.open(unfinished_.path(part.base, FileKind::kLog), OpenMode::kCreate));
  BatchReader reader(*in, progress.bytes, part.size, kChunk);
  record::BatchView batch;
  Bytes chunk;
  std::int64_t end = end_offset_;
  for (bool more = true; more && step.left > 0;) {
    MILLRACE_TRY(more, ofSource(reader.next(batch)));
    if (more) {
      if (const Status sound = batch.checkCrc(); !sound)
        return fail(Errc::kCorruptData,
                    fmt::format("{} at offset {}: {}", in->path(), batch.baseOffset().value(),
                                sound.error().detail));
      chunk += batch.bytes();
      end = std::max(end, batch.nextOffset().value());
    }
    if (chunk.empty() || (more && chunk.size() < kChunk)) continue;
    const BytesView bytes(chunk);
    MILLRACE_CHECK_OK(out->write(progress.bytes, std::span(&bytes, 1)));
    progress.bytes += chunk.size();
    end_offset_ = end;
    publish();
    MILLRACE_CHECK_OK(spend(step, chunk.size()));
    chunk.clear();
  }
  return out->sync();
}

Status FutureLog::finishPart(Offset base, const LogFiles& from) {
  for (const FileKind kind : kIndexKinds) {
    MILLRACE_TRY(const bool there, copyFile(from.path(base, kind), unfinished_.path(base, kind)));
    if (there) MILLRACE_CHECK_OK(files_.rename(unfinished_.path(base, kind), to_.path(base, kind)));
  }
  return files_.rename(unfinished_.path(base, FileKind::kLog), to_.path(base, FileKind::kLog));
}

Result<bool> FutureLog::isThere(const MoveSource::Part& part, Step& step) {
  for (const FileKind kind : kSegmentKinds) {
    MILLRACE_TRY(const bool same, isSame(part.base, kind, step));
    if (!same) return false;
  }
  return true;
}

Result<bool> FutureLog::isSame(Offset base, FileKind kind, Step& step) {
  MILLRACE_TRY(const auto first,
               ofSource(openIfThere(step.from.path(base, kind), OpenMode::kRead)));
  MILLRACE_TRY(const auto second, openIfThere(to_.path(base, kind), OpenMode::kReadWrite));
  // Without an index both are the same, but there is no segment without a log file.
  if (!first || !second) return kind != FileKind::kLog && !first && !second;
  MILLRACE_TRY(const std::uint64_t size, ofSource(first->size()));
  MILLRACE_TRY(const std::uint64_t other, second->size());
  if (size != other) return false;
  Bytes here(kChunk, '\0');
  Bytes there(kChunk, '\0');
  for (std::uint64_t at = 0; at < size; at += kChunk) {
    MILLRACE_TRY(const std::size_t n, ofSource(first->read(at, here.data(), kChunk)));
    MILLRACE_TRY(const std::size_t m, second->read(at, there.data(), kChunk));
    if (BytesView(here).substr(0, n) != BytesView(there).substr(0, m)) return false;
    MILLRACE_CHECK_OK(spend(step, n));
  }
  // Written by a process that died, perhaps.
  MILLRACE_CHECK_OK(second->sync());
  return true;
}

Status FutureLog::copySnapshots(const MoveSource& source, const LogFiles& from) {
  for (const Offset at : source.snapshots) {
    if (snapshots_.contains(at)) continue;
    MILLRACE_TRY(const bool there,
                 copyFile(from.path(at, FileKind::kSnapshot), to_.path(at, FileKind::kSnapshot)));
    if (there) snapshots_.insert(at);
  }
  return {};
}

Status FutureLog::removePart(Offset base) {
  for (const FileKind kind : kSegmentKinds) {
    MILLRACE_CHECK_OK(removeIfThere(files_, to_.path(base, kind)));
    MILLRACE_CHECK_OK(removeIfThere(files_, unfinished_.path(base, kind)));
  }
  return {};
}

Status FutureLog::removeOthers() {
  MILLRACE_TRY(const auto names, files_.list(to_.directory));
  for (const std::string& name : names) {
    if (std::ranges::find(kOtherFiles, name) != std::end(kOtherFiles)) continue;
    const auto parsed = parseFileName(name);
    const bool counts = parsed && parsed->extra.empty();
    const bool wanted =
        counts && (parsed->kind == FileKind::kSnapshot ? snapshots_.contains(parsed->base)
                                                       : progress_.contains(parsed->base));
    if (!wanted) MILLRACE_CHECK_OK(files_.remove(to_.path(name)));
  }
  return {};
}

Status FutureLog::mustBeWhole(const MoveSource& source) const {
  const bool all = std::ranges::all_of(source.parts, [this](const auto& part) {
    const auto found = progress_.find(part.base);
    return found != progress_.end() && found->second.done && found->second.bytes == part.size;
  });
  return all ? Status{} : fail(Errc::kCorruptData, to_.directory + " is not whole");
}

Result<std::shared_ptr<File>> FutureLog::openIfThere(const std::string& path, OpenMode mode) {
  auto file = files_.open(path, mode);
  if (!file && file.error().code == Errc::kNotFound) return nullptr;
  return file;
}

Result<bool> FutureLog::copyFile(const std::string& from, const std::string& to) {
  MILLRACE_TRY(const auto in, ofSource(openIfThere(from, OpenMode::kRead)));
  if (!in) return false;
  MILLRACE_TRY(const auto out, files_.open(to, OpenMode::kCreate));
  MILLRACE_TRY(const std::uint64_t size, ofSource(in->size()));
  Bytes chunk(std::min<std::uint64_t>(size, kChunk), '\0');
  std::uint64_t at = 0;
  for (std::size_t n = 1; at < size && n > 0; at += n) {
    MILLRACE_TRY(n, ofSource(in->read(at, chunk.data(), chunk.size())));
    const BytesView bytes = BytesView(chunk).substr(0, n);
    MILLRACE_CHECK_OK(out->write(at, std::span(&bytes, 1)));
  }
  MILLRACE_CHECK_OK(out->truncate(at));
  MILLRACE_CHECK_OK(out->sync());
  return true;
}

Status FutureLog::spend(Step& step, std::uint64_t bytes) const {
  step.left -= std::min(step.left, bytes);
  const bool go_on = step.pace == nullptr || step.pace->spend(bytes, &cancelled_);
  if (cancelled_) return fail(Errc::kCancelled, to_.directory + " is not wanted any more");
  return go_on ? Status{} : fail(Errc::kCancelled, "the broker stops");
}

void FutureLog::publish() {
  std::uint64_t bytes = 0;
  for (const auto& [base, progress] : progress_) bytes += progress.bytes;
  size_ = bytes;
}

}  // namespace millrace::log
