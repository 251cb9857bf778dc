#include "streams/state/task_stores.h"

#include "base/varint.h"
#include "tests/streams_runtime/support/vectors.h"
#include "tests/support/temp_dir.h"

#include <gmock/gmock.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace millrace::streams {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using testing::toHex;

/// Keeps what a changelog would get.
struct Log final : ChangelogWriter {
  struct Entry {
    Bytes key;
    std::optional<Bytes> value;
    Millis timestamp;
  };
  std::vector<Entry> entries;
  Status append(BytesView key, std::optional<BytesView> value, Millis timestamp) override {
    entries.push_back({Bytes(key), value ? std::optional<Bytes>(*value) : std::nullopt, timestamp});
    return {};
  }
};

StoreSpec keyValueSpec() { return {.name = "counts", .kind = StoreKind::kTimestampedKeyValue}; }
StoreSpec windowSpec() {
  return {.name = "windows",
          .kind = StoreKind::kTimestampedWindow,
          .retention_ms = 100,
          .window_size_ms = 10,
          .segment_interval_ms = 50};
}

Bytes stamped(Millis timestamp, const std::string& value) {
  Bytes out(8, '\0');
  storeBe(out.data(), timestamp);
  return out + value;
}

std::unique_ptr<TaskStores> openStores(const std::string& directory) {
  const StateMemoryOptions small{.write_buffer_bytes = 8 << 20};
  auto stores = TaskStores::open(directory, {keyValueSpec(), windowSpec()}, makeStateMemory(small));
  EXPECT_TRUE(stores) << stores.error().toString();
  return std::move(*stores);
}

std::string get(KeyValueStore& store, const std::string& key) {
  Bytes value;
  const auto found = store.get(key, value);
  EXPECT_TRUE(found);
  return *found ? value.substr(8) : "(none)";
}

std::vector<std::pair<std::string, Millis>> windows(std::unique_ptr<WindowIterator> it) {
  std::vector<std::pair<std::string, Millis>> out;
  for (; it->valid(); it->next()) out.emplace_back(std::string(it->key()), it->start());
  return out;
}

TEST(TaskStores, ReadsSeeUncommittedAndCommittedRowsInOrder) {
  TempDir dir;
  auto stores = openStores(dir.path());
  KeyValueStore& store = **stores->keyValue(keyValueSpec());
  for (const auto* key : {"a", "c", "e"}) ASSERT_TRUE(store.put(key, stamped(1, key), 1));
  ASSERT_TRUE(stores->commit({}));
  ASSERT_TRUE(store.put("b", stamped(2, "b"), 2));
  ASSERT_TRUE(store.put("c", std::nullopt, 2));
  ASSERT_TRUE(store.put("e", stamped(2, "E"), 2));
  std::vector<std::pair<std::string, std::string>> all;
  for (auto it = store.range(std::nullopt, std::nullopt); it->valid(); it->next()) {
    all.emplace_back(std::string(it->key()), std::string(it->value().substr(8)));
  }
  EXPECT_THAT(all, ElementsAre(Pair("a", "a"), Pair("b", "b"), Pair("e", "E")));
  EXPECT_EQ(get(store, "c"), "(none)");
  auto upto = store.range("b", "b");
  ASSERT_TRUE(upto->valid());
  EXPECT_EQ(upto->key(), "b");
  upto->next();
  EXPECT_FALSE(upto->valid());
}

TEST(TaskStores, ChangelogHoldsKafkasBytes) {
  TempDir dir;
  auto stores = openStores(dir.path());
  Log counts;
  Log wins;
  stores->store("counts").setChangelog(&counts);
  stores->store("windows").setChangelog(&wins);
  ASSERT_TRUE((*stores->keyValue(keyValueSpec()))->put("k", stamped(7, "v"), 7));
  ASSERT_TRUE((*stores->keyValue(keyValueSpec()))->put("k", std::nullopt, 8));
  ASSERT_TRUE((*stores->window(windowSpec()))->put("k", 10, stamped(12, "w"), 12));
  ASSERT_EQ(counts.entries.size(), 2U);
  EXPECT_EQ(counts.entries[0].value, "v");
  EXPECT_EQ(counts.entries[0].timestamp, 7);
  EXPECT_EQ(counts.entries[1].value, std::nullopt);
  ASSERT_EQ(wins.entries.size(), 1U);
  EXPECT_EQ(toHex(wins.entries[0].key), "6b000000000000000a00000000");
  EXPECT_EQ(wins.entries[0].value, "w");
}

TEST(TaskStores, RestoredRowsReadAsTheOriginals) {
  TempDir dir;
  auto stores = openStores(dir.path());
  stores->store("counts").restore("k", "v", 7);
  stores->store("windows").restore(testing::fromHex("6b000000000000000a00000000"), "w", 12);
  Bytes value;
  EXPECT_TRUE(*(*stores->keyValue(keyValueSpec()))->get("k", value));
  EXPECT_EQ(value, stamped(7, "v"));
  EXPECT_TRUE(*(*stores->window(windowSpec()))->fetch("k", 10, value));
  EXPECT_EQ(value, stamped(12, "w"));
  Millis timestamp = -1;
  EXPECT_TRUE(*stores->store("counts").logged("k", value, timestamp));
  EXPECT_EQ(value, "v");
  EXPECT_EQ(timestamp, 7);
}

