// Comparing an answer with what Kafka answered, in the language of the transcripts.
#pragma once

#include <boost/json.hpp>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::broker::testing {

using Variables = std::map<std::string, boost::json::value>;

/// Puts variables in place of "${name}", within texts too. Unknown ones stay.
[[nodiscard]] boost::json::value substitute(const boost::json::value& value,
                                            const Variables& variables);

/// Every value that a path ($.a.b, [0], [*], [field=value]) names.
[[nodiscard]] std::vector<boost::json::value*> select(boost::json::value& root,
                                                      std::string_view path);

/// Empty where they are equal ("*" in `expected` is anything), else the first difference with its
/// path.
[[nodiscard]] std::string difference(const boost::json::value& expected,
                                     const boost::json::value& actual,
                                     const std::string& path = "$");

/// Sorts the arrays that a path names by their elements' text.
void sortArrays(boost::json::value& root, std::string_view path);

/// One line, keys as they stand.
[[nodiscard]] std::string text(const boost::json::value& value);

}  // namespace millrace::broker::testing
