// Waiting for a condition of another thread or process, where nothing tells of it.
#pragma once

#include <chrono>
#include <thread>

namespace millrace::testing {

/// Asks `condition` again and again until it holds; false: it did not within `limit`. The limit
/// only bounds a failing test: a passing one goes on as soon as the condition holds.
template <class F>
[[nodiscard]] bool eventually(F condition,
                              std::chrono::milliseconds limit = std::chrono::seconds(30)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // tidy: allow sleep - between asks
  }
  return true;
}

}  // namespace millrace::testing
