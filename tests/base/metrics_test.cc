#include "base/metrics.h"

#include "base/random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(Histogram, QuantileIsAtMostAnEighthTooLarge) {
  Histogram histogram;
  EXPECT_EQ(histogram.quantile(0.5), 0U);
  for (std::uint64_t i = 1; i <= 10'000; ++i) histogram.record(i);
  for (const double q : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    const double exact = q * 10'000;
    EXPECT_GE(static_cast<double>(histogram.quantile(q)), exact) << q;
    EXPECT_LE(static_cast<double>(histogram.quantile(q)), exact * 1.125) << q;
  }
  EXPECT_EQ(histogram.quantile(1), 10'000U);
  EXPECT_EQ(histogram.count(), 10'000U);
  EXPECT_EQ(histogram.sum(), 50'005'000U);
}

TEST(Histogram, TakesEveryValue) {
  Histogram histogram;
  histogram.record(0);
  histogram.record(UINT64_MAX);
  EXPECT_EQ(histogram.quantile(0.5), 0U);
  EXPECT_EQ(histogram.quantile(1), UINT64_MAX);
  histogram.reset();
  EXPECT_EQ(histogram.count(), 0U);
}

TEST(MetricsRegistry, PrintsPrometheusText) {
  MetricsRegistry registry;
  registry.counter("records_total", "Records seen.", {{"topic", "a\"b"}}).add(3);
  registry.counter("records_total", "Records seen.", {{"topic", "a\"b"}}).add(2);
  registry.gauge("connections", "Open connections.").set(-1);
  registry.histogram("latency_us", "Latency.").record(4);
  EXPECT_EQ(registry.prometheusText(),
            "# HELP connections Open connections.\n# TYPE connections gauge\nconnections -1\n"
            "# HELP latency_us Latency.\n# TYPE latency_us summary\n"
            "latency_us{quantile=\"0.5\"} 4\nlatency_us{quantile=\"0.9\"} 4\n"
            "latency_us{quantile=\"0.99\"} 4\nlatency_us{quantile=\"0.999\"} 4\n"
            "latency_us_sum 4\nlatency_us_count 1\n"
            "# HELP records_total Records seen.\n# TYPE records_total counter\n"
            "records_total{topic=\"a\\\"b\"} 5\n");
}

TEST(SeededRandom, RepeatsAndStaysInBounds) {
  SeededRandom a(42);
  SeededRandom b(42);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(a.next(), b.next());
    EXPECT_LT(a.below(7), 7U);
    EXPECT_LT(b.unit(), 1.0);
    b.next();
    const std::int64_t n = a.between(-3, 3);
    EXPECT_TRUE(n >= -3 && n <= 3);
    SeededRandom c(static_cast<std::uint64_t>(i));
    a = c;
    b = c;
  }
  EXPECT_NE(systemRandom().next(), systemRandom().next());
}

}  // namespace
}  // namespace millrace
