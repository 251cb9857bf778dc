// Bit rot, and files that tear or go missing, between two lives.
#include "base/varint.h"
#include "log/checkpoint_copy.h"
#include "log/index_file.h"
#include "log/log_files.h"
#include "record/batch.h"
#include "tests/log_model/support/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace millrace::log::test {
namespace {

/// Kinds of files, by what can be told of their damage: nothing in them guards their bytes but the
/// CRC of a snapshot and of the copy of the checkpoint files.
enum class Kind : std::uint8_t {
  kIndex,
  kTransactions,
  kSnapshot,
  kText,
  kCheckpoint,
  kCheckpointCopy,
  kOther
};

Kind kindOf(const std::string& path) {
  if (path.ends_with("0.index") || path.ends_with(".timeindex")) return Kind::kIndex;
  if (path.ends_with(".txnindex")) return Kind::kTransactions;
  if (path.ends_with(".snapshot")) return Kind::kSnapshot;
  if (path.ends_with("leader-epoch-checkpoint")) return Kind::kText;
  if (path.ends_with("-offset-checkpoint")) return Kind::kCheckpoint;
  if (path.ends_with("millrace-checkpoints")) return Kind::kCheckpointCopy;
  return Kind::kOther;
}

/// A length at which a file of such entries is seen to be torn.
std::uint64_t tornSize(std::uint64_t size, std::uint32_t entry) {
  return size % entry == 0 ? size + 1 : size;
}

}  // namespace

/// Between the writing of a checkpoint file and that of the copy nothing says what the file held.
bool World::isCopyOfCheckpointsNew() {
  const std::string path = "/data/" + std::string(kCheckpointCopy);
  const auto bytes = disk_.readAll(path, 1 << 20);
  const auto copy = bytes ? decodeCheckpointCopy(path, *bytes)
                          : Result<CheckpointTexts>(std::unexpected(bytes.error()));
  if (!copy) return false;
  return std::ranges::all_of(disk_.filesBelow("/data"), [&](const std::string& file) {
    if (kindOf(file) != Kind::kCheckpoint) return true;
    const auto known = copy->find(file.substr(file.rfind('/') + 1));
    return known != copy->end() &&
           known->second.stamp == disk_.open(file, OpenMode::kRead).value()->stamp().value();
  });
}

/// What recovery can make again: indexes, producer snapshots, the epochs' file; and the checkpoint
/// files or their copy, not both at once.
void World::damageSomething() {
  if (chance(6)) return damageRecords(*logs_[random_.below(logs_.size())]);
  if (chance(5)) return damageJournal();
  if (!chance(3)) return;
  const bool copied = isCopyOfCheckpointsNew();
  const Kind whole = !copied || chance(3) ? Kind::kCheckpoint : Kind::kCheckpointCopy;
  for (const std::string& path : disk_.filesBelow("/data")) {
    const Kind kind = kindOf(path);
    if (kind != Kind::kOther && kind != whole && chance(4)) damage(path);
  }
}

void World::damage(const std::string& path) {
  const Bytes content = disk_.readAll(path, 1 << 20).value_or(Bytes{});
  if (content.empty()) return;
  ++counts_.damaged_files;
  note("damage " + path);
  const Kind kind = kindOf(path);
  const std::uint64_t cut = random_.below(content.size());
  Bytes junk(1 + random_.below(content.size()), '\0');
  for (char& c : junk) c = static_cast<char>(random_.next());
  const auto choice = random_.below(4);
  // Nobody can tell a transaction index that is missing from one that was not needed.
  if (choice == 0 && kind != Kind::kTransactions) return disk_.erase(path);
  if (kind == Kind::kText) {
    // A number in the text may change into another: only what is no text can be told.
    junk[0] = 'x';
    return choice == 1 ? disk_.cut(path, cut) : disk_.overwrite(path, 0, junk);
  }
  if (kind == Kind::kTransactions && choice < 2)
    return disk_.cut(path, tornSize(cut, TxnIndex::kEntrySize));
  if (kind == Kind::kTransactions) return damageTransaction(path, content);
  if (choice == 1) {
    // A time index that lost whole entries looks like one of a log whose records are not in order
    // of time.
    const bool times = path.ends_with(".timeindex");
    return disk_.cut(path, times ? tornSize(cut, TimeIndex::kEntrySize) : cut);
  }
  if (choice == 2) return disk_.flipBit(path, random_.below(content.size() * 8));
  disk_.overwrite(path, 0, junk);
}

