#include "streams/state/task_database.h"

#include "base/varint.h"

#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

namespace millrace::streams {
namespace {

constexpr const char* kOffsetsFamily = "offsets";
/// A store's own limit; usually the budget of the process flushes first.
constexpr std::size_t kMemtableBytes = 32 << 20;
/// What an idle store costs of that budget (this and its bloom filter) must be small: an
/// application may have hundreds, and a budget used up by empty memtables flushes at every write.
constexpr std::size_t kArenaBytes = 128 << 10;
constexpr std::size_t kOffsetsMemtableBytes = 1 << 20;

struct SharedMemory final : StateMemory {
  std::shared_ptr<rocksdb::Cache> cache;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;
};

rocksdb::Slice slice(BytesView bytes) { return {bytes.data(), bytes.size()}; }
BytesView view(const rocksdb::Slice& s) { return {s.data(), s.size()}; }

Error errorOf(const rocksdb::Status& status, const std::string& what) {
  const Errc code = status.IsCorruption() ? Errc::kCorruptData
                    : status.IsNoSpace()  ? Errc::kDiskFull
                                          : Errc::kIo;
  return {code, what + ": " + status.ToString()};
}
Status toStatus(const rocksdb::Status& status, const std::string& what) {
  if (status.ok()) return {};
  return std::unexpected(errorOf(status, what));
}

/// Where a family's rows begin to be live, and how to tell a row's time.
struct Expiry {
  std::size_t time_offset = 0;
  std::atomic<Millis> oldest_live{INT64_MIN};

  [[nodiscard]] bool isExpired(BytesView key) const {
    if (key.size() < time_offset) return false;
    return loadBe<Millis>(key.data() + key.size() - time_offset) <
           oldest_live.load(std::memory_order_relaxed);
  }
};

class ExpiryFilter final : public rocksdb::CompactionFilter {
 public:
  explicit ExpiryFilter(std::shared_ptr<const Expiry> expiry) : expiry_(std::move(expiry)) {}
  const char* Name() const override { return "millrace.expiry"; }
  bool Filter(int, const rocksdb::Slice& key, const rocksdb::Slice&, std::string*,
              bool*) const override {
    return expiry_->isExpired(view(key));
  }

 private:
  std::shared_ptr<const Expiry> expiry_;
};

/// Leaves out rows older than the store's retention while RocksDB writes files anyway, flushes
/// included: expiry costs no delete per row, and most rows of a short window never reach a file.
class ExpiryFilterFactory final : public rocksdb::CompactionFilterFactory {
 public:
  explicit ExpiryFilterFactory(std::shared_ptr<const Expiry> expiry) : expiry_(std::move(expiry)) {}
  const char* Name() const override { return "millrace.expiry"; }
  bool ShouldFilterTableFileCreation(rocksdb::TableFileCreationReason reason) const override {
    return reason == rocksdb::TableFileCreationReason::kFlush ||
           reason == rocksdb::TableFileCreationReason::kCompaction;
  }
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context&) override {
    return std::make_unique<ExpiryFilter>(expiry_);
  }

 private:
  std::shared_ptr<const Expiry> expiry_;
};

rocksdb::Options databaseOptions(const SharedMemory& memory) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.atomic_flush = true;
  options.allow_concurrent_memtable_write = false;  // one thread writes; needed by the insert hint
  options.write_buffer_manager = memory.write_buffers;
  options.max_background_jobs = 2;
  options.max_open_files = 256;
  options.keep_log_file_num = 1;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.avoid_flush_during_shutdown =
      true;  // what was not flushed on purpose must not look committed
  return options;
}

rocksdb::ColumnFamilyOptions familyOptions(const SharedMemory& memory) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = kMemtableBytes;
  options.max_write_buffer_number = 3;
  options.compaction_style = rocksdb::kCompactionStyleUniversal;
  options.compression = rocksdb::kNoCompression;
  // Commits write in the order of keys: each insert starts where the last one ended.
  options.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewCappedPrefixTransform(0));
  options.memtable_whole_key_filtering = true;
  options.memtable_prefix_bloom_size_ratio = 0.01;
  options.arena_block_size = kArenaBytes;
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

rocksdb::ColumnFamilyOptions offsetsOptions(const SharedMemory& memory) {
  rocksdb::ColumnFamilyOptions options = familyOptions(memory);
  options.write_buffer_size = kOffsetsMemtableBytes;
  options.arena_block_size = kArenaBytes / 8;
  options.memtable_prefix_bloom_size_ratio = 0;
  return options;
}

