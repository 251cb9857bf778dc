// The real file system, for doubles that change a call or two of it.
#pragma once

#include "base/file.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace millrace {

/// Without a descriptor: whoever sends a file must go through read().
class ForwardingFile : public File {
 public:
  explicit ForwardingFile(std::shared_ptr<File> file) : file_(std::move(file)) {}
  Result<std::size_t> read(std::uint64_t at, char* out, std::size_t n) const override {
    return file_->read(at, out, n);
  }
  Status write(std::uint64_t at, std::span<const BytesView> slices) override {
    return file_->write(at, slices);
  }
  Status sync() override { return file_->sync(); }
  Status truncate(std::uint64_t n) override { return file_->truncate(n); }
  Result<std::uint64_t> size() const override { return file_->size(); }
  Result<std::string> stamp() const override { return file_->stamp(); }
  int fd() const override { return -1; }
  const std::string& path() const override { return file_->path(); }

 private:
  std::shared_ptr<File> file_;
};

class ForwardingFiles : public FileSystem {
 public:
  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override {
    return real_.open(path, mode);
  }
  Result<std::vector<std::string>> list(const std::string& p) override { return real_.list(p); }
  Status createDirectories(const std::string& p) override { return real_.createDirectories(p); }
  Status remove(const std::string& p) override { return real_.remove(p); }
  Status removeAll(const std::string& p) override { return real_.removeAll(p); }
  Status rename(const std::string& a, const std::string& b) override { return real_.rename(a, b); }
  Status syncDirectory(const std::string& p) override { return real_.syncDirectory(p); }
  Result<bool> exists(const std::string& p) override { return real_.exists(p); }
  Result<Bytes> readAll(const std::string& p, std::size_t limit) override {
    return real_.readAll(p, limit);
  }
  Status writeAtomically(const std::string& p, BytesView content) override {
    return real_.writeAtomically(p, content);
  }

 private:
  FileSystem& real_ = systemFiles();
};

}  // namespace millrace
