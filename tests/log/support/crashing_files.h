// A file system that stops: after so many changes every further one fails, as if the process had
// died there.
#pragma once

#include <memory>

#include "base/file.h"

namespace millrace::log::test {

class CrashingFiles final : public FileSystem {
 public:
  /// Changes (writes, truncations, renames, removals) that still succeed; -1: all.
  explicit CrashingFiles(int changes_left = -1) : left_(std::make_shared<int>(changes_left)) {}
  [[nodiscard]] bool crashed() const { return *left_ == 0; }
  void allow(int changes) { *left_ = changes; }

  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (mode == OpenMode::kCreate && crashed()) return dead();
    MILLRACE_TRY(auto file, real_.open(path, mode));
    return std::make_shared<CrashingFile>(std::move(file), left_);
  }
  Result<std::vector<std::string>> list(const std::string& d) override { return real_.list(d); }
  Status createDirectories(const std::string& p) override {
    return change() ? real_.createDirectories(p) : Status(dead());
  }
  Status remove(const std::string& p) override {
    return change() ? real_.remove(p) : Status(dead());
  }
  Status removeAll(const std::string& p) override {
    return change() ? real_.removeAll(p) : Status(dead());
  }
  Status rename(const std::string& a, const std::string& b) override {
    return change() ? real_.rename(a, b) : Status(dead());
  }
  Status syncDirectory(const std::string& p) override {
    return crashed() ? dead() : real_.syncDirectory(p);
  }
  Result<bool> exists(const std::string& p) override { return real_.exists(p); }
  Result<Bytes> readAll(const std::string& p, std::size_t limit) override {
    return real_.readAll(p, limit);
  }
  Status writeAtomically(const std::string& p, BytesView b) override {
    return change() ? real_.writeAtomically(p, b) : Status(dead());
  }

 private:
  static std::unexpected<Error> dead() { return fail(Errc::kIo, "the process is dead"); }
  static bool count(int& left) {
    if (left == 0) return false;
    if (left > 0) --left;
    return true;
  }
  bool change() { return count(*left_); }

  class CrashingFile final : public File {
   public:
    CrashingFile(std::shared_ptr<File> file, std::shared_ptr<int> left)
        : file_(std::move(file)), left_(std::move(left)) {}
    Result<std::size_t> read(std::uint64_t at, char* out, std::size_t n) const override {
      return file_->read(at, out, n);
    }
    Status write(std::uint64_t at, std::span<const BytesView> s) override {
      return count(*left_) ? file_->write(at, s) : Status(dead());
    }
    Status sync() override { return *left_ == 0 ? dead() : Status{}; }
    Status truncate(std::uint64_t n) override {
      return count(*left_) ? file_->truncate(n) : Status(dead());
    }
    Result<std::uint64_t> size() const override { return file_->size(); }
    int fd() const override { return -1; }
    const std::string& path() const override { return file_->path(); }

   private:
    std::shared_ptr<File> file_;
    std::shared_ptr<int> left_;
  };

  FileSystem& real_ = systemFiles();
  std::shared_ptr<int> left_;
};

}  // namespace millrace::log::test
