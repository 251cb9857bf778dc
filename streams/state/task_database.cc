#include "streams/state/task_database.h"

#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "base/varint.h"

namespace millrace::streams {
namespace {

constexpr const char* kOffsetsFamily = "offsets";
constexpr std::size_t kMemtableBytes = 32 << 20;

struct SharedMemory final : StateMemory {
  std::shared_ptr<rocksdb::Cache> cache;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;
};

rocksdb::Slice slice(BytesView bytes) { return {bytes.data(), bytes.size()}; }
BytesView view(const rocksdb::Slice& s) { return {s.data(), s.size()}; }

Error errorOf(const rocksdb::Status& status, const std::string& what) {
  const Errc code = status.IsCorruption() ? Errc::kCorruptData : status.IsNoSpace() ? Errc::kDiskFull : Errc::kIo;
  return {code, what + ": " + status.ToString()};
}
Status toStatus(const rocksdb::Status& status, const std::string& what) {
  if (status.ok()) return {};
  return std::unexpected(errorOf(status, what));
}

/// Leaves out rows older than the store's retention while RocksDB rewrites them anyway: expiry costs nothing
/// of its own, no delete per row.
class ExpiryFilter final : public rocksdb::CompactionFilter {
 public:
  explicit ExpiryFilter(std::size_t time_offset) : time_offset_(time_offset) {}
  const char* Name() const override { return "millrace.expiry"; }
  bool Filter(int, const rocksdb::Slice& key, const rocksdb::Slice&, std::string*, bool*) const override {
    if (key.size() < time_offset_) return false;
    return loadBe<Millis>(key.data() + key.size() - time_offset_) < oldest_live.load(std::memory_order_relaxed);
  }

  std::atomic<Millis> oldest_live{INT64_MIN};

 private:
  std::size_t time_offset_;
};

rocksdb::Options databaseOptions(const SharedMemory& memory) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.atomic_flush = true;
  options.write_buffer_manager = memory.write_buffers;
  options.max_background_jobs = 2;
  options.max_open_files = 256;
  options.keep_log_file_num = 1;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.avoid_flush_during_shutdown = true;  // what was not flushed on purpose must not look committed
  return options;
}

rocksdb::ColumnFamilyOptions familyOptions(const SharedMemory& memory) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = kMemtableBytes;
  options.max_write_buffer_number = 3;
  options.compaction_style = rocksdb::kCompactionStyleUniversal;
  options.compression = rocksdb::kNoCompression;
  options.memtable_whole_key_filtering = true;
  options.memtable_prefix_bloom_size_ratio = 0.05;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = memory.cache;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.block_size = 16 << 10;
  table.format_version = 5;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

class DatabaseIterator final : public KeyValueIterator {
 public:
  DatabaseIterator(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, BytesView lower, BytesView upper)
      : upper_bytes_(upper), upper_(upper_bytes_) {
    rocksdb::ReadOptions options;
    if (!upper.empty()) options.iterate_upper_bound = &upper_;
    iterator_.reset(db.NewIterator(options, family));
    if (lower.empty()) iterator_->SeekToFirst();
    else iterator_->Seek(slice(lower));
  }
  bool valid() const override { return iterator_->Valid(); }
  void next() override { iterator_->Next(); }
  BytesView key() const override { return view(iterator_->key()); }
  BytesView value() const override { return view(iterator_->value()); }
  Status status() const override { return toStatus(iterator_->status(), "walking a state store"); }

