#include "streams/state/task_stores.h"

#include "base/assert.h"
#include "base/varint.h"
#include "streams/state/logged_memory_stores.h"

namespace millrace::streams {
namespace {

Bytes encode(std::int64_t value) {
  Bytes out(sizeof(value), '\0');
  storeBe(out.data(), value);
  return out;
}

std::string offsetName(const std::string& store) { return "offset:" + store; }
std::string timeName(const std::string& store) { return "time:" + store; }

std::unique_ptr<ManagedStore> makeMemoryStore(const StoreSpec& spec) {
  if (spec.windowed()) return std::make_unique<LoggedWindowStore>(spec);
  return std::make_unique<LoggedKeyValueStore>(spec);
}

}  // namespace

Result<std::unique_ptr<TaskStores>> TaskStores::open(const std::string& directory,
                                                     const std::vector<StoreSpec>& specs,
                                                     std::shared_ptr<StateMemory> memory) {
  std::unique_ptr<TaskStores> stores(new TaskStores);
  std::vector<TaskDatabase::Family> families;
  for (const StoreSpec& spec : specs) {
    if (spec.persistent) families.push_back(familyOf(spec));
  }
  if (!families.empty()) {
    MILLRACE_TRY(stores->database_,
                 TaskDatabase::open(directory + "/rocksdb", families, std::move(memory)));
  }
  std::size_t family = 0;
  for (const StoreSpec& spec : specs) {
    if (!spec.persistent && spec.kind == StoreKind::kSession) {
      return fail(Errc::kConfig,
                  "store " + spec.name + ": session stores in memory are not supported");
    }
    if (!spec.persistent) {
      stores->stores_[spec.name] = makeMemoryStore(spec);
      continue;
    }
    auto store = makePersistentStore(spec, *stores->database_, family++);
    stores->persistent_.push_back(store.get());
    stores->stores_[spec.name] = std::move(store);
  }
  MILLRACE_CHECK_OK(stores->load());
  return stores;
}

TaskStores::~TaskStores() = default;

Status TaskStores::load() {
  for (PersistentStore* store : persistent_) {
    const std::string& name = store->spec().name;
    Bytes value;
    MILLRACE_TRY(const bool has_offset, database_->meta(offsetName(name), value));
    if (has_offset && value.size() == sizeof(std::int64_t))
      restored_to_[name] = loadBe<std::int64_t>(value.data());
    MILLRACE_TRY(const bool has_time, database_->meta(timeName(name), value));
    if (has_time && value.size() == sizeof(Millis))
      store->setObservedTime(loadBe<Millis>(value.data()));
  }
  return {};
}

namespace {

template <class Wanted>
Result<Wanted*> findStore(const std::map<std::string, std::unique_ptr<ManagedStore>>& stores,
                          const StoreSpec& spec) {
  const auto found = stores.find(spec.name);
  auto* const store = found == stores.end() ? nullptr : dynamic_cast<Wanted*>(found->second.get());
  if (store == nullptr)
    return fail(Errc::kState, "store " + spec.name + " does not exist with that type");
  return store;
}

}  // namespace

Result<KeyValueStore*> TaskStores::keyValue(const StoreSpec& spec) {
  return findStore<KeyValueStore>(stores_, spec);
}
Result<WindowStore*> TaskStores::window(const StoreSpec& spec) {
  return findStore<WindowStore>(stores_, spec);
}
Result<SessionStore*> TaskStores::session(const StoreSpec& spec) {
  return findStore<SessionStore>(stores_, spec);
}

ManagedStore& TaskStores::store(const std::string& name) {
  const auto found = stores_.find(name);
  MILLRACE_ASSERT(found != stores_.end(), name);
  return *found->second;
}

std::optional<std::int64_t> TaskStores::restoredTo(const std::string& name) const {
  const auto found = restored_to_.find(name);
  if (found == restored_to_.end()) return std::nullopt;
  return found->second;
}

Status TaskStores::commit(const std::map<std::string, std::int64_t>& changelog_offsets) {
  if (database_ == nullptr) return {};
  std::vector<TaskDatabase::FamilyWrites> writes;
  TaskDatabase::Meta meta;
  for (PersistentStore* store : persistent_) {
    const std::string& name = store->spec().name;
    if (store->rows().buffer().count() > 0)
      writes.push_back({store->rows().family(), &store->rows().buffer()});
    if (store->observedTime() >= 0)
      meta.emplace_back(timeName(name), encode(store->observedTime()));
    const auto offset = changelog_offsets.find(name);
    if (offset == changelog_offsets.end()) continue;
    meta.emplace_back(offsetName(name), encode(offset->second));
    restored_to_[name] = offset->second;
  }
  if (writes.empty() && meta.empty()) return {};
  MILLRACE_CHECK_OK(database_->write(writes, meta));
  for (PersistentStore* store : persistent_) store->rows().buffer().clear();
  return {};
}

Status TaskStores::flush() { return database_ == nullptr ? Status{} : database_->flush(); }

std::size_t TaskStores::uncommittedBytes() const {
  std::size_t bytes = 0;
  for (PersistentStore* store : persistent_) bytes += store->rows().buffer().bytes();
  return bytes;
}

}  // namespace millrace::streams
