// What the runtime does with a store besides what its task does: log, restore, take back.
#pragma once

#include "streams/state/changelog.h"
#include "streams/store.h"

#include <optional>
#include <utility>

namespace millrace::streams {

class ManagedStore {
 public:
  explicit ManagedStore(StoreSpec spec) : spec_(std::move(spec)) {}
  virtual ~ManagedStore() = default;

  [[nodiscard]] const StoreSpec& spec() const { return spec_; }
  /// From now on puts are logged; null before a store is restored and where it has no changelog.
  virtual void setChangelog(ChangelogWriter* changelog) = 0;
  /// A record of the changelog comes back. Not logged again.
  virtual void restore(BytesView key, std::optional<BytesView> value, Millis timestamp) = 0;
  /// What the changelog should hold for a key of it; false: nothing. Leaves `timestamp` alone where
  /// the store does not know one.
  [[nodiscard]] virtual Result<bool> logged(BytesView key, Bytes& value, Millis& timestamp) = 0;

 protected:
  StoreSpec spec_;
};

}  // namespace millrace::streams