/// A last stable offset, or a first one that rises or leaves its segment, may change into one that
/// fits as well: those are left out.
void World::damageTransaction(const std::string& path, const Bytes& content) {
  const std::uint64_t entry =
      random_.below((content.size() - 1) / TxnIndex::kEntrySize + 1) * TxnIndex::kEntrySize;
  constexpr std::uint64_t kFirst = 10, kLast = 18, kStable = 26;
  const std::uint64_t byte = random_.below(kStable);
  const std::uint64_t bit = random_.below(8);
  if (entry + kStable > content.size()) return;
  if (byte >= kFirst && byte < kLast) {
    const auto first = loadBe<std::uint64_t>(content.data() + entry + kFirst);
    const std::uint64_t changed = std::uint64_t{1} << ((kLast - 1 - byte) * 8 + bit);
    const auto base = parseFileName(path.substr(path.rfind('/') + 1))->base.value();
    if ((first & changed) == 0 || first - changed < static_cast<std::uint64_t>(base)) return;
  }
  disk_.flipBit(path, (entry + byte) * 8 + bit);
}

/// The batch that the byte is in; false where it is in none, or not under its CRC: base offset and
/// leader epoch.
bool World::findBatch(const Bytes& content, Tracked::Rot& rot) {
  record::BatchIterator walk(content);
  record::BatchView batch;
  for (std::size_t start = 0; walk.next(batch); start = walk.position()) {
    if (rot.position >= walk.position()) continue;
    rot.base = batch.baseOffset();
    rot.last = batch.lastOffset();
    const std::size_t byte = rot.position - start;
    const bool epoch =
        byte >= record::layout::kLeaderEpoch && byte < record::layout::kLeaderEpoch + 4;
    return byte >= record::layout::kLength && !epoch;
  }
  return false;
}

/// A bit of a .log file, or partition.metadata.
void World::damageRecords(Tracked& t) {
  if (t.removed) return;  // a power failure may bring it back for a moment, as nobody's log
  const std::string directory = "/data/" + t.tp.toString() + "/";
  // What the journal has is put back behind the damage: another matter.
  if (std::ranges::any_of(disk_.filesBelow("/data"), [](const auto& path) {
        return path.find("millrace-journal") != path.npos;
      }))
    return;
  std::vector<std::string> paths = disk_.filesBelow(directory.substr(0, directory.size() - 1));
  // What a finished compaction is about to replace is not read any more.
  std::erase_if(paths, [this](const auto& p) {
    return (!p.ends_with(".log") && !p.ends_with("partition.metadata")) ||
           disk_.exists(p + ".swap").value_or(false);
  });
  if (paths.empty()) return;
  Tracked::Rot rot{.path = paths[random_.below(paths.size())]};
  const Bytes content = disk_.readAll(rot.path, 1 << 20).value_or(Bytes{});
  if (content.empty()) return;
  rot.position = random_.below(content.size());
  const bool metadata = rot.path.ends_with("partition.metadata");
  if (metadata) rot.position = 0;
  if (!metadata && !findBatch(content, rot)) return;
  ++counts_.damaged_files;
  rot.original = content.substr(rot.position, 1);
  note(fmt::format("bit rot in {} at {}, offsets {} to {}", rot.path, rot.position,
                   rot.base.value(), rot.last.value()));
  const char bad = metadata ? 'x' : static_cast<char>(rot.original[0] ^ (1 << random_.below(8)));
  disk_.overwrite(rot.path, rot.position, BytesView(&bad, 1));
  if (!metadata) t.damaged_at = rot.base;
  t.rot = std::move(rot);
}

