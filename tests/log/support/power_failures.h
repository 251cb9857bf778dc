// A short life of a data directory, cut off by a power failure at each of its changes in turn.
#pragma once

#include "log/check/check.h"
#include "log/journal/journal.h"
#include "log/log_manager.h"
#include "tests/log/support/faulty_disk.h"
#include "tests/log/support/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace millrace::log::test {

class PowerFailures : public testing::Test {
 protected:
  /// A fresh disk for each power failure: prepare() runs undisturbed, act() until the power fails
  /// (its calls fail from then on: their outcome does not count). check() sees what a start finds;
  /// nothing may be offline then, and check-log has nothing to say. A first start is cut off, too,
  /// at some change. Disks keep different parts of what was not synced.
  template <class Prepare, class Act, class Check>
  void atEveryChange(Prepare prepare, Act act, Check check, std::uint64_t disks = 6) {
    for (std::uint64_t seed = 1; seed <= disks; ++seed) {
      bool failed = true;
      for (std::uint64_t change = 0; failed && !HasFailure(); ++change) {
        SCOPED_TRACE("disk " + std::to_string(seed) + ", power fails at change " +
                     std::to_string(change));
        disk_ = std::make_unique<FaultyDisk>(seed);
        start();
        prepare();
        if (HasFailure()) return;
        disk_->crashAfter(change);
        act();
        failed = disk_->crashed();
        loseUnsynced();
        if (start_fails_) {
          disk_->crashAfter((seed + change) % 16);
          manager_ = open();
          loseUnsynced();
        }
        if (before_start_) before_start_();
        start();
        if (HasFailure()) return;
        check();
        expectSound();
      }
    }
  }

  [[nodiscard]] std::unique_ptr<LogManager> open() {
    auto opened = LogManager::open({.directories = directories_,
                                    .defaults = config_,
                                    .broken = broken_,
                                    .logs_synced_together = logs_synced_together_,
                                    .recovery_threads = 1,
                                    .journal_file_bytes = 64 << 10,
                                    .journal_direct_bytes = direct_bytes_,
                                    .files = disk_.get(),
                                    .clock = &clock_});
    return opened ? std::move(*opened) : nullptr;
  }
  void startOnNewDisk() {
    disk_ = std::make_unique<FaultyDisk>(1);
    start();
  }
  void start() {
    manager_ = open();
    ASSERT_NE(manager_, nullptr);
    for (const std::string& note : manager_->report().notes)
      EXPECT_EQ(note.find("offline"), std::string::npos) << note;
  }
  void loseUnsynced() {
    manager_.reset();
    disk_->restart(restart_);
  }
  void expectSound() {
    for (const std::string& directory : directories_) expectSound(directory);
  }
  void expectSound(const std::string& directory) {
    const std::string path = directory + "/" + name_.toString();
    const auto paths = disk_->filesBelow(path);
    if (std::ranges::none_of(paths, [](const auto& p) { return p.ends_with(".log"); })) return;
    const auto checked = checkLogs(*disk_, path, [](const Problem& p) {
      // One that a crash tore is told by its CRC, and passed over.
      if (!p.file.ends_with(".snapshot")) ADD_FAILURE() << p.file << ": " << p.what;
    });
    EXPECT_TRUE(checked);
  }

  /// Where a batch begins in a segment's file.
  std::uint64_t positionIn(const std::string& path, Offset base) {
    const Bytes bytes = disk_->readAll(path, 1 << 20).value();
    record::BatchIterator walk(bytes);
    record::BatchView batch;
    for (std::uint64_t at = 0; walk.next(batch); at = walk.position())
      if (batch.baseOffset() == base) return at;
    ADD_FAILURE() << "no batch at " << base.value();
    return 0;
  }

  /// The log, made where it is not there.
  PartitionLog& log(const Uuid& id = {1, 1}) {
    if (found() != nullptr) return *found();
    auto log = manager_->create(name_, id, config_);
    EXPECT_TRUE(log) << log.error().toString();
    if (!log) std::abort();
    return **log;
  }
  [[nodiscard]] PartitionLog* found() { return manager_->find(name_); }
  /// A batch with `count` records "<prefix>0", "<prefix>1" ... at this time.
  static bool add(PartitionLog& log, const std::string& prefix, int count = 1,
                  std::size_t value_size = 300) {
    std::vector<TestRecord> records;
    for (int i = 0; i < count; ++i)
      records.push_back({1000, prefix + std::to_string(i), std::string(value_size, 'v')});
    return append(log, makeBatch(records)).has_value();
  }
  [[nodiscard]] Journal& journal() { return *manager_->journals().at(0); }
  /// The keys from the log's start on, one character each, with their offsets' order checked.
  [[nodiscard]] std::string keys() {
    std::string out;
    if (found() == nullptr) return out;
    std::int64_t last = -1;
    for (const ReadRecord& r : readAll(*found(), found()->startOffset())) {
      EXPECT_GT(r.offset, last);
      last = r.offset;
      out += r.key.value_or("?").at(0);
    }
    return out;
  }

  const TopicPartition name_{"orders", PartitionIndex{0}};
  std::vector<std::string> directories_{"/data"};
  /// Of these, the ones that cannot be used.
  std::map<std::string, Error> broken_;
  Restart restart_ = Restart::kPower;
  /// From here on a round syncs a log itself.
  std::uint64_t direct_bytes_ = 1 << 20;
  /// From so many logs on a clean stop syncs the whole file system.
  std::size_t logs_synced_together_ = 256;
  LogConfig config_{.segment_bytes = 2000, .index_interval_bytes = 100};
  ManualClock clock_{1'000'000};
  bool start_fails_ = true;
  std::function<void()> before_start_;
  std::unique_ptr<FaultyDisk> disk_;
  std::unique_ptr<LogManager> manager_;
};

}  // namespace millrace::log::test
