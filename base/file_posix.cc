// FileSystem and File on the machine's own files.
#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <system_error>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <linux/magic.h>

namespace millrace {

namespace {

std::unexpected<Error> ioError(std::string_view what, const std::string& path, int error) {
  const Errc code = error == ENOSPC || error == EDQUOT ? Errc::kDiskFull
                    : error == ENOENT                  ? Errc::kNotFound
                                                       : Errc::kIo;
  return fail(code, std::string(what) + " " + path + ": " + std::generic_category().message(error));
}

std::unexpected<Error> ioError(std::string_view what, const std::string& path) {
  return ioError(what, path, errno);
}

/// syncfs(2) tells of failed writes since Linux 5.8.
bool syncfsReportsErrors() {
  static const bool reports = [] {
    utsname system{};
    int major = 0;
    int minor = 0;
    return ::uname(&system) == 0 && std::sscanf(system.release, "%d.%d", &major, &minor) == 2 &&
           (major > 5 || (major == 5 && minor >= 8));
  }();
  return reports;
}

/// File systems of which syncfs(2) is known to reach the disk; over a network or through FUSE it
/// may end at another machine's or process's cache.
bool isOnLocalDisk(int fd) {
  constexpr std::array<std::int64_t, 5> kLocal = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC,
                                                  BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC, TMPFS_MAGIC};
  struct statfs info{};
  return ::fstatfs(fd, &info) == 0 &&
         std::ranges::find(kLocal, static_cast<std::int64_t>(info.f_type)) != kLocal.end();
}

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override { ::close(fd_); }

  Result<std::size_t> read(std::uint64_t position, char* out, std::size_t size) const override {
    std::size_t done = 0;
    while (done < size) {
      const ssize_t n = ::pread(fd_, out + done, size - done, static_cast<off_t>(position + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ioError("cannot read", path_);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  Status write(std::uint64_t position, std::span<const BytesView> slices) override {
    std::size_t index = 0;   // the first slice not wholly written
    std::size_t within = 0;  // bytes of it that are
    while (index < slices.size()) {
      std::array<iovec, 64> vectors{};
      int count = 0;
      for (std::size_t i = index; i < slices.size() && count < 64; ++i) {
        const BytesView part = i == index ? slices[i].substr(within) : slices[i];
        vectors[static_cast<std::size_t>(count++)] = {const_cast<char*>(part.data()), part.size()};
      }
      const ssize_t n = ::pwritev(fd_, vectors.data(), count, static_cast<off_t>(position));
      if (n < 0 && (errno == EINTR || (errno == EINVAL && usePageCache()))) continue;
      if (n < 0) return ioError("cannot write", path_);
      position += static_cast<std::uint64_t>(n);
      within += static_cast<std::size_t>(n);
      while (index < slices.size() && within >= slices[index].size()) {
        within -= slices[index++].size();
      }
    }
    return {};
  }

  Status sync() override {
    if (::fdatasync(fd_) != 0) return ioError("cannot sync", path_);
    return {};
  }

  Result<bool> syncFileSystem() override {
    if (!syncfsReportsErrors() || !isOnLocalDisk(fd_)) return false;
    if (::syncfs(fd_) != 0) return ioError("cannot sync the file system of", path_);
    // ext4 without a journal leaves the blocks that it writes last in the disk's cache.
    if (::fsync(fd_) != 0) return ioError("cannot sync", path_);
    return true;
  }

  Status truncate(std::uint64_t size) override {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return ioError("cannot truncate", path_);
    return {};
  }

  Result<std::uint64_t> size() const override {
    struct stat info{};
    if (::fstat(fd_, &info) != 0) return ioError("cannot stat", path_);
    return static_cast<std::uint64_t>(info.st_size);
  }
  Result<std::string> stamp() const override {
    struct stat info{};
    if (::fstat(fd_, &info) != 0) return ioError("cannot stat", path_);
    // Not the device's number: it may be another one after the machine's next start.
    return std::to_string(info.st_ino) + "." + std::to_string(info.st_mtim.tv_sec) + "." +
           std::to_string(info.st_mtim.tv_nsec);
  }

  int fd() const override { return fd_; }
  const std::string& path() const override { return path_; }

 private:
  /// Whether writes went past the page cache; from now on they do not.
  [[nodiscard]] bool usePageCache() const {
    const int flags = ::fcntl(fd_, F_GETFL);
    return flags >= 0 && (flags & O_DIRECT) != 0 && ::fcntl(fd_, F_SETFL, flags & ~O_DIRECT) == 0;
  }

  int fd_;
  std::string path_;
};

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override {
    const int flags = mode == OpenMode::kRead     ? O_RDONLY
                      : mode == OpenMode::kCreate ? O_RDWR | O_CREAT
                      : mode == OpenMode::kDirect ? O_RDWR | O_DIRECT
                                                  : O_RDWR;
    int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
    if (fd < 0 && errno == EINVAL && mode == OpenMode::kDirect)
      fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return ioError("cannot open", path);
    return std::make_shared<PosixFile>(fd, path);
  }

  Result<std::vector<std::string>> list(const std::string& directory) override {
    DIR* const dir = ::opendir(directory.c_str());
    if (dir == nullptr) return ioError("cannot list", directory);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(dir)) {
      const std::string_view name(entry->d_name);
      if (name != "." && name != "..") names.emplace_back(name);
    }
    const int error = errno;
    ::closedir(dir);
    if (error != 0) return ioError("cannot list", directory, error);
    std::sort(names.begin(), names.end());
    return names;
  }

  Status createDirectories(const std::string& path) override {
    // Mostly the last one alone is missing.
    if (::mkdir(path.c_str(), 0777) == 0) return {};
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return ioError("cannot create directory", path, error.value());
    return {};
  }

  Status remove(const std::string& path) override {
    if (::remove(path.c_str()) != 0) return ioError("cannot remove", path);
    return {};
  }

  Status removeAll(const std::string& path) override {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) return ioError("cannot remove", path, error.value());
    return {};
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0)
      return ioError("cannot rename to " + to + ":", from);
    return {};
  }

