// The job: flights, airlines and weather -> delays per airline and hour, and what bad weather does
// to a day.
#pragma once

#include <algorithm>
#include <chrono>
#include <millrace/streams.h>
#include <optional>
#include <string>

struct Flight {
  std::string carrier, origin, time_hour;
  std::optional<int> dep_delay;  // null: the flight was cancelled
};
struct Airline {
  std::string name;
};
struct Weather {
  std::string origin, time_hour;
  std::optional<double> visib, precip, wind_speed;  // null: not measured

  bool isBad() const {
    return visib.value_or(10) < 3 || precip.value_or(0) >= 0.05 || wind_speed.value_or(0) >= 25;
  }
};
struct AirlineFlight {
  std::string airline;
  std::optional<int> dep_delay;
};

// What is known about the flights of one window.
struct Delays {
  int flights = 0;
  int cancelled = 0;
  std::int64_t sum = 0;
  std::optional<int> worst;

  void add(std::optional<int> delay) {
    ++flights;
    if (!delay) {
      ++cancelled;
      return;
    }
    sum += *delay;
    worst = std::max(worst.value_or(*delay), *delay);
  }
  std::optional<double> mean() const {
    if (flights == cancelled) return std::nullopt;
    return static_cast<double>(sum) / (flights - cancelled);
  }
};

// The results, as they stand in the topics.
struct AirlineHour {
  std::string airline;
  std::chrono::sys_seconds start;
  int flights = 0;
  int cancelled = 0;
  std::optional<double> mean_delay;
  std::optional<int> worst_delay;
};
struct BadWeatherDay {
  std::string origin;
  std::chrono::sys_seconds start;
  int flights = 0;
  int cancelled = 0;
  std::optional<double> mean_delay;
};

BOOST_DESCRIBE_STRUCT(Flight, (), (carrier, origin, time_hour, dep_delay))
BOOST_DESCRIBE_STRUCT(Airline, (), (name))
BOOST_DESCRIBE_STRUCT(Weather, (), (origin, time_hour, visib, precip, wind_speed))
BOOST_DESCRIBE_STRUCT(AirlineFlight, (), (airline, dep_delay))
BOOST_DESCRIBE_STRUCT(Delays, (), (flights, cancelled, sum, worst))
BOOST_DESCRIBE_STRUCT(AirlineHour, (),
                      (airline, start, flights, cancelled, mean_delay, worst_delay))
BOOST_DESCRIBE_STRUCT(BadWeatherDay, (), (origin, start, flights, cancelled, mean_delay))

inline std::chrono::sys_seconds startOf(const millrace::Windowed<std::string>& key) {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::sys_time<std::chrono::milliseconds>(
      std::chrono::milliseconds(key.window.start)));
}

inline void describeJob(millrace::StreamsBuilder& builder) {
  using namespace millrace;
  using namespace std::chrono_literals;
  using Key = std::string;

  auto flights = builder.stream<Key, Flight>("flights");
  auto airlines = builder.table<Key, Airline>("airlines");
  auto weather = builder.stream<Key, Weather>("weather")
                     .selectKey([](const Weather& w) { return w.origin + "|" + w.time_hour; })
                     .toTable({.store = "weather-by-hour"});

  flights
      .join(airlines,
            [](const Flight& f, const Airline& a) { return AirlineFlight{a.name, f.dep_delay}; })
      .groupBy([](const AirlineFlight& f) { return f.airline; }, {.name = "airline"})
      .windowedBy(tumbling(1h, {.grace = 24h}))
      .aggregate(Delays{},
                 [](const Key&, const AirlineFlight& f, Delays& d) { d.add(f.dep_delay); },
                 {.store = "airline-hours"})
      .toStream()
      .mapValues([](const Windowed<Key>& k, const Delays& d) {
        return AirlineHour{k.key, startOf(k), d.flights, d.cancelled, d.mean(), d.worst};
      })
      .to("airline-delays-hourly");

  flights.selectKey([](const Flight& f) { return f.origin + "|" + f.time_hour; })
      .repartition({.name = "flights-by-airport-and-hour"})
      .join(weather, [](const Flight& f, const Weather& w) { return std::pair(f, w.isBad()); })
      .filter([](const std::pair<Flight, bool>& flight) { return flight.second; })
      .mapValues([](const std::pair<Flight, bool>& flight) { return flight.first; })
      .groupBy([](const Flight& f) { return f.origin; }, {.name = "airport"})
      .windowedBy(tumbling(24h, {.grace = 24h}))
      .aggregate(Delays{}, [](const Key&, const Flight& f, Delays& d) { d.add(f.dep_delay); },
                 {.store = "bad-weather-days"})
      .toStream()
      .mapValues([](const Windowed<Key>& k, const Delays& d) {
        return BadWeatherDay{k.key, startOf(k), d.flights, d.cancelled, d.mean()};
      })
      .to("bad-weather-daily");
}
