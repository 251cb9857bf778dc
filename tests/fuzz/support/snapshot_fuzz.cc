// Producer snapshots: what is accepted must be written again with the same content.
#include "log/producer_state.h"
#include "tests/fuzz/support/frames.h"
#include "tests/fuzz/support/targets.h"

#include <algorithm>

namespace millrace::fuzz {
namespace {

using log::ProducerInfo;
using log::ProducerState;

std::vector<ProducerInfo> sorted(const ProducerState& state) {
  auto all = state.list();
  std::ranges::sort(all, {}, &ProducerInfo::producer_id);
  return all;
}

bool same(const ProducerInfo& a, const ProducerInfo& b) {
  return a.producer_id == b.producer_id && a.epoch == b.epoch &&
         a.last_sequence == b.last_sequence && a.last_offset == b.last_offset &&
         a.last_offset_delta == b.last_offset_delta && a.last_timestamp == b.last_timestamp &&
         a.coordinator_epoch == b.coordinator_epoch &&
         a.current_txn_first_offset == b.current_txn_first_offset;
}

}  // namespace

void runSnapshot(BytesView input) {
  if (input.empty()) return;
  Bytes bytes(input.substr(1));
  if ((input[0] & 1) == 0) repairSnapshot(bytes);
  ProducerState state;
  if (!state.loadSnapshot(bytes)) return;
  const Bytes written = state.encodeSnapshot();
  ProducerState again;
  check(again.loadSnapshot(written).has_value(), "what was written can be read");
  check(std::ranges::equal(sorted(state), sorted(again), same), "and says the same");
  const auto unstable = state.firstUnstableOffset();
  state.onHighWatermark(Offset{1 << 20});
  state.onLogStart(Offset{1 << 10});
  state.expire(1'700'000'000'000, 86'400'000);
  if (unstable && *unstable >= Offset{1 << 10})
    check(state.firstUnstableOffset() == unstable, "an open transaction stays open");
}

}  // namespace millrace::fuzz
