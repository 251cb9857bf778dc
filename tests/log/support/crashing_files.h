// A file system that stops: after so many changes every further one fails, as if the process had
// died there.
#pragma once

#include "tests/support/forwarding_files.h"

#include <memory>

namespace millrace::log::test {

class CrashingFiles final : public ForwardingFiles {
 public:
  /// Changes (writes, truncations, renames, removals) that still succeed; -1: all.
  explicit CrashingFiles(int changes_left = -1) : left_(std::make_shared<int>(changes_left)) {}
  [[nodiscard]] bool crashed() const { return *left_ == 0; }
  void allow(int changes) { *left_ = changes; }

  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (mode == OpenMode::kCreate && crashed()) return dead();
    MILLRACE_TRY(auto file, ForwardingFiles::open(path, mode));
    return std::make_shared<CrashingFile>(std::move(file), left_);
  }
  Status createDirectories(const std::string& p) override {
    return change() ? ForwardingFiles::createDirectories(p) : Status(dead());
  }
  Status remove(const std::string& p) override {
    return change() ? ForwardingFiles::remove(p) : Status(dead());
  }
  Status removeAll(const std::string& p) override {
    return change() ? ForwardingFiles::removeAll(p) : Status(dead());
  }
  Status rename(const std::string& a, const std::string& b) override {
    return change() ? ForwardingFiles::rename(a, b) : Status(dead());
  }
  Status syncDirectory(const std::string& p) override {
    return crashed() ? dead() : ForwardingFiles::syncDirectory(p);
  }
  Status writeAtomically(const std::string& p, BytesView b) override {
    return change() ? ForwardingFiles::writeAtomically(p, b) : Status(dead());
  }

 private:
  static std::unexpected<Error> dead() { return fail(Errc::kIo, "the process is dead"); }
  static bool count(int& left) {
    if (left == 0) return false;
    if (left > 0) --left;
    return true;
  }
  bool change() { return count(*left_); }

  class CrashingFile final : public ForwardingFile {
   public:
    CrashingFile(std::shared_ptr<File> file, std::shared_ptr<int> left)
        : ForwardingFile(std::move(file)), left_(std::move(left)) {}
    Status write(std::uint64_t at, std::span<const BytesView> s) override {
      return count(*left_) ? ForwardingFile::write(at, s) : Status(dead());
    }
    Status sync() override { return *left_ == 0 ? dead() : Status{}; }
    Status truncate(std::uint64_t n) override {
      return count(*left_) ? ForwardingFile::truncate(n) : Status(dead());
    }

   private:
    std::shared_ptr<int> left_;
  };

  std::shared_ptr<int> left_;
};

}  // namespace millrace::log::test