class DatabaseIterator final : public KeyValueIterator {
 public:
  DatabaseIterator(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, BytesView lower,
                   BytesView upper)
      : upper_bytes_(upper), upper_(upper_bytes_) {
    rocksdb::ReadOptions options;
    if (!upper.empty()) options.iterate_upper_bound = &upper_;
    iterator_.reset(db.NewIterator(options, family));
    if (lower.empty())
      iterator_->SeekToFirst();
    else
      iterator_->Seek(slice(lower));
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
  std::vector<std::shared_ptr<Expiry>> expiries;  // by family; null where rows do not expire
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;  // in the order of open()
  rocksdb::ColumnFamilyHandle* offsets = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> others;
};

namespace {

using Descriptors = std::vector<rocksdb::ColumnFamilyDescriptor>;

/// The families that are wanted, the one of offsets last.
Descriptors wantedFamilies(const std::vector<TaskDatabase::Family>& families,
                           const SharedMemory& memory,
                           std::vector<std::shared_ptr<Expiry>>& expiries) {
  Descriptors descriptors;
  for (const TaskDatabase::Family& family : families) {
    auto options = familyOptions(memory);
    auto& expiry = expiries.emplace_back();
    if (family.expires) {
      expiry = std::make_shared<Expiry>();
      expiry->time_offset = family.time_offset;
      options.compaction_filter_factory = std::make_shared<ExpiryFilterFactory>(expiry);
    }
    descriptors.emplace_back(family.name, options);
  }
  descriptors.emplace_back(kOffsetsFamily, offsetsOptions(memory));
  return descriptors;
}

/// RocksDB opens a database with all of its families or not at all: those on disk that nobody
/// wants.
void addOtherFamilies(Descriptors& descriptors, const rocksdb::Options& options,
                      const std::string& directory, const SharedMemory& memory) {
  std::vector<std::string> names;
  const auto listed = rocksdb::DB::ListColumnFamilies(options, directory, &names);
  if (!listed.ok() || names.empty()) names = {rocksdb::kDefaultColumnFamilyName};
  for (const std::string& name : names) {
    const auto known = [&](const auto& descriptor) { return descriptor.name == name; };
    if (std::ranges::any_of(descriptors, known)) continue;
    descriptors.emplace_back(name, offsetsOptions(memory));
  }
}

}  // namespace

Result<std::unique_ptr<TaskDatabase>> TaskDatabase::open(const std::string& directory,
                                                         std::vector<Family> families,
                                                         std::shared_ptr<StateMemory> memory) {
  const auto& shared = static_cast<const SharedMemory&>(*memory);
  std::error_code ec;
  std::filesystem::create_directories(directory, ec);
  if (ec) return fail(Errc::kIo, directory + ": " + ec.message());
  auto state = std::make_unique<State>();
  state->directory = directory;
  state->memory = memory;
  const rocksdb::Options options = databaseOptions(shared);
  Descriptors descriptors = wantedFamilies(families, shared, state->expiries);
  const std::size_t wanted = descriptors.size();
  addOtherFamilies(descriptors, options, directory, shared);

  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(options, directory, descriptors, &handles, &db);
  if (!status.ok()) return std::unexpected(errorOf(status, "opening the state in " + directory));
  state->db.reset(db);
  state->families.assign(handles.begin(),
                         handles.begin() + static_cast<std::ptrdiff_t>(wanted) - 1);
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

std::unique_ptr<KeyValueIterator> TaskDatabase::walk(std::size_t family, BytesView lower,
                                                     BytesView upper) const {
  return std::make_unique<DatabaseIterator>(*state_->db, state_->families[family], lower, upper);
}

std::int64_t TaskDatabase::approximateRows(std::size_t family) const {
  std::uint64_t rows = 0;
  state_->db->GetIntProperty(state_->families[family], rocksdb::DB::Properties::kEstimateNumKeys,
                             &rows);
  return static_cast<std::int64_t>(rows);
}

void TaskDatabase::expireBefore(std::size_t family, Millis time) {
  if (auto& expiry = state_->expiries[family])
    expiry->oldest_live.store(time, std::memory_order_relaxed);
}

Status TaskDatabase::write(std::span<const FamilyWrites> writes, const Meta& meta) {
  rocksdb::WriteBatch batch;
  for (const FamilyWrites& family : writes) {
    auto* const handle = state_->families[family.family];
    const Expiry* const expiry = state_->expiries[family.family].get();
    const auto is_live = [&](BytesView key) {
      return expiry == nullptr || !expiry->isExpired(key);
    };
    for (const WriteBuffer::Entry* entry : family.writes->sorted(is_live)) {
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
  return toStatus(state_->db->Flush(rocksdb::FlushOptions(), all),
                  "flushing state in " + state_->directory);
}

}  // namespace millrace::streams
