// How many connections there are, against max.connections and max.connections.per.ip.
#pragma once

#include "base/result.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace millrace::broker {

/// Thread-safe. Shared by the connections that it counts.
class ConnectionCounts : public std::enable_shared_from_this<ConnectionCounts> {
 public:
  /// `max_descriptors`: how many file descriptors connections may take; logs need the others.
  ConnectionCounts(int max_in_all, int max_per_address, int max_descriptors)
      : max_in_all_(max_in_all),
        max_per_address_(max_per_address),
        max_descriptors_(max_descriptors) {}
  /// Three eighths of what the process may have, but for those of shards and listeners: half is for
  /// the logs' files (log::FileSlot), the rest for what is open for a moment only.
  [[nodiscard]] static int descriptorsForConnections();

  /// Counts one connection as long as it lives.
  class Place {
   public:
    Place() = default;
    Place(std::shared_ptr<ConnectionCounts> counts, std::string address)
        : counts_(std::move(counts)), address_(std::move(address)) {}
    Place(Place&&) noexcept = default;
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (counts_) counts_->leave(address_);
    }

   private:
    std::shared_ptr<ConnectionCounts> counts_;
    std::string address_;
  };

  /// Errors: kInvalidRequest, with the limit that is reached.
  [[nodiscard]] Result<Place> enter(const std::string& address);

 private:
  void leave(const std::string& address);

  std::mutex mutex_;
  int max_in_all_;
  int max_per_address_;
  int max_descriptors_;
  int in_all_ = 0;
  std::map<std::string, int> per_address_;
};

}  // namespace millrace::broker
