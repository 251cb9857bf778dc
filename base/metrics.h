// Numbers that a running process shows: counters, gauges, histograms, as Prometheus text.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace millrace {

/// Counts up. Any thread; an increment is one relaxed atomic add.
class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Goes up and down. Any thread.
class Gauge {
 public:
  void set(std::int64_t v) { value_.store(v, std::memory_order_relaxed); }
  void add(std::int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// A distribution of non-negative integers (say microseconds) in buckets whose width is at most 1/8
/// of their value: a quantile is at most 12.5 % too large. Any thread; 4 KiB each.
class Histogram {
 public:
  void record(std::uint64_t value);
  [[nodiscard]] std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t max() const { return max_.load(std::memory_order_relaxed); }
  /// The upper edge of the bucket where quantile `q` (0..1) falls, at most max(); 0 when empty.
  [[nodiscard]] std::uint64_t quantile(double q) const;
  void reset();

 private:
  static constexpr std::size_t kBuckets = 496;  // 8 per power of two, values below 8 exact
  static std::size_t bucketOf(std::uint64_t value);
  static std::uint64_t upperEdge(std::size_t bucket);

  std::array<std::atomic<std::uint64_t>, kBuckets> buckets_{};
  std::atomic<std::uint64_t> count_{0};
  std::atomic<std::uint64_t> sum_{0};
  std::atomic<std::uint64_t> max_{0};
};

/// `{{"topic", "orders"}, {"partition", "0"}}`
using MetricLabels = std::vector<std::pair<std::string, std::string>>;

/// Owns metrics by name and labels; the references it returns live as long as the registry.
/// Thread-safe. One per broker or client, nothing global. Names as Prometheus has them (snake_case,
/// unit last).
class MetricsRegistry {
 public:
  /// The same name and labels give the same object; one name is of one kind.
  [[nodiscard]] Counter& counter(const std::string& name, const std::string& help,
                                 const MetricLabels& labels = {});
  [[nodiscard]] Gauge& gauge(const std::string& name, const std::string& help,
                             const MetricLabels& labels = {});
  [[nodiscard]] Histogram& histogram(const std::string& name, const std::string& help,
                                     const MetricLabels& labels = {});
  /// Prometheus text format 0.0.4; histograms as summaries (0.5, 0.9, 0.99, 0.999).
  [[nodiscard]] std::string prometheusText() const;

 private:
  enum class Kind : std::uint8_t { kCounter, kGauge, kHistogram };
  struct Series {
    std::unique_ptr<Counter> counter;
    std::unique_ptr<Gauge> gauge;
    std::unique_ptr<Histogram> histogram;
  };
  struct Family {
    Kind kind = Kind::kCounter;
    std::string help;
    std::map<std::string, Series> series;  // by rendered labels
  };
  Series& series(const std::string& name, const std::string& help, const MetricLabels& labels,
                 Kind kind);

  mutable std::mutex mutex_;
  std::map<std::string, Family> families_;
};

}  // namespace millrace
