#include "results.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <fstream>

using namespace millrace;

namespace {

constexpr const char* kAirlineTopic = "airline-delays-hourly";
constexpr const char* kWeatherTopic = "bad-weather-daily";

// The rows of a topic as structs, ordered by window, then by name.
template <class Row>
std::vector<std::pair<Row, std::string>> ordered(const std::map<std::string, std::string>& rows,
                                                 std::string Row::* name) {
  std::vector<std::pair<Row, std::string>> out;
  for (const auto& [key, json] : rows) {
    Row row;
    if (Serde<Row>::deserialize(json, row)) out.emplace_back(row, json);
  }
  std::ranges::sort(out, [name](const auto& a, const auto& b) {
    return std::tie(a.first.start, a.first.*name) < std::tie(b.first.start, b.first.*name);
  });
  return out;
}

template <class Row>
Status writeLines(const std::string& path, const std::vector<std::pair<Row, std::string>>& rows) {
  std::ofstream file(path);
  for (const auto& [row, json] : rows) file << json << '\n';
  file.close();
  if (!file) return fail(Errc::kIo, "cannot write " + path);
  return {};
}

std::string minutes(const std::optional<double>& mean) {
  return mean ? fmt::format("{:>8.1f}", *mean) : std::string("       -");
}

}  // namespace

Results::Results(std::shared_ptr<client::Transport> transport)
    : consumer_({.maxPollRecords = 10'000, .transport = std::move(transport)}) {
  const Status assigned = consumer_.assign({{kAirlineTopic, 0}, {kWeatherTopic, 0}});
  const Status at_start = assigned ? consumer_.seekToBeginning() : assigned;
  if (!at_start) throw std::runtime_error(at_start.error().toString());
}

Status Results::poll(std::chrono::milliseconds wait) {
  const ConsumerRecords records = consumer_.poll(wait);
  if (!records.ok()) return std::unexpected(records.error());
  for (const Record& record : records) {
    Rows& rows = record.topic() == kAirlineTopic ? airline_hours_ : bad_weather_days_;
    rows.insert_or_assign(std::string(record.key()), std::string(record.value()));
  }
  return {};
}

Status Results::readToEnd() {
  const std::vector<TopicPartition> all = {{kAirlineTopic, 0}, {kWeatherTopic, 0}};
  MILLRACE_TRY(const auto ends, consumer_.endOffsets(all));
  for (const auto& [partition, end] : ends) {
    for (;;) {
      MILLRACE_TRY(const std::int64_t position, consumer_.position(partition));
      if (position >= end) break;
      MILLRACE_CHECK_OK(poll(std::chrono::milliseconds(100)));
    }
  }
  return {};
}

Status Results::write(const std::string& directory) const {
  MILLRACE_CHECK_OK(writeLines(directory + "/airline-delays-hourly.jsonl",
                               ordered<AirlineHour>(airline_hours_, &AirlineHour::airline)));
  return writeLines(directory + "/bad-weather-daily.jsonl",
                    ordered<BadWeatherDay>(bad_weather_days_, &BadWeatherDay::origin));
}

std::vector<std::string> Results::table() const {
  constexpr std::size_t kRows = 8;
  std::vector<std::string> lines = {fmt::format("{:<28} {:<16} {:>7} {:>9} {:>8} {:>6}", "airline",
                                                "hour (UTC)", "flights", "cancelled", "mean min",
                                                "worst")};
  const auto hours = ordered<AirlineHour>(airline_hours_, &AirlineHour::airline);
  const std::size_t skipped = hours.size() > kRows ? hours.size() - kRows : 0;
  for (std::size_t i = skipped; i < hours.size(); ++i) {
    const AirlineHour& h = hours[i].first;
    lines.push_back(fmt::format("{:<28} {:%Y-%m-%d %H:%M} {:>7} {:>9} {} {:>6}", h.airline, h.start,
                                h.flights, h.cancelled, minutes(h.mean_delay),
                                h.worst_delay ? fmt::format("{}", *h.worst_delay) : "-"));
  }
  lines.push_back({});
  lines.push_back(fmt::format("{:<28} {:<16} {:>7} {:>9} {:>8}", "airport in bad weather", "day",
                              "flights", "cancelled", "mean min"));
  auto days = ordered<BadWeatherDay>(bad_weather_days_, &BadWeatherDay::origin);
  std::ranges::sort(days, std::greater<>{}, [](const auto& day) { return day.first.mean_delay; });
  for (std::size_t i = 0; i < std::min(kRows / 2, days.size()); ++i) {
    const BadWeatherDay& d = days[i].first;
    lines.push_back(fmt::format("{:<28} {:%Y-%m-%d}       {:>7} {:>9} {}", d.origin, d.start,
                                d.flights, d.cancelled, minutes(d.mean_delay)));
  }
  return lines;
}
