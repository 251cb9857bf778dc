#include "base/metrics.h"

#include "base/assert.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace millrace {

// Buckets 0..7 hold the values 0..7; from there, each power of two is cut into 8 equal parts.
std::size_t Histogram::bucketOf(std::uint64_t value) {
  if (value < 8) return static_cast<std::size_t>(value);
  const auto exponent = static_cast<std::size_t>(std::bit_width(value)) - 1;  // 3..63
  const auto part = static_cast<std::size_t>(value >> (exponent - 3)) & 7;
  return (exponent - 2) * 8 + part;
}

std::uint64_t Histogram::upperEdge(std::size_t bucket) {
  if (bucket < 8) return bucket;
  const std::size_t exponent = bucket / 8 + 2;
  const std::uint64_t part = bucket % 8 + 1;
  return ((std::uint64_t{8} + part) << (exponent - 3)) - 1;
}

void Histogram::record(std::uint64_t value) {
  buckets_[bucketOf(value)].fetch_add(1, std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
  std::uint64_t seen = max_.load(std::memory_order_relaxed);
  while (value > seen && !max_.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

std::uint64_t Histogram::quantile(double q) const {
  // Summed here and not taken from count_: a record() may stand between its two additions.
  std::uint64_t total = 0;
  for (const auto& bucket : buckets_) total += bucket.load(std::memory_order_relaxed);
  if (total == 0) return 0;
  const double wanted = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(total));
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i].load(std::memory_order_relaxed);
    if (seen >= rank) return std::min(upperEdge(i), max());
  }
  return max();
}

void Histogram::reset() {
  for (auto& bucket : buckets_) bucket.store(0, std::memory_order_relaxed);
  count_.store(0, std::memory_order_relaxed);
  sum_.store(0, std::memory_order_relaxed);
  max_.store(0, std::memory_order_relaxed);
}

namespace {

std::string escape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

/// `topic="orders",partition="0"`
std::string render(const MetricLabels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    text += fmt::format("{}{}=\"{}\"", text.empty() ? "" : ",", name, escape(value));
  }
  return text;
}

std::string braced(const std::string& labels) { return labels.empty() ? "" : "{" + labels + "}"; }

void writeSummary(std::string& out, const std::string& name, const std::string& labels,
                  const Histogram& histogram) {
  for (const double q : {0.5, 0.9, 0.99, 0.999}) {
    out += fmt::format("{}{{{}{}quantile=\"{}\"}} {}\n", name, labels, labels.empty() ? "" : ",", q,
                       histogram.quantile(q));
  }
  out += fmt::format("{0}_sum{1} {2}\n{0}_count{1} {3}\n", name, braced(labels), histogram.sum(),
                     histogram.count());
}

}  // namespace

MetricsRegistry::Series& MetricsRegistry::series(const std::string& name, const std::string& help,
                                                 const MetricLabels& labels, Kind kind) {
  const auto [family, added] = families_.try_emplace(name);
  if (added) {
    family->second.kind = kind;
    family->second.help = help;
  }
  MILLRACE_ASSERT(family->second.kind == kind, "metric " + name + " is of another kind");
  return family->second.series[render(labels)];
}

Counter& MetricsRegistry::counter(const std::string& name, const std::string& help,
                                  const MetricLabels& labels) {
  const std::lock_guard lock(mutex_);
  auto& slot = series(name, help, labels, Kind::kCounter).counter;
  if (!slot) slot = std::make_unique<Counter>();
  return *slot;
}

Gauge& MetricsRegistry::gauge(const std::string& name, const std::string& help,
                              const MetricLabels& labels) {
  const std::lock_guard lock(mutex_);
  auto& slot = series(name, help, labels, Kind::kGauge).gauge;
  if (!slot) slot = std::make_unique<Gauge>();
  return *slot;
}

Histogram& MetricsRegistry::histogram(const std::string& name, const std::string& help,
                                      const MetricLabels& labels) {
  const std::lock_guard lock(mutex_);
  auto& slot = series(name, help, labels, Kind::kHistogram).histogram;
  if (!slot) slot = std::make_unique<Histogram>();
  return *slot;
}

std::string MetricsRegistry::prometheusText() const {
  static constexpr std::array<const char*, 3> kTypes{"counter", "gauge", "summary"};
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, escape(family.help), name,
                       kTypes[static_cast<std::size_t>(family.kind)]);
    for (const auto& [labels, series] : family.series) {
      switch (family.kind) {
        case Kind::kCounter:
          out += fmt::format("{}{} {}\n", name, braced(labels), series.counter->value());
          break;
        case Kind::kGauge:
          out += fmt::format("{}{} {}\n", name, braced(labels), series.gauge->value());
          break;
        case Kind::kHistogram: writeSummary(out, name, labels, *series.histogram); break;
      }
    }
  }
  return out;
}

}  // namespace millrace