TEST(TaskStores, WindowsExpireBySegmentAndAreHiddenByRetention) {
  TempDir dir;
  auto stores = openStores(dir.path());
  WindowStore& store = **stores->window(windowSpec());
  for (const Millis start : {0, 40, 60, 140})
    ASSERT_EQ(*store.put("k", start, stamped(start, "v"), start), WindowPut::kStored);
  // Stream time 140, retention 100: visible from 41; the segment of 40 [0, 50) is live as long as
  // 140 - 100 is in it.
  EXPECT_THAT(windows(store.fetch("k", 0, 1000)), ElementsAre(Pair("k", 60), Pair("k", 140)));
  EXPECT_EQ(*store.put("k", 30, stamped(30, "v"), 30), WindowPut::kStored);
  ASSERT_EQ(*store.put("k", 155, stamped(155, "v"), 155), WindowPut::kStored);
  EXPECT_EQ(*store.put("k", 30, stamped(30, "v"), 30), WindowPut::kExpired);
  EXPECT_THAT(windows(store.fetch("k", 0, 1000, true)),
              ElementsAre(Pair("k", 155), Pair("k", 140), Pair("k", 60)));
}

TEST(TaskStores, KeysThatArePrefixesOfOthersKeepTheirWindowsApart) {
  TempDir dir;
  auto stores = openStores(dir.path());
  WindowStore& store = **stores->window(windowSpec());
  const std::string longer = std::string("a") + std::string(11, '\0') + "x";
  ASSERT_TRUE(store.put("a", 0, stamped(0, "1"), 0));
  ASSERT_TRUE(store.put(longer, 10, stamped(0, "2"), 0));
  ASSERT_TRUE(store.put("a", 20, stamped(0, "3"), 0));
  EXPECT_THAT(windows(store.fetch("a", 0, 100)), ElementsAre(Pair("a", 0), Pair("a", 20)));
}

TEST(TaskStores, CommittedStateComesBackWithItsOffsets) {
  TempDir dir;
  {
    auto stores = openStores(dir.path());
    ASSERT_TRUE((*stores->keyValue(keyValueSpec()))->put("k", stamped(1, "committed"), 1));
    ASSERT_TRUE((*stores->window(windowSpec()))->put("k", 500, stamped(1, "w"), 1));
    ASSERT_TRUE(stores->commit({{"counts", 41}}));
    ASSERT_TRUE((*stores->keyValue(keyValueSpec()))->put("k", stamped(2, "lost"), 2));
    ASSERT_TRUE(stores->flush());
  }
  auto stores = openStores(dir.path());
  EXPECT_EQ(get(**stores->keyValue(keyValueSpec()), "k"), "committed");
  EXPECT_EQ(stores->restoredTo("counts"), 41);
  EXPECT_EQ(stores->restoredTo("windows"), std::nullopt);
  EXPECT_EQ((*stores->window(windowSpec()))->observedStreamTime(), 500);
}

TEST(TaskStores, ASecondProcessIsRefused) {
  TempDir dir;
  auto stores = openStores(dir.path());
  EXPECT_FALSE(TaskStores::open(dir.path(), {keyValueSpec()}, makeStateMemory()));
}

TEST(TaskStores, AStoreThatLeftTheTopologyIsDropped) {
  TempDir dir;
  {
    auto stores = openStores(dir.path());
    ASSERT_TRUE((*stores->keyValue(keyValueSpec()))->put("k", stamped(1, "v"), 1));
    ASSERT_TRUE(stores->commit({}));
    ASSERT_TRUE(stores->flush());
  }
  {
    ASSERT_TRUE(TaskStores::open(dir.path(), {windowSpec()}, makeStateMemory()));
  }
  auto stores = openStores(dir.path());
  EXPECT_EQ(get(**stores->keyValue(keyValueSpec()), "k"), "(none)");
}

TEST(TaskStores, KilledProcessLeavesOneWholeCommit) {
  TempDir dir;
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  // A program of its own: RocksDB's threads would not survive a fork.
  const std::string fd = std::to_string(ready[1]);
  const std::string directory = dir.path();
  std::vector<std::string> arguments{MILLRACE_STREAMS_APP, "write-stores", directory, fd};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = -1;
  ASSERT_EQ(posix_spawn(&child, argv[0], nullptr, nullptr, argv.data(), environ), 0);
  char byte = 0;
  for (int i = 0; i < 3; ++i) ASSERT_EQ(read(ready[0], &byte, 1), 1);
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  close(ready[0]);
  close(ready[1]);

  auto stores = openStores(dir.path());
  KeyValueStore& store = **stores->keyValue(keyValueSpec());
  const auto offset = stores->restoredTo("counts");
  ASSERT_TRUE(offset) << "RocksDB never flushed";
  EXPECT_EQ(get(store, "left"), std::to_string(*offset));
  EXPECT_EQ(get(store, "right"), std::to_string(*offset));
}

}  // namespace
}  // namespace millrace::streams
