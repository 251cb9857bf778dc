#include "log/entry_file.h"

#include <algorithm>
#include <cstring>

namespace millrace::log {
namespace {

/// Entries kept in memory before they are written: one write for many.
constexpr std::size_t kMaxPending = 1024;

}  // namespace

Status EntryFile::load() {
  if (loaded_) return {};
  auto opened = files_->system.open(path(), OpenMode::kReadWrite);
  if (!opened && opened.error().code != Errc::kNotFound) return std::unexpected(opened.error());
  if (opened) {
    MILLRACE_TRY(const std::uint64_t size, (*opened)->size());
    saved_ = static_cast<std::uint32_t>(size / entry_size_);
    torn_ = size % entry_size_ != 0;
    file_.set(std::move(*opened));
    exists_ = true;
  }
  loaded_ = true;
  return {};
}

Result<std::uint32_t> EntryFile::count() {
  MILLRACE_CHECK_OK(load());
  return saved_ + static_cast<std::uint32_t>(pending_.size()) / entry_size_;
}

Status EntryFile::read(std::uint32_t first, std::uint32_t n, char* out) {
  MILLRACE_CHECK_OK(load());
  const std::uint32_t from_file = first >= saved_ ? 0 : std::min(n, saved_ - first);
  if (from_file > 0) {
    MILLRACE_TRY(const auto opened, file());
    const std::size_t bytes = std::size_t{from_file} * entry_size_;
    MILLRACE_TRY(const std::size_t got,
                 opened->read(std::uint64_t{first} * entry_size_, out, bytes));
    if (got != bytes) return fail(Errc::kCorruptData, path() + " is shorter than it was");
    out += bytes;
  }
  if (n > from_file) {
    const std::size_t skip = std::size_t{first + from_file - saved_} * entry_size_;
    std::memcpy(out, pending_.data() + skip, std::size_t{n - from_file} * entry_size_);
  }
  return {};
}

Result<const char*> EntryFile::at(std::uint32_t index) {
  MILLRACE_CHECK_OK(load());
  if (index >= saved_) return pending_.data() + std::size_t{index - saved_} * entry_size_;
  if (pages_ == nullptr) pages_ = std::make_unique<EntryPages>();
  const std::uint32_t page = index / perPage(), first = page * perPage();
  const char* here = pages_->find(page);
  if (here == nullptr) {
    const std::uint32_t n = std::min(perPage(), saved_ - first);
    char* const room = pages_->add(page, std::size_t{n} * entry_size_);
    if (const Status loaded = read(first, n, room); !loaded) {
      pages_->dropFrom(page);
      return std::unexpected(loaded.error());
    }
    here = room;
  }
  return here + std::size_t{index - first} * entry_size_;
}

Status EntryFile::append(BytesView entry) {
  MILLRACE_CHECK_OK(load());
  if (pending_.size() + entry.size() > kMaxPending) MILLRACE_CHECK_OK(save());
  pending_.append(entry);
  return {};
}

Status EntryFile::truncate(std::uint32_t count) {
  MILLRACE_CHECK_OK(load());
  if (torn_) {
    // Part of an entry behind the last whole one must not come back to life under a new entry.
    MILLRACE_TRY(const auto opened, file());
    MILLRACE_CHECK_OK(opened->truncate(std::uint64_t{saved_} * entry_size_));
    torn_ = false;
  }
  if (count >= saved_) {
    const std::size_t keep = std::size_t{count - saved_} * entry_size_;
    if (keep < pending_.size()) pending_.resize(keep);
    return {};
  }
  pending_.clear();
  if (pages_ != nullptr) pages_->dropFrom(count / perPage());
  MILLRACE_TRY(const auto opened, file());
  MILLRACE_CHECK_OK(opened->truncate(std::uint64_t{count} * entry_size_));
  saved_ = count;
  return {};
}

Status EntryFile::save(bool create) {
  if (pending_.empty() && !create) return {};
  MILLRACE_CHECK_OK(load());
  if (!file_) {
    MILLRACE_TRY(auto opened, files_->system.open(path(), OpenMode::kCreate));
    made_ = made_ || !exists_;
    exists_ = true;
    MILLRACE_TRY(const std::uint64_t size, opened->size());
    if (size > std::uint64_t{saved_} * entry_size_)
      MILLRACE_CHECK_OK(opened->truncate(std::uint64_t{saved_} * entry_size_));
    file_.set(std::move(opened));
  }
  if (pending_.empty()) return {};
  const BytesView bytes = pending_;
  MILLRACE_CHECK_OK(file_.get()->write(std::uint64_t{saved_} * entry_size_, std::span(&bytes, 1)));
  if (pages_ != nullptr) pages_->dropFrom(saved_ / perPage());  // it was not full
  saved_ += static_cast<std::uint32_t>(pending_.size()) / entry_size_;
  pending_.clear();
  return {};
}

Status EntryFile::beginAnew() {
  MILLRACE_CHECK_OK(load());
  replaces_ = replaces_ || exists_;
  pending_.clear();
  pages_.reset();
  file_.reset();
  saved_ = 0;
  exists_ = torn_ = false;
  anew_ = true;
  return {};
}

Result<bool> EntryFile::settle() {
  if (exists_ || replaces_ || !pending_.empty()) MILLRACE_CHECK_OK(save(true));
  const std::string temporary = path();
  anew_ = false;
  if (!exists_) return false;
  MILLRACE_CHECK_OK(file_.get()->sync());
  file_.reset();
  replaces_ = false;
  MILLRACE_CHECK_OK(files_->system.rename(temporary, path()));
  return true;
}

Status EntryFile::release() {
  MILLRACE_CHECK_OK(save());
  pending_.shrink_to_fit();
  pages_.reset();
  file_.reset();
  return {};
}

Result<std::shared_ptr<File>> EntryFile::file() {
  MILLRACE_CHECK_OK(load());
  // Also where it was cut to nothing: that is to be synced, too.
  if (!file_ && exists_) {
    MILLRACE_TRY(auto opened, files_->system.open(path(), OpenMode::kReadWrite));
    file_.set(std::move(opened));
  }
  return file_.get();
}

}  // namespace millrace::log
