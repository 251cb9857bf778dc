// Index files: any bytes on disk must give an answer or an error, and appending must go on.
#include "base/varint.h"
#include "log/index_file.h"
#include "tests/fuzz/support/memory_files.h"
#include "tests/fuzz/support/targets.h"

namespace millrace::fuzz {
namespace {

using namespace log;

constexpr Offset kBase{1'000'000};

/// Numbers to ask for: around every entry there may be, and the extremes.
constexpr std::int64_t kProbes[] = {-1,
                                    0,
                                    1,
                                    999'999,
                                    1'000'000,
                                    1'000'001,
                                    1'000'500,
                                    1'000'000LL + std::numeric_limits<std::int32_t>::max(),
                                    std::numeric_limits<std::int64_t>::max()};

void offsets(const LogFiles& files, std::uint64_t log_size) {
  OffsetIndex index(files, kBase);
  const auto count = index.entries().count();
  check(count.has_value(), "an index can be counted");
  const bool sound = index.check(log_size).has_value();
  for (const std::int64_t probe : kProbes) {
    const auto found = index.floor(Offset{probe});
    check(found.has_value(), "a search in an index that can be read ends");
    (void)index.floorPosition(static_cast<std::uint64_t>(probe));
  }
  const auto last = index.last();
  check(last.has_value() && last->has_value() == (*count > 0), "the last entry is there");
  if (sound && *last) check((*last)->position < log_size, "a sound index stays within the log");
  check(index.truncateToPosition(log_size / 2).has_value(), "an index can be cut");
  const auto after = index.entries().count();
  check(after && *after <= *count, "cutting makes no entries");
  check(index.append(kBase + 5, 77).has_value() && index.entries().save().has_value() &&
            *index.entries().count() == *after + 1,
        "an index takes entries after it was cut");
}

void times(const LogFiles& files) {
  TimeIndex index(files, kBase);
  const auto count = index.entries().count();
  check(count.has_value(), "an index can be counted");
  (void)index.check();
  for (const std::int64_t probe : kProbes)
    check(index.floor(probe).has_value(), "a search in an index that can be read ends");
  const auto last = index.last();
  check(last.has_value(), "the last entry can be read");
  check(index.maybeAppend(last->timestamp, kBase).has_value() && *index.entries().count() == *count,
        "the same timestamp is not noted again");
  check(index.truncateToOffset(kBase + 10).has_value(), "an index can be cut");
}

void transactions(const LogFiles& files, BytesView bytes) {
  TxnIndex index(files, kBase);
  const auto all = index.all();
  const auto decoded = decodeTxnEntries("f", bytes);
  check(all.has_value() == decoded.has_value(), "file and bytes are read alike");
  if (!all) return;
  check(*all == *decoded, "file and bytes say the same");
  check(index.append({ProducerId{1}, Offset{2}, Offset{3}, Offset{4}}).has_value(),
        "an index takes entries");
  check(index.all()->size() == all->size() + 1, "and has one more then");
  check(index.truncateToOffset(Offset{0}).has_value(), "an index can be cut");
}

}  // namespace

void runIndex(BytesView input) {
  if (input.size() < 3) return;
  MemoryFiles system;
  const LogFiles files{system, "t-0"};
  const std::uint64_t log_size = loadBe<std::uint16_t>(input.data() + 1);
  const BytesView bytes = input.substr(3);
  switch (static_cast<unsigned char>(input[0]) % 3) {
    case 0:
      system.put(files.path(kBase, FileKind::kOffsetIndex), bytes);
      return offsets(files, log_size);
    case 1: system.put(files.path(kBase, FileKind::kTimeIndex), bytes); return times(files);
    default:
      system.put(files.path(kBase, FileKind::kTxnIndex), bytes);
      return transactions(files, bytes);
  }
}

}  // namespace millrace::fuzz
