#include "functions.h"

#include <charconv>
#include <map>
#include <stdexcept>

namespace millrace::replay {
namespace {

/// The text, or "null".
std::string shown(const Text& text) { return text ? *text : "null"; }

Text firstChar(const Text& text) {
  if (!text || text->empty()) return std::nullopt;
  return text->substr(0, 1);
}

std::int64_t number(const Text& text) {
  std::int64_t value = 0;
  if (!text) return 0;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), value);
  return parsed.ec == std::errc{} && parsed.ptr == text->data() + text->size() ? value : 0;
}

std::int64_t length(const Text& text) { return static_cast<std::int64_t>(shown(text).size()); }

/// "k" of "k@0/10". A plain key is not a windowed one: Java's cast fails.
Text innerKey(const Text& key) {
  const std::size_t at = key ? key->rfind('@') : std::string::npos;
  if (at == std::string::npos) throw std::runtime_error("ClassCastException: not a windowed key");
  return key->substr(0, at);
}

std::vector<Text> splitComma(const Text& value) {
  std::vector<Text> parts;
  if (!value) return parts;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t comma = value->find(',', begin);
    parts.emplace_back(value->substr(begin, comma == std::string::npos ? comma : comma - begin));
    if (comma == std::string::npos) return parts;
    begin = comma + 1;
  }
}

Text upper(const Text& value) {
  if (!value) return std::nullopt;
  std::string text = *value;
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

Text afterPipe(const Text& value) {
  const std::size_t pipe = value ? value->find('|') : std::string::npos;
  return pipe == std::string::npos ? Text() : Text(value->substr(pipe + 1));
}

template <class Fn>
Fn lookUp(const std::map<std::string, Fn>& all, const std::string& name, const char* kind) {
  const auto found = all.find(name);
  if (found == all.end()) throw Unknown(std::string("unknown ") + kind + " " + name);
  return found->second;
}

/// "append:x" gives "x" for the prefix "append:".
std::optional<std::string> argument(const std::string& name, const std::string& prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  return name.substr(prefix.size());
}

}  // namespace

PredicateFn predicate(const std::string& name) {
  if (const auto part = argument(name, "contains:")) {
    return [part](const Text&, const Text& v) { return shown(v).find(*part) != std::string::npos; };
  }
  static const std::map<std::string, PredicateFn> kAll = {
      {"true", [](const Text&, const Text&) { return true; }},
      {"false", [](const Text&, const Text&) { return false; }},
      {"len_even", [](const Text&, const Text& v) { return length(v) % 2 == 0; }},
      {"starts_vowel",
       [](const Text&, const Text& v) {
         return v && !v->empty() && std::string("aeiou").find(v->front()) != std::string::npos;
       }},
      {"key_lt_c", [](const Text& k, const Text&) { return k && *k < "c"; }},
      {"key_nonnull", [](const Text& k, const Text&) { return k.has_value(); }},
      {"value_nonnull", [](const Text&, const Text& v) { return v.has_value(); }},
  };
  return lookUp(kAll, name, "predicate");
}

MapperFn valueMapper(const std::string& name) {
  if (const auto part = argument(name, "append:")) {
    return [part](const Text&, const Text& v) -> Text { return shown(v) + *part; };
  }
  static const std::map<std::string, MapperFn> kAll = {
      {"id", [](const Text&, const Text& v) { return v; }},
      {"str", [](const Text&, const Text& v) { return v; }},
      {"upper", [](const Text&, const Text& v) { return upper(v); }},
      {"null_if_len_odd",
       [](const Text&, const Text& v) { return length(v) % 2 == 1 ? Text() : v; }},
      {"first_char", [](const Text&, const Text& v) { return firstChar(v); }},
      {"len", [](const Text&, const Text& v) -> Text { return std::to_string(length(v)); }},
      {"key_colon_value",
       [](const Text& k, const Text& v) -> Text { return shown(k) + ":" + shown(v); }},
  };
  return lookUp(kAll, name, "value mapper");
}

MapperFn keyMapper(const std::string& name) {
  if (const auto part = argument(name, "const:")) {
    return [part](const Text&, const Text&) -> Text { return *part; };
  }
  static const std::map<std::string, MapperFn> kAll = {
      {"key", [](const Text& k, const Text&) { return k; }},
      {"value", [](const Text&, const Text& v) { return v; }},
      {"value_first_char", [](const Text&, const Text& v) { return firstChar(v); }},
      {"key_first_char", [](const Text& k, const Text&) { return firstChar(k); }},
      {"key_text", [](const Text& k, const Text&) { return k; }},
      {"wkey", [](const Text& k, const Text&) { return innerKey(k); }},
      {"len_mod3",
       [](const Text&, const Text& v) -> Text { return std::to_string(length(v) % 3); }},
      {"after_pipe", [](const Text&, const Text& v) { return afterPipe(v); }},
      {"by_len",
       [](const Text&, const Text& v) -> Text {
         return length(v) % 2 == 0 ? "out_even" : "out_odd";
       }},
  };
  return lookUp(kAll, name, "key mapper");
}

