#include "tests/fuzz/support/targets.h"

namespace millrace::fuzz {

std::span<const Target> targets() {
  static constexpr Target kTargets[] = {{"protocol", runProtocol, protocolSeeds},
                                        {"batch", runBatch, batchSeeds},
                                        {"index", runIndex, indexSeeds},
                                        {"snapshot", runSnapshot, snapshotSeeds},
                                        {"checkpoint", runCheckpoint, checkpointSeeds},
                                        {"segment", runSegment, segmentSeeds}};
  return kTargets;
}

}  // namespace millrace::fuzz
