// A broker on a temporary directory and a free port.
#pragma once

#include "broker/broker.h"
#include "tests/support/temp_dir.h"

#include <optional>
#include <string>

namespace millrace::broker::testing {

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
  millrace::TempDir directory_;
  Properties properties_;
  std::optional<Broker> broker_;
};

}  // namespace millrace::broker::testing