PairFn pairMapper(const std::string& name) {
  static const std::map<std::string, PairFn> kAll = {
      {"swap", [](const Text& k, const Text& v) { return Pair(v, k); }},
      {"value_first_key", [](const Text&, const Text& v) { return Pair(firstChar(v), v); }},
      {"key_first_key", [](const Text& k, const Text& v) { return Pair(firstChar(k), v); }},
      {"wkey_value", [](const Text& k, const Text& v) { return Pair(innerKey(k), v); }},
      {"both_bang",
       [](const Text& k, const Text& v) { return Pair(shown(k) + "!", shown(v) + "!"); }},
      {"same", [](const Text& k, const Text& v) { return Pair(k, v); }},
  };
  return lookUp(kAll, name, "pair mapper");
}

PairsFn pairsMapper(const std::string& name) {
  static const std::map<std::string, PairsFn> kAll = {
      {"split_comma",
       [](const Text& k, const Text& v) {
         std::vector<Pair> pairs;
         for (Text& part : splitComma(v)) pairs.emplace_back(k, std::move(part));
         return pairs;
       }},
      {"self_and_first",
       [](const Text& k, const Text& v) { return std::vector<Pair>{{k, v}, {firstChar(v), k}}; }},
  };
  return lookUp(kAll, name, "pairs mapper");
}

ValuesFn valuesMapper(const std::string& name) {
  static const std::map<std::string, ValuesFn> kAll = {
      {"split_comma", [](const Text&, const Text& v) { return splitComma(v); }},
      {"twice",
       [](const Text&, const Text& v) {
         return std::vector<Text>{Text(shown(v) + "1"), Text(shown(v) + "2")};
       }},
      {"key_then_value",
       [](const Text& k, const Text& v) { return std::vector<Text>{Text(shown(k)), v}; }},
  };
  return lookUp(kAll, name, "values mapper");
}

Text initial(const std::string& name) {
  static const std::map<std::string, Text> kAll = {
      {"zero", "0"}, {"empty", ""}, {"null", std::nullopt}};
  return lookUp(kAll, name, "initialiser");
}

AggregatorFn aggregator(const std::string& name) {
  static const std::map<std::string, AggregatorFn> kAll = {
      {"plus",
       [](const Text&, const Text& v, const Text& a) -> Text { return shown(a) + "+" + shown(v); }},
      {"minus",
       [](const Text&, const Text& v, const Text& a) -> Text { return shown(a) + "-" + shown(v); }},
      {"plus_key",
       [](const Text& k, const Text& v, const Text& a) -> Text {
         return shown(a) + "+" + shown(k) + shown(v);
       }},
      {"plus_del",
       [](const Text&, const Text& v, const Text& a) -> Text {
         if (v && v->starts_with("x")) return std::nullopt;
         return shown(a) + "+" + shown(v);
       }},
      {"last", [](const Text&, const Text& v, const Text&) { return v; }},
      {"len_add",
       [](const Text&, const Text& v, const Text& a) -> Text {
         return std::to_string(number(a) + length(v));
       }},
      {"len_sub",
       [](const Text&, const Text& v, const Text& a) -> Text {
         return std::to_string(number(a) - length(v));
       }},
  };
  return lookUp(kAll, name, "aggregator");
}

ReducerFn reducer(const std::string& name) {
  static const std::map<std::string, ReducerFn> kAll = {
      {"concat", [](const Text& a, const Text& b) -> Text { return shown(a) + shown(b); }},
      {"concat_minus",
       [](const Text& a, const Text& b) -> Text { return shown(a) + "-" + shown(b); }},
      {"last", [](const Text&, const Text& b) { return b; }},
      {"first", [](const Text& a, const Text&) { return a; }},
      {"max", [](const Text& a, const Text& b) { return shown(a) >= shown(b) ? a : b; }},
      {"null_if_equal",
       [](const Text& a, const Text& b) { return shown(a) == shown(b) ? Text() : b; }},
  };
  return lookUp(kAll, name, "reducer");
}

JoinerFn merger(const std::string& name) {
  static const std::map<std::string, JoinerFn> kAll = {
      {"paren",
       [](const Text&, const Text& x, const Text& y) -> Text {
         return "(" + shown(x) + "|" + shown(y) + ")";
       }},
      {"sum",
       [](const Text&, const Text& x, const Text& y) -> Text {
         return std::to_string(number(x) + number(y));
       }},
  };
  return lookUp(kAll, name, "merger");
}

JoinerFn joiner(const std::string& name) {
  static const std::map<std::string, JoinerFn> kAll = {
      {"comma",
       [](const Text&, const Text& x, const Text& y) -> Text { return shown(x) + "," + shown(y); }},
      {"comma_key",
       [](const Text& k, const Text& x, const Text& y) -> Text {
         return shown(k) + ":" + shown(x) + "," + shown(y);
       }},
      {"null_if_equal",
       [](const Text&, const Text& x, const Text& y) {
         return shown(x) == shown(y) ? Text() : Text(shown(x) + "," + shown(y));
       }},
      {"first2",
       [](const Text&, const Text& x, const Text& y) -> Text {
         if (shown(x).empty() || shown(y).empty()) return "";
         return shown(x).substr(0, 1) + shown(y).substr(0, 1);
       }},
  };
  return lookUp(kAll, name, "joiner");
}

}  // namespace millrace::replay
