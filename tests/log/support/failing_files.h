// A file system where everything below one path fails from some moment on.
#pragma once

#include "tests/support/forwarding_files.h"

#include <memory>
#include <string>
#include <vector>

namespace millrace::log::test {

class FailingFiles final : public ForwardingFiles {
 public:
  enum class What { kNothing, kReads, kWrites, kSyncs };
  /// From now on these calls on files below `prefix` end with this error.
  void fail(std::string prefix, What what, Errc error = Errc::kIo) {
    broken_->prefix = std::move(prefix);
    broken_->what = what;
    broken_->error = error;
  }

  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override {
    MILLRACE_TRY(auto file, ForwardingFiles::open(path, mode));
    return std::make_shared<FailingFile>(std::move(file), broken_);
  }
  Status createDirectories(const std::string& p) override {
    MILLRACE_CHECK_OK(broken_->check(p, What::kWrites));
    return ForwardingFiles::createDirectories(p);
  }
  Status syncDirectory(const std::string& p) override {
    MILLRACE_CHECK_OK(broken_->check(p, What::kSyncs));
    return ForwardingFiles::syncDirectory(p);
  }
  Result<Bytes> readAll(const std::string& p, std::size_t limit) override {
    MILLRACE_CHECK_OK(broken_->check(p, What::kReads));
    return ForwardingFiles::readAll(p, limit);
  }
  Status writeAtomically(const std::string& p, BytesView content) override {
    MILLRACE_CHECK_OK(broken_->check(p, What::kWrites));
    return ForwardingFiles::writeAtomically(p, content);
  }

 private:
  struct Broken {
    std::string prefix;
    What what = What::kNothing;
    Errc error = Errc::kIo;
    [[nodiscard]] Status check(const std::string& path, What doing) const {
      if (doing != what || !path.starts_with(prefix)) return {};
      return millrace::fail(error, path + ": broken by the test");
    }
  };

  class FailingFile final : public ForwardingFile {
   public:
    FailingFile(std::shared_ptr<File> file, std::shared_ptr<const Broken> broken)
        : ForwardingFile(std::move(file)), broken_(std::move(broken)) {}
    Result<std::size_t> read(std::uint64_t at, char* out, std::size_t n) const override {
      MILLRACE_CHECK_OK(broken_->check(path(), What::kReads));
      return ForwardingFile::read(at, out, n);
    }
    Status write(std::uint64_t at, std::span<const BytesView> slices) override {
      MILLRACE_CHECK_OK(broken_->check(path(), What::kWrites));
      return ForwardingFile::write(at, slices);
    }
    Status sync() override {
      MILLRACE_CHECK_OK(broken_->check(path(), What::kSyncs));
      return ForwardingFile::sync();
    }

   private:
    std::shared_ptr<const Broken> broken_;
  };

  std::shared_ptr<Broken> broken_ = std::make_shared<Broken>();
};

}  // namespace millrace::log::test
