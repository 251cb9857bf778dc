// Plays a recorded conversation with Apache Kafka against our broker.
#pragma once

#include "base/properties.h"
#include "tests/broker/support/json_match.h"
#include "tests/broker/support/wire_client.h"

#include <boost/json.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace millrace::broker::testing {

/// The scenarios of a compressed transcript file, e.g. "produce"; throws where there is none.
[[nodiscard]] std::vector<boost::json::object> loadScenarios(const std::string& name);

/// The same of any file, compressed or not.
[[nodiscard]] std::vector<boost::json::object> loadScenarioFile(const std::string& path);

/// The settings of the node that the transcripts were recorded from.
[[nodiscard]] Properties recordedNode();

/// One scenario, on connections of its own.
class Player {
 public:
  explicit Player(std::uint16_t port) : port_(port) { variables_["port"] = port; }

  /// Empty where every answer was Kafka's, else what differed, with the step's number.
  [[nodiscard]] std::string play(const boost::json::object& scenario);

 private:
  struct Pending {
    std::string connection;
    const protocol::ApiInfo* api = nullptr;
    std::int16_t version = 0;
    std::int32_t correlation_id = 0;
  };

  WireClient& connection(const std::string& name);
  std::string step(const boost::json::object& step);
  std::string rawStep(const boost::json::object& step);
  Pending sendRequest(const boost::json::object& step);
  std::string compareAnswer(const boost::json::object& step, const Pending& pending);
  /// Null where the connection closed.
  boost::json::value receive(const Pending& pending);
  boost::json::value decode(BytesView frame, const Pending& pending);
  std::string untilHolds(const boost::json::object& step, boost::json::value& answer);
  void keepOnly(const boost::json::object& only, boost::json::value& answer);
  std::string compare(const boost::json::object& step, boost::json::value answer);

  std::uint16_t port_;
  std::map<std::string, std::unique_ptr<WireClient>> connections_;
  std::map<std::string, Pending> pending_;
  Variables variables_;
  std::int32_t next_id_ = 1;
};

}  // namespace millrace::broker::testing
