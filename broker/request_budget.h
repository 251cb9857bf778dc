// How many requests, and how many bytes of them, the broker takes on at a time: queued.max.requests
// and queued.max.request.bytes.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace millrace::broker {

struct RequestContext;

/// One for all connections of a broker. Counts requests from the moment a handler gets them until
/// it is done or parks (a long poll, a join): what waits for an event waits for no thread, as in
/// Kafka's purgatory. Thread-safe; no lock unless somebody waits for room.
class RequestBudget {
 public:
  /// Who waits for room.
  class Waiter {
   public:
    virtual ~Waiter() = default;
    /// There may be room again. On any thread; must not call back.
    virtual void onRoom() = 0;
  };

  /// max_bytes below 0: no limit.
  RequestBudget(std::int64_t max_requests, std::int64_t max_bytes)
      : max_requests_(max_requests), max_bytes_(max_bytes) {}

  [[nodiscard]] bool countsBytes() const { return max_bytes_ >= 0; }
  /// False where the broker has enough to do.
  [[nodiscard]] bool takePlace();
  /// False where as many bytes as may be are taken. The last request may go over the limit: one
  /// larger than the limit must be served, too.
  [[nodiscard]] bool takeBytes(std::int64_t bytes);
  void give(std::int64_t places, std::int64_t bytes);
  /// `waiter` is told once of the next room. What has come free before this call is not told of:
  /// try again after it.
  void wait(Waiter& waiter);

  [[nodiscard]] std::int64_t requests() const { return requests_.load(); }
  [[nodiscard]] std::int64_t bytes() const { return bytes_.load(); }

 private:
  const std::int64_t max_requests_;
  const std::int64_t max_bytes_;
  std::atomic<std::int64_t> requests_{0};
  std::atomic<std::int64_t> bytes_{0};
  std::atomic<bool> any_waits_{false};
  std::mutex mutex_;
  std::vector<Waiter*> waiters_;
};

/// What one request holds of the budget; gives it back when it goes.
class RequestPermit {
 public:
  RequestPermit() = default;
  RequestPermit(RequestPermit&& other) noexcept { swap(other); }
  RequestPermit& operator=(RequestPermit&& other) noexcept {
    swap(other);
    return *this;
  }
  ~RequestPermit() { release(); }

  /// Takes what it does not hold yet. False where there is no room for it; what it got it keeps.
  [[nodiscard]] bool takeBytes(RequestBudget& budget, std::int64_t bytes);
  [[nodiscard]] bool takePlace(RequestBudget& budget);
  void release();

 private:
  void swap(RequestPermit& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    std::swap(places_, other.places_);
  }

  RequestBudget* budget_ = nullptr;
  std::int64_t bytes_ = 0;
  std::int64_t places_ = 0;
};

/// A handler says that its request waits for an event from here on.
void parks(const RequestContext& context);

}  // namespace millrace::broker
