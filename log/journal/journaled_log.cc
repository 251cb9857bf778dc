#include "log/journal/journaled_log.h"

#include "log/file_slot.h"
#include "log/log_files.h"

#include <algorithm>

namespace millrace::log {

void JournaledLog::note(const std::shared_ptr<File>& file) {
  auto known = unsynced_.rbegin();  // the newest, nearly always
  while (known != unsynced_.rend() && known->file != file && known->path != file->path()) ++known;
  if (known != unsynced_.rend()) {
    ++known->version;
    if (known->file != nullptr) known->file = file;
    return;
  }
  unsynced_.push_back({.path = file->path(), .file = FileSlot::gettingLow() ? nullptr : file});
}

void JournaledLog::synced(const std::string& path) {
  std::erase_if(unsynced_, [&path](const Unsynced& one) { return one.path == path; });
}

JournaledLog::Sync JournaledLog::plan() const {
  Sync sync;
  sync.removals = removals_;
  bool new_name = false;
  for (const Unsynced& one : unsynced_) {
    sync.targets.push_back({one.path, one.file, one.version});
    new_name = new_name || one.path != named_;
    sync.newest = one.path;
  }
  if (new_name) sync.directories.push_back(directory_);
  if (new_name && fresh_) {
    sync.targets.push_back({directory_ + "/" + std::string(kPartitionMetadata), nullptr, 0});
    sync.directories.push_back(directory_.substr(0, directory_.rfind('/')));
  }
  return sync;
}

Status JournaledLog::Sync::run(FileSystem& files, const Present& present) const {
  for (const Target& target : targets) {
    std::shared_ptr<File> file = target.file;
    if (file == nullptr) {
      auto opened = files.open(target.path, OpenMode::kReadWrite);
      // Retention, compaction or a deletion took it away: nobody needs it any more.
      if (!opened && opened.error().code == Errc::kNotFound) {
        MILLRACE_CHECK_OK(present());
        continue;
      }
      if (!opened) return std::unexpected(std::move(opened).error());
      file = std::move(*opened);
    }
    MILLRACE_CHECK_OK(file->sync());
  }
  for (const std::string& directory : directories) {
    const Status synced = files.syncDirectory(directory);
    if (synced) continue;
    if (synced.error().code != Errc::kNotFound) return synced;
    MILLRACE_CHECK_OK(present());
  }
  return {};
}

void JournaledLog::settle(const Sync& done) {
  for (const Sync::Target& target : done.targets) {
    const auto known = std::ranges::find(unsynced_, target.path, &Unsynced::path);
    if (known != unsynced_.end() && known->version == target.version) unsynced_.erase(known);
  }
  if (done.directories.empty()) return;
  if (done.removals == removals_) named_ = done.newest;
  fresh_ = false;
}

}  // namespace millrace::log
