#include "streams/state/write_buffer.h"

#include <gmock/gmock.h>

#include <map>
#include <random>

namespace millrace::streams {
namespace {

using Model = std::map<std::string, std::optional<std::string>>;

Model contents(const WriteBuffer::Ordered& ordered) {
  Model out;
  for (const auto& [key, entry] : ordered) {
    const auto value = entry->value();
    out[std::string(key)] = value ? std::optional<std::string>(*value) : std::nullopt;
  }
  return out;
}

TEST(WriteBuffer, AgreesWithAMapUnderRandomWrites) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  WriteBuffer buffer;
  Model model;
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = std::to_string(random() % 3'000);
    std::optional<std::string> value;
    if (random() % 4 != 0) value = std::string(random() % 40, 'x') + std::to_string(i);
    buffer.put(key, value ? std::optional<BytesView>(*value) : std::nullopt);
    model[key] = value;
    if (i == 7'000)
      EXPECT_EQ(contents(buffer.ordered()), model);  // from here on the index is kept up
    if (i == 12'000) {
      buffer.clear();
      model.clear();
    }
  }
  EXPECT_EQ(contents(buffer.ordered()), model);
  EXPECT_EQ(buffer.count(), model.size());
  for (const auto& [key, value] : model) {
    const auto* entry = buffer.find(key);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->deleted, !value.has_value());
  }
  EXPECT_EQ(buffer.find("no such key"), nullptr);
}

TEST(WriteBuffer, SortsByUnsignedBytes) {
  WriteBuffer buffer;
  const std::vector<std::string> keys{
      "\xff",       "",        std::string(1, '\0'), "a", std::string("a\0b", 3), "aaaaaaaaab",
      "aaaaaaaaaa", "aaaaaaaa"};
  for (const auto& key : keys) buffer.put(key, "v");
  std::vector<std::string> sorted = keys;
  std::ranges::sort(sorted);
  std::vector<std::string> seen;
  for (const auto* entry : buffer.sorted()) seen.emplace_back(entry->key());
  EXPECT_EQ(seen, sorted);
}

TEST(WriteBuffer, ClearOfALargeBufferGivesMemoryBack) {
  WriteBuffer buffer;
  for (int i = 0; i < 10'000; ++i) buffer.put(std::to_string(i), std::string(100, 'v'));
  EXPECT_GT(buffer.bytes(), 1'000'000U);
  buffer.clear();
  EXPECT_EQ(buffer.bytes(), 0U);
  EXPECT_EQ(buffer.find("1"), nullptr);
  buffer.put("1", "again");
  EXPECT_EQ(buffer.find("1")->value(), "again");
}

}  // namespace
}  // namespace millrace::streams
