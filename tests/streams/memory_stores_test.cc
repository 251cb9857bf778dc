#include "streams/memory_stores.h"

#include <gtest/gtest.h>

namespace millrace::streams {
namespace {

std::string keysOf(std::unique_ptr<KeyValueIterator> rows) {
  std::string keys;
  for (; rows->valid(); rows->next()) keys += std::string(rows->key()) + " ";
  return keys;
}

TEST(MemoryKeyValueStore, RangesIncludeBothEnds) {
  MemoryKeyValueStore store;
  for (const char* key : {"a", "ab", "b", "c"}) ASSERT_TRUE(store.put(key, "v", 0));
  EXPECT_EQ(keysOf(store.range("ab", "b")), "ab b ");
  EXPECT_EQ(keysOf(store.range(std::nullopt, std::nullopt)), "a ab b c ");
  EXPECT_EQ(keysOf(store.range("c", "a")), "");
  EXPECT_EQ(keysOf(store.prefixScan("a")), "a ab ");
  ASSERT_TRUE(store.put("ab", std::nullopt, 0));
  Bytes value;
  EXPECT_FALSE(*store.get("ab", value));
  EXPECT_EQ(store.approximateEntries(), 3);
}

TEST(MemoryWindowStore, ExpiresAtTheRetention) {
  MemoryWindowStore store(10, 0, false);
  Bytes value;
  ASSERT_EQ(*store.put("k", 0, "a", 0), WindowPut::kStored);
  ASSERT_EQ(*store.put("k", 9, "b", 0), WindowPut::kStored);
  EXPECT_TRUE(*store.fetch("k", 0, value));
  ASSERT_EQ(*store.put("j", 10, "c", 0), WindowPut::kStored);
  EXPECT_FALSE(*store.fetch("k", 0, value));
  EXPECT_TRUE(*store.fetch("k", 9, value));
  EXPECT_EQ(*store.put("k", 0, "late", 0), WindowPut::kExpired);
}

TEST(MemoryWindowStore, SegmentsKeepOldWindowsOutOfSight) {
  MemoryWindowStore store(10, 100, false);
  Bytes value;
  ASSERT_EQ(*store.put("k", 50, "a", 0), WindowPut::kStored);
  EXPECT_EQ(*store.put("k", 0, "old", 0), WindowPut::kStored);
  EXPECT_FALSE(*store.fetch("k", 0, value));
  ASSERT_EQ(*store.put("k", 250, "b", 0), WindowPut::kStored);
  EXPECT_EQ(*store.put("k", 50, "late", 0), WindowPut::kExpired);
}

TEST(MemoryWindowStore, KeepsDuplicatesInOrder) {
  MemoryWindowStore store(100, 0, true);
  for (const char* v : {"x", "y", "z"}) ASSERT_TRUE(store.put("k", 5, v, 0));
  std::string seen;
  for (auto rows = store.fetch("k", 0, 10, false); rows->valid(); rows->next())
    seen += rows->value();
  EXPECT_EQ(seen, "xyz");
}

}  // namespace
}  // namespace millrace::streams
