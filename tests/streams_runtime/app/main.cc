// Programs of the tests' own, to be killed and started again: the counting application, and a
// task's stores under constant commits.
#include "base/varint.h"
#include "streams/state/task_stores.h"

#include <unistd.h>

#include <cstdlib>
#include <millrace/streams.h>
#include <string>
#include <string_view>

namespace {

using namespace millrace;
using namespace millrace::streams;

/// Commits of two rows that are always equal, with their number as changelog offset, until the
/// process is killed. Writes a byte to `ready` now and then.
int writeStores(const std::string& directory, int ready) {
  const StoreSpec spec{.name = "counts", .kind = StoreKind::kTimestampedKeyValue};
  auto stores =
      TaskStores::open(directory, {spec}, makeStateMemory({.write_buffer_bytes = 8 << 20}));
  if (!stores) return 1;
  const auto store = (*stores)->keyValue(spec);
  if (!store) return 1;
  for (std::int64_t i = 1;; ++i) {
    Bytes value(sizeof(Millis), '\0');
    storeBe(value.data(), i);
    value += std::to_string(i);
    for (const auto* key : {"left", "right"}) {
      if (!(*store)->put(key, value, i)) return 1;
    }
    // Filler makes memtables fill up, so that RocksDB flushes by itself at moments of its own.
    if (!(*store)->put("filler" + value, std::string(4'000, 'f'), i)) return 1;
    if (!(*stores)->commit({{"counts", i}})) return 1;
    if (i % 5'000 == 0 && write(ready, "x", 1) != 1) return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4 && std::string_view(argv[1]) == "write-stores")
    return writeStores(argv[2], std::stoi(argv[3]));
  StreamsBuilder builder;
  builder.stream<std::string, std::string>("in")
      .groupByKey()
      .count({.store = "counts"})
      .toStream()
      .to("out");
  return run(builder, argc, argv);
}
