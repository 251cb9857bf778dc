// Reads a partition of __consumer_offsets back into a coordinator's state.
#pragma once

#include "broker/groups/group_machine.h"
#include "broker/groups/offset_store.h"

#include <map>
#include <vector>

namespace millrace::broker {

/// Takes batches in log order. Offsets committed in a transaction count when its commit marker
/// comes by.
class GroupLoader {
 public:
  GroupLoader(GroupMachine& groups, OffsetStore& offsets) : groups_(groups), offsets_(offsets) {}
  /// `batches`: whole batches. Errors: kCorruptData, kCorruptMessage.
  [[nodiscard]] Status load(BytesView batches);
  [[nodiscard]] std::int64_t records() const { return records_; }

 private:
  struct Pending {
    LoadedOffset offset;
    std::int64_t record_offset = -1;
  };
  Status loadBatch(BytesView batch);
  Status endTransaction(BytesView batch);

  GroupMachine& groups_;
  OffsetStore& offsets_;
  std::map<std::int64_t, std::vector<Pending>> pending_;  ///< by producer id
  std::int64_t records_ = 0;
};

}  // namespace millrace::broker
