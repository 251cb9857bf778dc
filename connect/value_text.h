// Values as text, the way Java prints them: what the file sink and the string converter write.
#pragma once

#include "connect/value.h"

#include <string>

namespace millrace::connect {

/// "null", "1.0E7", "[1, 2]", "{a=1}", "Struct{a=1,b=x}". Bytes print as their text.
[[nodiscard]] std::string valueText(const Value& value);
void appendValueText(const Value& value, std::string& out);

/// BigDecimal.toString: "1.23", "1.28E+3".
[[nodiscard]] std::string decimalText(const Decimal& value);
/// BigDecimal.toPlainString: "1280".
[[nodiscard]] std::string decimalPlainText(const Decimal& value);

}  // namespace millrace::connect
