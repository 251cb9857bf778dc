// Follows the two result topics and keeps the last value of each key.
#pragma once

#include "base/result.h"
#include "client/consumer.h"
#include "topology.h"

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

class Results {
 public:
  explicit Results(std::shared_ptr<millrace::client::Transport> transport);

  /// Takes in what has arrived; waits for at most `wait`.
  millrace::Status poll(std::chrono::milliseconds wait);
  /// Reads on until both topics have been read to their present end.
  millrace::Status readToEnd();
  /// The last rows as JSON lines, ordered by window and then by name.
  millrace::Status write(const std::string& directory) const;

  [[nodiscard]] std::size_t rows() const {
    return airline_hours_.size() + bad_weather_days_.size();
  }
  /// The airlines of the newest hours and the worst days, as lines for a terminal.
  [[nodiscard]] std::vector<std::string> table() const;

 private:
  using Rows = std::map<std::string, std::string>;  // key bytes -> JSON
  millrace::Consumer consumer_;
  Rows airline_hours_;
  Rows bad_weather_days_;
};