 private:
  std::string upper_bytes_;
  rocksdb::Slice upper_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

}  // namespace

std::shared_ptr<StateMemory> makeStateMemory(const StateMemoryOptions& options) {
  auto memory = std::make_shared<SharedMemory>();
  memory->cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  memory->write_buffers = std::make_shared<rocksdb::WriteBufferManager>(options.write_buffer_bytes);
  return memory;
}

struct TaskDatabase::State {
  std::string directory;
  std::shared_ptr<StateMemory> memory;
  std::vector<std::unique_ptr<ExpiryFilter>> filters;  // by family; null where rows do not expire
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;  // in the order of open()
  rocksdb::ColumnFamilyHandle* offsets = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> others;
};

namespace {

/// Names of the families on disk; none where there is no database yet.
std::vector<std::string> existingFamilies(const rocksdb::Options& options, const std::string& directory) {
  std::vector<std::string> names;
  if (!rocksdb::DB::ListColumnFamilies(options, directory, &names).ok()) names.clear();
  return names;
}

}  // namespace

Result<std::unique_ptr<TaskDatabase>> TaskDatabase::open(const std::string& directory, std::vector<Family> families,
                                                         std::shared_ptr<StateMemory> memory) {
  const auto& shared = static_cast<const SharedMemory&>(*memory);
  std::error_code ec;
  std::filesystem::create_directories(directory, ec);
  if (ec) return fail(Errc::kIo, directory + ": " + ec.message());
  auto state = std::make_unique<State>();
  state->directory = directory;
  state->memory = memory;
  const rocksdb::Options options = databaseOptions(shared);

  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const Family& family : families) {
    auto family_options = familyOptions(shared);
    state->filters.push_back(family.expires ? std::make_unique<ExpiryFilter>(family.time_offset) : nullptr);
    family_options.compaction_filter = state->filters.back().get();
    descriptors.emplace_back(family.name, family_options);
  }
  descriptors.emplace_back(kOffsetsFamily, familyOptions(shared));
  const std::size_t wanted = descriptors.size();
  auto names = existingFamilies(options, directory);
  if (names.empty()) names.emplace_back(rocksdb::kDefaultColumnFamilyName);
  for (const std::string& name : names) {
    const auto known = [&](const auto& descriptor) { return descriptor.name == name; };
    if (std::ranges::none_of(descriptors, known)) descriptors.emplace_back(name, familyOptions(shared));
  }

  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(options, directory, descriptors, &handles, &db);
  if (!status.ok()) return std::unexpected(errorOf(status, "opening the state in " + directory));
  state->db.reset(db);
  state->families.assign(handles.begin(), handles.begin() + static_cast<std::ptrdiff_t>(wanted) - 1);
  state->offsets = handles[wanted - 1];
  for (std::size_t i = wanted; i < handles.size(); ++i) {
    if (descriptors[i].name != rocksdb::kDefaultColumnFamilyName) db->DropColumnFamily(handles[i]);
    state->others.push_back(handles[i]);
  }
  return std::unique_ptr<TaskDatabase>(new TaskDatabase(std::move(state)));
}

TaskDatabase::TaskDatabase(std::unique_ptr<State> state) : state_(std::move(state)) {}

TaskDatabase::~TaskDatabase() {
  for (auto* handle : state_->families) state_->db->DestroyColumnFamilyHandle(handle);
  for (auto* handle : state_->others) state_->db->DestroyColumnFamilyHandle(handle);
  state_->db->DestroyColumnFamilyHandle(state_->offsets);
  state_->db->Close();
}

namespace {

Result<bool> read(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, BytesView key, Bytes& out,
                  const std::string& directory) {
  rocksdb::PinnableSlice value;
  const auto status = db.Get(rocksdb::ReadOptions(), family, slice(key), &value);
  if (status.IsNotFound()) return false;
  if (!status.ok()) return std::unexpected(errorOf(status, "reading state in " + directory));
  out.assign(value.data(), value.size());
  return true;
}

}  // namespace

Result<bool> TaskDatabase::get(std::size_t family, BytesView key, Bytes& out) const {
  return read(*state_->db, state_->families[family], key, out, state_->directory);
}

std::unique_ptr<KeyValueIterator> TaskDatabase::walk(std::size_t family, BytesView lower, BytesView upper) const {
  return std::make_unique<DatabaseIterator>(*state_->db, state_->families[family], lower, upper);
}

std::int64_t TaskDatabase::approximateRows(std::size_t family) const {
  std::uint64_t rows = 0;
  state_->db->GetIntProperty(state_->families[family], rocksdb::DB::Properties::kEstimateNumKeys, &rows);
  return static_cast<std::int64_t>(rows);
}

void TaskDatabase::expireBefore(std::size_t family, Millis time) {
  if (auto* filter = state_->filters[family].get()) filter->oldest_live.store(time, std::memory_order_relaxed);
}

Status TaskDatabase::write(std::span<const FamilyWrites> writes, const Meta& meta) {
  rocksdb::WriteBatch batch;
  for (const FamilyWrites& family : writes) {
    auto* const handle = state_->families[family.family];
    for (const WriteBuffer::Entry* entry : family.writes->sorted()) {
      const auto value = entry->value();
      const auto status = value ? batch.Put(handle, slice(entry->key()), slice(*value))
                                : batch.Delete(handle, slice(entry->key()));
      MILLRACE_CHECK_OK(toStatus(status, "collecting state"));
    }
  }
  for (const auto& [name, value] : meta) {
    MILLRACE_CHECK_OK(toStatus(batch.Put(state_->offsets, name, value), "collecting offsets"));
  }
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return toStatus(state_->db->Write(options, &batch), "writing state in " + state_->directory);
}

Result<bool> TaskDatabase::meta(const std::string& name, Bytes& out) const {
  return read(*state_->db, state_->offsets, name, out, state_->directory);
}

Status TaskDatabase::flush() {
  std::vector<rocksdb::ColumnFamilyHandle*> all = state_->families;
  all.push_back(state_->offsets);
  return toStatus(state_->db->Flush(rocksdb::FlushOptions(), all), "flushing state in " + state_->directory);
}

}  // namespace millrace::streams
