// All stores of one task: opened, restored, committed together.
#pragma once

#include "streams/state/managed_store.h"
#include "streams/state/persistent_stores.h"
#include "streams/store.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace::streams {

/// Owned by the thread that runs the task. Persistent stores live in `<directory>/rocksdb`; a task
/// without any makes no directory. What is put stays in memory until commit(); the directory holds
/// whole commits only, each with the changelog offsets that it reflects.
class TaskStores final : public StoreProvider {
 public:
  [[nodiscard]] static Result<std::unique_ptr<TaskStores>> open(
      const std::string& directory, const std::vector<StoreSpec>& specs,
      std::shared_ptr<StateMemory> memory);
  ~TaskStores() override;

  Result<KeyValueStore*> keyValue(const StoreSpec& spec) override;
  Result<WindowStore*> window(const StoreSpec& spec) override;
  Result<SessionStore*> session(const StoreSpec& spec) override;

  [[nodiscard]] ManagedStore& store(const std::string& name);
  [[nodiscard]] bool contains(const std::string& name) const { return stores_.contains(name); }
  /// The changelog offset up to which the directory holds a store; nullopt: nothing, or it lives in
  /// memory.
  [[nodiscard]] std::optional<std::int64_t> restoredTo(const std::string& name) const;
  /// Moves what waits in memory into the database, with the next changelog offset by store.
  [[nodiscard]] Status commit(const std::map<std::string, std::int64_t>& changelog_offsets);
  /// Makes the last commit survive the machine's crash as well; before a clean close.
  [[nodiscard]] Status flush();
  /// Memory that waits for the next commit, in bytes.
  [[nodiscard]] std::size_t uncommittedBytes() const;

 private:
  TaskStores() = default;
  [[nodiscard]] Status load();

  std::unique_ptr<TaskDatabase> database_;
  std::vector<PersistentStore*> persistent_;  ///< by family
  std::map<std::string, std::unique_ptr<ManagedStore>> stores_;
  std::map<std::string, std::int64_t> restored_to_;
};

}  // namespace millrace::streams
