#include "base/base64.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(Base64, GoesBothWays) {
  for (const std::string& bytes : {std::string(), std::string("f"), std::string("fo"),
                                   std::string("foo"), std::string("\0\xff\x10", 3)}) {
    EXPECT_EQ(fromBase64(toBase64(bytes)).value(), bytes);
  }
  EXPECT_EQ(toBase64("foob"), "Zm9vYg==");
}

TEST(Base64, RefusesWhatIsNot) {
  for (const char* text : {"a", "ab=c", "====", "Zm9vYh==", "Zm9v\n", "Zm-v"})
    EXPECT_FALSE(fromBase64(text)) << text;
}

}  // namespace
}  // namespace millrace
