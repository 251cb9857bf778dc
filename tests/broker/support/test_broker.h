// A broker on a temporary directory and a free port.
#pragma once

#include "broker/broker.h"

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>

namespace millrace::broker::testing {

/// Removed with everything in it.
class TempDirectory {
 public:
  TempDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "millrace-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
    path_ = name;
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class TestBroker {
 public:
  explicit TestBroker(Properties properties = {}) : properties_(std::move(properties)) { start(); }

  void start() {
    BrokerOptions options;
    options.directory = directory_.path() + "/data";
    options.properties = properties_;
    options.properties.try_emplace("listeners", "PLAINTEXT://127.0.0.1:0");
    broker_.emplace(Broker::open(std::move(options)));
  }
  void stop() { broker_.reset(); }
  Broker& operator*() { return *broker_; }
  Broker* operator->() { return &*broker_; }
  [[nodiscard]] std::uint16_t port() const { return broker_->port(); }
  [[nodiscard]] std::string directory() const { return directory_.path() + "/data"; }

 private:
  TempDirectory directory_;
  Properties properties_;
  std::optional<Broker> broker_;
};

}  // namespace millrace::broker::testing
