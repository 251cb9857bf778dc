#include "tests/broker/support/json_match.h"

#include <algorithm>

namespace millrace::broker::testing {

namespace json = boost::json;

namespace {

std::string plain(const json::value& v) {
  return v.is_string() ? std::string(v.as_string()) : json::serialize(v);
}

json::value substituteText(std::string_view text, const Variables& variables) {
  if (text.starts_with("${") && text.find('}') == text.size() - 1) {
    const auto found = variables.find(std::string(text.substr(2, text.size() - 3)));
    if (found != variables.end()) return found->second;
  }
  std::string out(text);
  for (const auto& [name, value] : variables) {
    const std::string mark = "${" + name + "}";
    for (std::size_t at = out.find(mark); at != std::string::npos; at = out.find(mark, at)) {
      out.replace(at, mark.size(), plain(value));
    }
  }
  return json::value(out);
}

/// Walks one step of a path from each of `from`.
std::vector<json::value*> step(const std::vector<json::value*>& from, std::string_view part) {
  std::vector<json::value*> to;
  for (json::value* v : from) {
    if (part.front() != '[') {
      if (v->is_object() && v->as_object().contains(part)) to.push_back(&v->as_object().at(part));
      continue;
    }
    if (!v->is_array()) continue;
    const std::string_view inside = part.substr(1, part.size() - 2);
    const std::size_t equals = inside.find('=');
    auto& array = v->as_array();
    for (std::size_t i = 0; i < array.size(); ++i) {
      bool take = inside == "*" || inside == std::to_string(i);
      if (equals != inside.npos && array[i].is_object()) {
        const auto* field = array[i].as_object().if_contains(inside.substr(0, equals));
        take = field != nullptr && plain(*field) == inside.substr(equals + 1);
      }
      if (take) to.push_back(&array[i]);
    }
  }
  return to;
}

/// "x*300" stands for 300 times x.
std::string expand(std::string_view s) {
  if (s.size() > 2 && s[1] == '*' && s.find_first_not_of("0123456789", 2) == s.npos) {
    return std::string(std::stoul(std::string(s.substr(2))), s[0]);
  }
  return std::string(s);
}

/// Where an answer need not be Kafka's to the letter.
bool isAsGood(const json::value& expected, const json::value& actual, const std::string& path) {
  if (expected.is_string() && actual.is_string()) {
    // Texts for people may be others.
    if (path.ends_with("rrorMessage"))
      return expected.as_string().empty() == actual.as_string().empty();
    return expand(expected.as_string()) == actual.as_string();
  }
  // What does not unpack may be called corrupt: our answer says more than Kafka's.
  return path.ends_with(".errorCode") && expected == json::value(-1) && actual == json::value(2);
}

bool equalNumbers(const json::value& a, const json::value& b) {
  const auto whole = [](const json::value& v) { return v.is_int64() || v.is_uint64(); };
  if (whole(a) && whole(b)) return json::serialize(a) == json::serialize(b);
  return a.to_number<double>() == b.to_number<double>();
}

}  // namespace

json::value substitute(const json::value& value, const Variables& variables) {
  if (value.is_string()) return substituteText(value.as_string(), variables);
  if (value.is_array()) {
    json::array out;
    for (const auto& v : value.as_array()) out.push_back(substitute(v, variables));
    return out;
  }
  if (value.is_object()) {
    json::object out;
    for (const auto& [k, v] : value.as_object()) out[k] = substitute(v, variables);
    return out;
  }
  return value;
}

std::vector<json::value*> select(json::value& root, std::string_view path) {
  std::vector<json::value*> values{&root};
  path.remove_prefix(1);  // $
  while (!path.empty()) {
    if (path.front() == '.') path.remove_prefix(1);
    std::size_t end = path.front() == '[' ? path.find(']') + 1 : path.find_first_of(".[");
    end = std::min(end, path.size());
    values = step(values, path.substr(0, end));
    path.remove_prefix(end);
  }
  return values;
}

std::string text(const json::value& value) { return json::serialize(value); }

void sortArrays(json::value& root, std::string_view path) {
  for (json::value* v : select(root, path)) {
    if (!v->is_array()) continue;
    auto& array = v->as_array();
    std::vector<json::value> items(array.begin(), array.end());
    std::sort(items.begin(), items.end(),
              [](const auto& a, const auto& b) { return text(a) < text(b); });
    array = json::array(items.begin(), items.end());
  }
}

std::string difference(const json::value& expected, const json::value& actual,
                       const std::string& path) {
  if (expected.is_string() && expected.as_string() == "*") return {};
  if (isAsGood(expected, actual, path)) return {};
  const auto differ = [&] {
    return path + ": expected " + text(expected) + ", got " + text(actual);
  };
  if (expected.is_object() && actual.is_object()) {
    for (const auto& [key, value] : expected.as_object()) {
      const auto* found = actual.as_object().if_contains(key);
      if (found == nullptr)
        return path + "." + std::string(key) + ": missing, expected " + text(value);
      std::string inner = difference(value, *found, path + "." + std::string(key));
      if (!inner.empty()) return inner;
    }
    for (const auto& [key, value] : actual.as_object()) {
      if (!expected.as_object().contains(key))
        return path + "." + std::string(key) + ": unexpected " + text(value);
    }
    return {};
  }
  if (expected.is_array() && actual.is_array()) {
    const auto& e = expected.as_array();
    const auto& a = actual.as_array();
    if (e.size() != a.size()) return differ();
    for (std::size_t i = 0; i < e.size(); ++i) {
      std::string inner = difference(e[i], a[i], path + "[" + std::to_string(i) + "]");
      if (!inner.empty()) return inner;
    }
    return {};
  }
  if (expected.is_number() && actual.is_number())
    return equalNumbers(expected, actual) ? "" : differ();
  return expected == actual ? "" : differ();
}

}  // namespace millrace::broker::testing
