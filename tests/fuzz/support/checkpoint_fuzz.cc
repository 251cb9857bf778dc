// Small text files: checkpoints, epochs, meta.properties, partition.metadata, and file names.
#include "base/properties.h"
#include "log/data_directory.h"
#include "log/leader_epochs.h"
#include "log/log_manager.h"
#include "tests/fuzz/support/memory_files.h"
#include "tests/fuzz/support/targets.h"

namespace millrace::fuzz {
namespace {

using namespace log;

void checkpoint(BytesView text) {
  const auto lines = parseCheckpoint("f", text);
  if (!lines) return;
  const auto again = parseCheckpoint("f", formatCheckpoint(*lines));
  check(again && *again == *lines, "a checkpoint that was read can be written and read again");
}

void epochs(MemoryFiles& system, BytesView text) {
  const LogFiles files{system, "t-0"};
  system.put(files.path(kEpochCheckpoint), text);
  LeaderEpochs epochs(files);
  if (!epochs.load()) return;
  const auto before = epochs.entries();
  for (std::size_t i = 1; i < before.size(); ++i)
    check(before[i - 1].epoch < before[i].epoch &&
              before[i - 1].start_offset < before[i].start_offset,
          "epochs and their starts rise");
  for (const EpochEntry& e : before)
    check(epochs.epochOf(e.start_offset) == e.epoch, "found again");
  (void)epochs.endOf(LeaderEpoch{3}, Offset{1000});
  if (!before.empty()) epochs.assign(before.back().epoch + 1, before.back().start_offset + 10);
  check(epochs.save().has_value(), "epochs can be saved");
  LeaderEpochs again(files);
  check(again.load().has_value() && again.entries() == epochs.entries(), "and loaded again");
}

void meta(MemoryFiles& system, BytesView text) {
  system.put("d/meta.properties", text);
  const auto read = readMetaProperties(system, "d");
  if (read && *read) {
    check(writeMetaProperties(system, "d", **read).has_value(), "meta.properties can be written");
    const auto again = readMetaProperties(system, "d");
    check(again && *again && (*again)->node_id == (*read)->node_id &&
              (*again)->directory_id == (*read)->directory_id,
          "and read again");
  }
  (void)parseProperties(text);
}

void partition(MemoryFiles& system, BytesView text) {
  const LogFiles files{system, "t-0"};
  system.put(files.path(kPartitionMetadata), text);
  const auto id = readPartitionMetadata(files);
  if (!id || !*id) return;
  check(writePartitionMetadata(files, **id).has_value(), "partition.metadata can be written");
  check(*readPartitionMetadata(files) == *id, "and read again");
}

void directory(MemoryFiles& system, BytesView text) {
  for (const auto name : {kRecoveryPoints, kLogStarts, kHighWatermarks, kCleanerOffsets})
    system.put("d/" + std::string(name), text);
  system.put("d/orders-0/partition.metadata", "");
  DataDirectory data(system, "d");
  check(data.open().has_value(), "a directory opens whatever its checkpoints hold");
  check(data.recoveryPoint({"orders", PartitionIndex{0}}) ==
            data.logStart({"orders", PartitionIndex{0}}),
        "all checkpoints are read alike");
}

void names(BytesView text) {
  if (const auto name = parseFileName(text))
    check(name->base >= Offset{0}, "a base offset is not negative");
  if (const auto tp = parseLogDirectory(text))
    check(tp->toString().size() <= text.size(), "a partition's name is the directory's");
}

}  // namespace

void runCheckpoint(BytesView input) {
  if (input.empty()) return;
  const BytesView text = input.substr(1);
  MemoryFiles system;
  switch (static_cast<unsigned char>(input[0]) % 6) {
    case 0: return checkpoint(text);
    case 1: return epochs(system, text);
    case 2: return meta(system, text);
    case 3: return partition(system, text);
    case 4: return directory(system, text);
    default: return names(text);
  }
}

}  // namespace millrace::fuzz
