// Real numbers as text, the way Java prints them (Double.toString, Float.toString).
#pragma once

#include <string>

namespace millrace {

/// Shortest digits that read back, in Java's notation: "1.0", "1.0E10", "NaN", "-Infinity".
[[nodiscard]] std::string javaDouble(double value);
[[nodiscard]] std::string javaFloat(float value);

}  // namespace millrace
