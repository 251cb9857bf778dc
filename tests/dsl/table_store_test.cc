#include "dsl/table_store.h"

#include "streams/memory_stores.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace millrace::dsl {
namespace {

class NoCollector final : public streams::RecordCollector {
 public:
  std::int32_t topicHandle(std::string_view, bool) override { return 0; }
  Result<std::int32_t> partitionCount(std::int32_t) override { return 1; }
  Status send(const streams::OutputRecord&) override { return {}; }
};

/// Adds up the changes that children see: must always equal the rows at a flush.
class Ledger final : public FlushListener<std::string, std::int64_t> {
 public:
  void flushed(const std::string& key, const Change<std::int64_t>& change, RecordMeta) override {
    const auto known = rows.find(key);
    if (change.old_value != nullptr) {
      ASSERT_NE(known, rows.end());
      EXPECT_EQ(known->second, *change.old_value);
    } else {
      EXPECT_EQ(known, rows.end());
    }
    if (change.new_value != nullptr)
      rows[key] = *change.new_value;
    else
      rows.erase(key);
  }
  std::map<std::string, std::int64_t> rows;
};

class TableStoreTest : public testing::Test {
 protected:
  void open(std::int64_t cache_bytes) {
    cache_.max_bytes = cache_bytes;
    context_ = std::make_unique<ProcessorContext>(streams::TaskId{}, "app", collector_, cache_);
    store_ = std::make_unique<TableStore<std::string, std::int64_t>>(
        streams::StoreSpec{.name = "s"}, SerdeOf<std::string>(), SerdeOf<std::int64_t>());
    ASSERT_TRUE(store_->init(*context_, stores_));
  }
  void put(const std::string& key, std::optional<std::int64_t> value) {
    auto& entry = store_->openBlind(key);
    entry.value = value;
    entry.timestamp = 1;
    store_->commit(entry, {1, nullptr});
  }

  NoCollector collector_;
  streams::CacheBudget cache_;
  streams::MemoryStoreProvider stores_;
  std::unique_ptr<ProcessorContext> context_;
  std::unique_ptr<TableStore<std::string, std::int64_t>> store_;
};

TEST_F(TableStoreTest, FlushShowsOldFromBeforeTheFlushAndOnlyTheNewest) {
  Ledger ledger;
  open(1'000'000);
  store_->setListener(&ledger, true);
  put("k", 1);
  put("k", 2);
  EXPECT_TRUE(ledger.rows.empty());
  store_->flushCache();
  EXPECT_EQ(ledger.rows.at("k"), 2);
  put("k", std::nullopt);
  store_->flushCache();
  EXPECT_TRUE(ledger.rows.empty());
}

TEST_F(TableStoreTest, RowThatCameAndWentBetweenFlushesIsNotSeen) {
  Ledger ledger;
  open(1'000'000);
  store_->setListener(&ledger, true);
  put("k", 1);
  put("k", std::nullopt);
  store_->flushCache();
  EXPECT_TRUE(ledger.rows.empty());
  EXPECT_EQ(store_->get("k").value, nullptr);
}

TEST_F(TableStoreTest, RandomWorkloadEqualsAMapWhateverTheCacheSize) {
  for (const std::int64_t bytes :
       {std::int64_t{1}, std::int64_t{20'000}, std::int64_t{10'000'000}}) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed) + ", cache " + std::to_string(bytes));
    std::mt19937 random(seed);
    Ledger ledger;
    open(bytes);
    store_->setListener(&ledger, true);
    std::map<std::string, std::int64_t> model;
    for (int i = 0; i < 20'000; ++i) {
      const std::string key = "key-" + std::to_string(random() % 500);
      const auto what = random() % 10;
      if (what == 0) {
        put(key, std::nullopt);
        model.erase(key);
      } else if (what < 8) {
        auto& entry = store_->open(key);
        entry.value = entry.value.value_or(0) + 1;
        store_->commit(entry, {i, nullptr});
        ++model[key];
      } else {
        const auto row = store_->get(key);
        const auto expected = model.find(key);
        ASSERT_EQ(row.value != nullptr, expected != model.end());
        if (row.value != nullptr) {
          ASSERT_EQ(*row.value, expected->second);
        }
      }
      if (random() % 1000 == 0) store_->flushCache();
    }
    store_->flushCache();
    EXPECT_EQ(ledger.rows, model);
    std::map<std::string, std::int64_t> rows;
    ASSERT_TRUE(
        store_->forEach([&](const std::string& k, std::int64_t v, Millis) { rows[k] = v; }));
    EXPECT_EQ(rows, model);
    store_.reset();
    EXPECT_EQ(cache_.used_bytes, 0);
  }
}

}  // namespace
}  // namespace millrace::dsl
