#include "tests/broker/support/transcript.h"

#include "base/base64.h"
#include "base/varint.h"
#include "protocol/json.h"
#include "tests/broker/support/record_json.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>

namespace millrace::broker::testing {

namespace json = boost::json;

namespace {

constexpr int kUntilTries = 100;

/// Arrays of batches become the base64 that messages are written with, at any depth.
void encodeRecords(json::value& v) {
  if (v.is_array()) {
    for (auto& e : v.as_array()) encodeRecords(e);
  } else if (v.is_object()) {
    for (auto& [key, e] : v.as_object()) {
      if (key == "records" && e.is_array()) {
        e = toBase64(batchesFromJson(e.as_array()));
      } else {
        encodeRecords(e);
      }
    }
  }
}

void decodeRecords(json::value& v) {
  if (v.is_array()) {
    for (auto& e : v.as_array()) decodeRecords(e);
  } else if (v.is_object()) {
    for (auto& [key, e] : v.as_object()) {
      if (key == "records" && e.is_string()) {
        e = batchesToJson(fromBase64(std::string_view(e.as_string())).value());
      } else {
        decodeRecords(e);
      }
    }
  }
}

/// Kafka cuts the last batch where a limit ends; we never send a part of a batch. Clients drop it
/// either way.
void dropPartialMarks(json::value& v) {
  if (v.is_array()) {
    for (auto& e : v.as_array()) dropPartialMarks(e);
  } else if (v.is_object()) {
    v.as_object().erase("partialBatch");
    for (auto& [key, e] : v.as_object()) dropPartialMarks(e);
  }
}

const protocol::ApiInfo& apiNamed(std::string_view name) {
  for (const auto& api : protocol::allApis()) {
    if (api.name == name) return api;
  }
  throw std::runtime_error("no api " + std::string(name));
}

std::string textOf(const json::object& step, std::string_view key) {
  const auto* v = step.if_contains(key);
  return v == nullptr ? "" : std::string(v->as_string());
}

bool has(const json::object& step, std::string_view key) {
  return step.if_contains(key) != nullptr;
}

/// The recording waited here, for time itself: a session's timeout, a linger.
void sleepMs(std::int64_t ms) {
  // tidy: allow sleep - the recorded conversation has this pause
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

}  // namespace

Properties recordedNode() {
  return {{"num.partitions", "3"},
          {"node.id", "1"},
          {"offsets.topic.num.partitions", "4"},
          {"offsets.topic.replication.factor", "1"},
          {"transaction.state.log.num.partitions", "4"},
          {"transaction.state.log.replication.factor", "1"},
          {"transaction.state.log.min.isr", "1"},
          {"group.initial.rebalance.delay.ms", "0"},
          {"group.min.session.timeout.ms", "1000"},
          {"log.retention.ms", "-1"}};
}

std::vector<json::object> loadScenarios(const std::string& name) {
  return loadScenarioFile(std::string(MILLRACE_SOURCE_DIR) + "/tests/data/transcripts/" + name +
                          ".jsonl.gz");
}

std::vector<json::object> loadScenarioFile(const std::string& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) throw std::runtime_error("cannot read " + path);
  std::string content;
  char piece[64 << 10];
  for (int n = 0; (n = gzread(file, piece, sizeof piece)) > 0;)
    content.append(piece, static_cast<std::size_t>(n));
  gzclose(file);
  std::vector<json::object> scenarios;
  for (std::size_t at = 0; at < content.size();) {
    const std::size_t end = content.find('\n', at);
    scenarios.push_back(json::parse(std::string_view(content).substr(at, end - at)).as_object());
    at = end == content.npos ? content.size() : end + 1;
  }
  return scenarios;
}

WireClient& Player::connection(const std::string& name) {
  auto& c = connections_[name];
  if (!c) c = std::make_unique<WireClient>(port_);
  return *c;
}

std::string Player::play(const json::object& scenario) {
  std::size_t number = 0;
  for (const auto& s : scenario.at("steps").as_array()) {
    try {
      const std::string problem = step(s.as_object());
      if (!problem.empty())
        return fmt::format("step {} ({}): {}", number, textOf(s.as_object(), "api"), problem);
    } catch (const std::exception& e) {
      return fmt::format("step {} ({}): {}", number, textOf(s.as_object(), "api"), e.what());
    }
    ++number;
  }
  return {};
}

std::string Player::step(const json::object& step) {
  if (has(step, "after_ms")) sleepMs(step.at("after_ms").to_number<std::int64_t>());
  if (has(step, "raw")) return rawStep(step);
  if (has(step, "parked")) {
    const Pending& pending = pending_.at(textOf(step, "parked"));
    const auto frame = connection(pending.connection).receive(step.at("for_ms").to_number<int>());
    return frame ? "an answer came although the request should wait" : "";
  }
  if (has(step, "await")) return compareAnswer(step, pending_.at(textOf(step, "await")));
  const Pending pending = sendRequest(step);
  if (has(step, "async")) {
    pending_[textOf(step, "id")] = pending;
    return {};
  }
  if (has(step, "noResponse")) return {};
  if (has(step, "closed")) {
    return connection(pending.connection).waitForClose() ? "" : "the connection was not closed";
  }
  return compareAnswer(step, pending);
}

std::string Player::rawStep(const json::object& step) {
  WireClient& c = connection(textOf(step, "conn"));
  c.send(fromHex(step.at("raw").as_string()));
  if (has(step, "closed")) return c.waitForClose() ? "" : "the connection was not closed";
  if (has(step, "silent")) {
    return c.receive(step.at("wait_ms").to_number<int>()) ? "an answer came" : "";
  }
  const auto frame = c.receive();
  if (!frame) return "no answer";
  if (has(step, "answer"))
    return *frame == fromHex(step.at("answer").as_string()) ? "" : "other bytes";
  Pending pending;
  pending.connection = textOf(step, "conn");
  pending.api = &apiNamed(textOf(step, "api"));
  pending.version = step.at("v").to_number<std::int16_t>();
  pending.correlation_id = loadBe<std::int32_t>(frame->data());
  return compare(step, decode(*frame, pending));
}

Player::Pending Player::sendRequest(const json::object& step) {
  Pending pending;
  pending.connection = textOf(step, "conn");
  pending.api = &apiNamed(textOf(step, "api"));
  pending.version = step.at("v").to_number<std::int16_t>();
  pending.correlation_id = next_id_++;
  json::value request = substitute(step.at("req"), variables_);
  encodeRecords(request);
  protocol::AnyMessage message(*pending.api->request);
  const Status parsed =
      protocol::fromJson(request, message.info(), message.data(), pending.version);
  if (!parsed) throw std::runtime_error(parsed.error().toString());
  const std::string client = has(step, "clientId") ? textOf(step, "clientId") : "tr";
  connection(pending.connection)
      .send(WireClient::encode(message.info(), message.data(), pending.version,
                               pending.correlation_id, client));
  return pending;
}

json::value Player::receive(const Pending& pending) {
  WireClient& c = connection(pending.connection);
  const auto frame = c.receive();
  if (!frame)
    throw std::runtime_error(c.closed() ? "the connection was closed" : "no answer in time");
  if (loadBe<std::int32_t>(frame->data()) != pending.correlation_id)
    throw std::runtime_error("correlation id");
  return decode(*frame, pending);
}

json::value Player::decode(BytesView frame, const Pending& pending) {
  const auto split = protocol::splitResponse(frame, *pending.api, pending.version);
  if (!split) throw std::runtime_error(split.error().toString());
  auto body = protocol::decodeResponseBody(split->body, *pending.api, pending.version);
  if (!body) throw std::runtime_error(body.error().toString());
  json::value answer = protocol::toJson(body->info(), body->data(), pending.version);
  decodeRecords(answer);
  return answer;
}

/// Empty when the conditions of "until" hold.
std::string Player::untilHolds(const json::object& step, json::value& answer) {
  for (const auto& condition : step.at("until").as_array()) {
    const auto& o = condition.as_object();
    const std::string path = textOf(o, "path");
    for (json::value* v : select(answer, path)) {
      bool holds = true;
      if (const auto* is = o.if_contains("is"))
        holds = difference(substitute(*is, variables_), *v).empty();
      if (const auto* no = o.if_contains("not"))
        holds = !difference(substitute(*no, variables_), *v).empty();
      if (const auto* size = o.if_contains("size")) {
        holds = v->is_array() && v->as_array().size() == size->to_number<std::size_t>();
      }
      if (!holds) return fmt::format("{} is still {}", path, text(*v));
    }
  }
  return {};
}

std::string Player::compareAnswer(const json::object& step, const Pending& first) {
  if (has(step, "closed"))
    return connection(first.connection).waitForClose() ? "" : "the connection was not closed";
  json::value answer = receive(first);
  if (has(step, "until")) {
    std::string waiting = untilHolds(step, answer);
    for (int i = 0; i < kUntilTries && !waiting.empty(); ++i) {
      sleepMs(100);
      answer = receive(sendRequest(step));
      waiting = untilHolds(step, answer);
    }
    if (!waiting.empty()) return waiting;
  }
  return compare(step, std::move(answer));
}

/// Drops elements of the arrays at these paths whose fields have none of the wanted values.
void Player::keepOnly(const json::object& only, json::value& answer) {
  const auto isWanted = [&](const json::object& wanted, const json::value& element) {
    return std::ranges::all_of(wanted, [&](const auto& field) {
      const json::value values = substitute(field.value(), variables_);
      return std::ranges::any_of(values.as_array(), [&](const json::value& value) {
        return difference(value, element.at(field.key())).empty();
      });
    });
  };
  for (const auto& [path, wanted] : only) {
    for (json::value* v : select(answer, path)) {
      json::array kept;
      for (const auto& element : v->as_array()) {
        if (isWanted(wanted.as_object(), element)) kept.push_back(element);
      }
      *v = std::move(kept);
    }
  }
}

std::string Player::compare(const json::object& step, json::value answer) {
  if (const auto* save = step.if_contains("save")) {
    for (const auto& [name, path] : save->as_object()) {
      const auto found = select(answer, path.as_string());
      if (!found.empty()) variables_[name] = *found.front();
    }
  }
  json::value expected = substitute(step.at("res"), variables_);
  dropPartialMarks(expected);
  if (const auto* mask = step.if_contains("mask")) {
    for (const auto& path : mask->as_array()) {
      for (json::value* v : select(answer, path.as_string())) *v = "*";
    }
  }
  if (const auto* only = step.if_contains("only")) keepOnly(only->as_object(), answer);
  if (const auto* unordered = step.if_contains("unordered")) {
    // Inner arrays first, since they are part of the outer elements' text.
    const auto& paths = unordered->as_array();
    for (std::size_t i = paths.size(); i-- > 0;) {
      sortArrays(expected, paths[i].as_string());
      sortArrays(answer, paths[i].as_string());
    }
  }
  return difference(expected, answer);
}

}  // namespace millrace::broker::testing