  Status syncDirectory(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return ioError("cannot open directory", path);
    const int result = ::fsync(fd);
    const int error = errno;
    ::close(fd);
    if (result != 0) return ioError("cannot sync directory", path, error);
    return {};
  }

  Result<bool> exists(const std::string& path) override {
    struct stat info{};
    if (::stat(path.c_str(), &info) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return ioError("cannot stat", path);
  }

  Result<Bytes> readAll(const std::string& path, std::size_t limit) override {
    MILLRACE_TRY(const std::shared_ptr<File> file, open(path, OpenMode::kRead));
    Bytes content;
    // Not by the size that stat says: files below /proc say 0.
    for (;;) {
      const std::size_t start = content.size();
      if (start > limit) {
        return fail(Errc::kMalformed, path + " is larger than " + std::to_string(limit) + " bytes");
      }
      const std::size_t step = start == 0 ? 4 << 10 : 64 << 10;  // most are small
      content.resize(start + std::min<std::size_t>(limit - start + 1, step));
      MILLRACE_TRY(const std::size_t n,
                   file->read(start, content.data() + start, content.size() - start));
      const bool at_end = start + n < content.size();
      content.resize(start + n);
      if (at_end) return content;
    }
  }

  Status writeAtomically(const std::string& path, BytesView content) override {
    const std::string temporary = path + ".tmp";
    {
      MILLRACE_TRY(const std::shared_ptr<File> file, open(temporary, OpenMode::kCreate));
      MILLRACE_CHECK_OK(file->truncate(0));
      MILLRACE_CHECK_OK(file->write(0, std::span(&content, 1)));
      MILLRACE_CHECK_OK(file->sync());
    }
    MILLRACE_CHECK_OK(rename(temporary, path));
    const std::string directory = std::filesystem::path(path).parent_path().string();
    return syncDirectory(directory.empty() ? "." : directory);
  }
};

}  // namespace

FileSystem& systemFiles() {
  static PosixFileSystem* const files = new PosixFileSystem;  // never destroyed: used until the end
  return *files;
}

}  // namespace millrace