void World::damageJournal() {
  struct Found {
    std::string path;
    Bytes content;
    std::uint64_t generation = 0;
    // Of the last whole frame.
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  std::vector<Found> files;
  for (const std::string_view name : kJournalFiles) {
    Found found{.path = "/data/" + std::string(name)};
    const auto file = disk_.open(found.path, OpenMode::kRead);
    if (!file) continue;
    found.content = disk_.readAll(found.path, 1 << 20).value_or(Bytes{});
    if (found.content.empty()) continue;
    journal::FrameReader reader(**file, found.content.size());
    while (reader.next().value()) {
      found.generation = reader.head().generation;
      found.begin = std::exchange(found.end, reader.position());
    }
    files.push_back(std::move(found));
  }
  if (files.empty()) return;
  const std::size_t newest = files.size() > 1 && files[1].generation > files[0].generation ? 1 : 0;
  const std::size_t chosen = random_.below(files.size());
  const Found& file = files[chosen];
  const bool used = file.end > 0 && !chance(4);
  const std::uint64_t at = random_.below(used ? file.end : file.content.size());
  if (chosen == newest && at >= file.begin && at < file.end) return;
  const std::uint64_t page = at / FaultyDisk::kPage * FaultyDisk::kPage;
  journal_rot_ = {file.path, page, file.content.substr(page, FaultyDisk::kPage)};
  ++counts_.damaged_files;
  note(fmt::format("damage {} at {}", file.path, at));
  if (chance(2)) return disk_.flipBit(file.path, at * 8 + random_.below(8));
  Bytes junk(journal_rot_->original.size(), '\0');
  for (char& c : junk) c = static_cast<char>(random_.next());
  disk_.overwrite(file.path, page, junk);
}

bool World::isJournalTold(const Error& failure) {
  if (!journal_rot_ || failure.code != Errc::kCorruptData) return false;
  EXPECT_NE(failure.detail.find(journal_rot_->path + " at position"), std::string::npos)
      << failure.detail;
  note("  told: " + failure.detail);
  disk_.restart(Restart::kProcess);
  disk_.overwrite(journal_rot_->path, journal_rot_->position, journal_rot_->original);
  journal_rot_.reset();
  ++counts_.repairs;
  return true;
}

/// Whether damage was told: the log is offline, or a read finds it. Nothing else may be served.
bool World::isTold(Tracked& t) {
  PartitionLog* const log = manager_->find(t.tp);
  const auto names = [&](const std::string& text) {
    return text.find(t.rot->path) != std::string::npos &&
           (text.find("position") != std::string::npos || t.rot->path.ends_with("metadata"));
  };
  if (log == nullptr) {
    const auto& notes = manager_->report().notes;
    if (std::ranges::any_of(notes, names)) return true;
    return false;  // never synced, or removed: see absorbEmpty()
  }
  if (t.rot->path.ends_with("metadata")) return false;
  for (Offset at = log->startOffset(); at < log->endOffset();) {
    const auto read = log->read(at, 1 + random_.below(5000), Isolation::kLogEnd);
    if (!read && (disk_.crashed() || disk_.faultMet())) return false;
    if (!read) {
      EXPECT_TRUE(names(read.error().detail)) << read.error().toString();
      EXPECT_FALSE(log->health());
      EXPECT_FALSE(log->flush());
      return true;
    }
    if (read->next_offset <= at) {
      ADD_FAILURE() << t.tp.toString() << ": no progress at " << at.value();
      return true;
    }
    at = read->next_offset;
  }
  EXPECT_TRUE(t.rot->last < log->startOffset() || t.rot->base >= log->endOffset() ||
              !disk_.exists(t.rot->path).value_or(true))
      << t.tp.toString() << ": damage of offset " << t.rot->base.value() << " was served";
  return false;
}

void World::repair() {
  for (const auto& t : logs_) {
    if (!t->rot) continue;
    const bool told = manager_ != nullptr && !down() && !t->removed && isTold(*t);
    const auto size = [&] {
      const auto content = disk_.readAll(t->rot->path, 1 << 20);
      return content ? content->size() : 0;
    };
    if (told) {
      // As if nothing had been: what was told was not touched.
      t->damaged_at.reset();
      manager_.reset();
      disk_.restart(Restart::kProcess);
      broken_ = false;
      if (t->rot->position < size())
        disk_.overwrite(t->rot->path, t->rot->position, t->rot->original);
      open();
      ++counts_.repairs;
    } else if (!disk_.crashed() && t->rot->position < size()) {
      disk_.overwrite(t->rot->path, t->rot->position, t->rot->original);
    }
    t->rot.reset();
  }
}

}  // namespace millrace::log::test
