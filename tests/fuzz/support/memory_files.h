// Files in memory: thousands of inputs a second need no disk.
#pragma once

#include "base/file.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>

namespace millrace::fuzz {

class MemoryFiles final : public FileSystem {
 public:
  void put(const std::string& path, BytesView content) {
    files_[path] = std::make_shared<MemoryFile>(path, Bytes(content));
  }

  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override {
    const auto found = files_.find(path);
    if (found != files_.end()) return found->second;
    if (mode != OpenMode::kCreate) return fail(Errc::kNotFound, path);
    return files_[path] = std::make_shared<MemoryFile>(path, Bytes());
  }
  Result<std::vector<std::string>> list(const std::string& directory) override {
    std::vector<std::string> out;
    for (const auto& [path, file] : files_) {
      if (!path.starts_with(directory + "/")) continue;
      const std::string rest = path.substr(directory.size() + 1);
      const std::string name = rest.substr(0, rest.find('/'));
      if (out.empty() || out.back() != name) out.push_back(name);
    }
    return out;
  }
  Status createDirectories(const std::string&) override { return {}; }
  Status remove(const std::string& path) override {
    return files_.erase(path) > 0 ? Status{} : Status(fail(Errc::kNotFound, path));
  }
  Status removeAll(const std::string& path) override {
    std::erase_if(files_, [&](const auto& f) { return f.first.starts_with(path); });
    return {};
  }
  Status rename(const std::string& from, const std::string& to) override {
    const auto found = files_.find(from);
    if (found == files_.end()) return fail(Errc::kNotFound, from);
    const auto file = found->second;
    files_.erase(found);
    files_[to] = file;
    return {};
  }
  Status syncDirectory(const std::string&) override { return {}; }
  Result<bool> exists(const std::string& path) override { return files_.contains(path); }
  Result<Bytes> readAll(const std::string& path, std::size_t limit) override {
    const auto found = files_.find(path);
    if (found == files_.end()) return fail(Errc::kNotFound, path);
    if (found->second->content.size() > limit) return fail(Errc::kMalformed, path);
    return found->second->content;
  }
  Status writeAtomically(const std::string& path, BytesView content) override {
    put(path, content);
    return {};
  }

 private:
  struct MemoryFile final : File {
    MemoryFile(std::string path, Bytes bytes) : path_(std::move(path)), content(std::move(bytes)) {}
    Result<std::size_t> read(std::uint64_t at, char* out, std::size_t n) const override {
      if (at >= content.size()) return 0;
      n = std::min(n, content.size() - static_cast<std::size_t>(at));
      std::memcpy(out, content.data() + at, n);
      return n;
    }
    Status write(std::uint64_t at, std::span<const BytesView> slices) override {
      for (const BytesView slice : slices) {
        const auto end = static_cast<std::size_t>(at) + slice.size();
        if (content.size() < end) content.resize(end);
        std::memcpy(content.data() + at, slice.data(), slice.size());
        at = end;
      }
      return {};
    }
    Status sync() override { return {}; }
    Status truncate(std::uint64_t n) override {
      content.resize(static_cast<std::size_t>(n));
      return {};
    }
    Result<std::uint64_t> size() const override { return content.size(); }
    int fd() const override { return -1; }
    const std::string& path() const override { return path_; }

    std::string path_;
    Bytes content;
  };

  std::map<std::string, std::shared_ptr<MemoryFile>> files_;
};

}  // namespace millrace::fuzz
