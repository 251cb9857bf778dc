#include "log/journal/replay.h"

#include "log/journal/in_threads.h"
#include "log/journal/journal.h"
#include "log/partition_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace millrace::log {

using journal::Entry;
using journal::EntryKind;
using journal::FrameReader;
using journal::LogKey;

namespace {

struct KeyOrder {
  bool operator()(const LogKey& a, const LogKey& b) const {
    return std::tie(a.topic_id, a.partition) < std::tie(b.topic_id, b.partition);
  }
};

/// A journal file as it was found.
struct Found {
  std::string path;
  std::shared_ptr<File> file;
  std::uint64_t size = 0;
  /// Of its first frame; 0 where it has none.
  std::uint64_t generation = 0;
  std::uint32_t sequence = 0;
  std::uint32_t salt = 0;
  /// Frames up to this generation are not needed any more.
  std::uint64_t retired = 0;

  [[nodiscard]] bool counts() const { return generation > retired; }
};

/// The files that there are, the older one first.
Result<std::vector<Found>> findFiles(FileSystem& files, const std::string& directory) {
  std::vector<Found> out;
  for (const std::string_view name : kJournalFiles) {
    Found found;
    found.path = directory + "/" + std::string(name);
    auto opened = files.open(found.path, OpenMode::kRead);
    if (!opened && opened.error().code == Errc::kNotFound) continue;
    if (!opened) return std::unexpected(std::move(opened).error());
    found.file = std::move(*opened);
    MILLRACE_TRY(found.size, found.file->size());
    FrameReader reader(*found.file, found.size);
    MILLRACE_TRY(const bool any, reader.next());
    if (any) {
      found.generation = reader.head().generation;
      found.sequence = reader.head().sequence;
      found.salt = reader.head().salt;
    }
    MILLRACE_TRY(found.retired, journal::readRetirement(*found.file, found.size));
    out.push_back(std::move(found));
  }
  std::ranges::sort(out, {}, &Found::generation);
  return out;
}

class Replay {
 public:
  Replay(FileSystem& files, const std::string& directory, const JournalLogFinder& find,
         const JournalComplaint& complain)
      : files_(files), directory_(directory), find_(find), complain_(complain) {}

  Result<ReplayReport> run() {
    MILLRACE_TRY(found_, findFiles(files_, directory_));
    MILLRACE_CHECK_OK(checkEmptyOnes());
    MILLRACE_CHECK_OK(checkOrder());
    MILLRACE_CHECK_OK(forEachEntry([this](const Entry& e) { return noteKey(e); }));
    position_ = 0;
    report_.frames = 0;
    MILLRACE_CHECK_OK(forEachEntry([this](const Entry& e) { return apply(e); }));
    flushAll();
    return report_;
  }

 private:
  /// A log, and what it lost between two of its segments.
  struct Target {
    PartitionLog* log = nullptr;
    std::optional<PartitionLog::Gap> gap = {};
  };

  Status checkEmptyOnes() const;
  Status checkOrder() const;
  template <class Fn>
  Status forEachEntry(Fn fn);
  Status damaged(const Found& file, std::uint64_t at, const std::string& why) const {
    return fail(Errc::kCorruptData, fmt::format("{} at position {}: {}", file.path, at, why));
  }
  Status noteKey(const Entry& entry);
  Status apply(const Entry& entry);
  void flushAll();
  Result<Target> targetFor(const LogKey& key) const;
  /// Whether a later entry cancels what begins at `base`.
  [[nodiscard]] bool isCancelled(const LogKey& key, Offset base) const;
  Status append(Target& target, const LogKey& key, BytesView batches);
  /// `known` is the end of the batch in front, in the same entry; -1 for the first one.
  Status append(Target& target, const record::BatchView& batch, Offset known);

  FileSystem& files_;
  const std::string& directory_;
  const JournalLogFinder& find_;
  const JournalComplaint& complain_;
  std::vector<Found> found_;
  /// Of each log: the numbers of the entries that cancel, and from which offset on.
  std::map<LogKey, std::vector<std::pair<std::uint64_t, Offset>>, KeyOrder> cancels_;
  /// What the first pass over the entries says of a log.
  struct Summary {
    Offset next{-1};
    /// In front of an entry are records that only its segments hold.
    bool gaps = false;
  };
  std::map<LogKey, Summary, KeyOrder> summaries_;
  std::map<TopicPartition, Uuid> newest_ids_;
  std::map<LogKey, Target, KeyOrder> targets_;
  /// Logs with entries that do not count.
  std::set<LogKey, KeyOrder> cancelled_;
  std::uint64_t position_ = 0;
  ReplayReport report_;
};

/// All of them: what a dead process wrote may be in the page cache only.
void Replay::flushAll() {
  std::vector<std::pair<const LogKey*, PartitionLog*>> logs;
  for (const auto& [key, target] : targets_)
    if (target.log != nullptr) logs.emplace_back(&key, target.log);
  // A cut that did not take place: what it would have taken is in the log, and nowhere else.
  for (const LogKey& key : cancelled_) {
    if (targets_.contains(key)) continue;
    if (PartitionLog* const log = find_(key, JournalLogUse::kNoId)) logs.emplace_back(&key, log);
  }
  std::vector<Status> outcomes(logs.size());
  inThreads(logs.size(), [&](std::size_t i) { outcomes[i] = logs[i].second->flush(); });
  for (std::size_t i = 0; i < logs.size(); ++i)
    if (!outcomes[i]) complain_(*logs[i].first, outcomes[i].error());
}

/// A file without a first frame is new, or was about to be used anew. Frames behind it that are
/// newer than the other file's tell that its beginning was lost.
Status Replay::checkEmptyOnes() const {
  const auto newest = std::ranges::max_element(found_, {}, &Found::generation);
  for (const Found& one : found_) {
    if (one.generation != 0) continue;
    FrameReader reader(*one.file, one.size);
    const std::optional<std::uint32_t> salt =
        newest->generation == 0 ? std::nullopt : std::optional(newest->salt);
    const std::uint64_t least = std::max(newest->generation, one.retired) + 1;
    MILLRACE_TRY(const auto behind, reader.findBehind(least, salt));
    // Or the newest file says that there was one before it, which is needed still.
    if (behind || one.retired + 1 < newest->generation)
      return damaged(one, 0, "the first frame is damaged");
  }
  return {};
}

/// All frames of a file are on disk before the next file has one.
Status Replay::checkOrder() const {
  if (found_.size() < 2 || !found_[0].counts() || !found_[1].counts()) return {};
  const Found& older = found_[0];
  const Found& newer = found_[1];
  FrameReader reader(*older.file, older.size);
  std::uint64_t end = 0;
  for (bool more = true; more; end = reader.position()) {
    MILLRACE_TRY(more, reader.next());
  }
  if (newer.salt == older.salt && newer.sequence != reader.nextSequence())
    return damaged(older, end, "a frame that was on disk is damaged");
  return {};
}

template <class Fn>
Status Replay::forEachEntry(Fn fn) {
  for (const Found& one : found_) {
    if (!one.counts()) continue;
    FrameReader reader(*one.file, one.size);
    for (;;) {
      const std::uint64_t at = reader.position();
      MILLRACE_TRY(const bool more, reader.next());
      if (!more) break;
      ++report_.frames;
      BytesView body = reader.body();
      while (!body.empty()) {
        const auto entry = journal::takeEntry(body);
        if (!entry) return damaged(one, at, entry.error().detail);
        MILLRACE_CHECK_OK(fn(*entry));
        ++position_;
      }
    }
    const std::uint64_t end = reader.position();
    MILLRACE_TRY(const auto behind, reader.findBehind(one.generation, one.salt));
    if (behind) return damaged(one, end, "a frame that was on disk is damaged");
  }
  return {};
}

Status Replay::noteKey(const Entry& entry) {
  newest_ids_.insert_or_assign(entry.key.partition, entry.key.topic_id);
  if (entry.kind == EntryKind::kCancel) {
    cancels_[entry.key].emplace_back(position_, entry.offset);
    Offset& next = summaries_[entry.key].next;
    next = std::min(next, entry.offset);
    return {};
  }
  Summary& known = summaries_[entry.key];
  record::BatchIterator walk(entry.batches);
  record::BatchView batch;
  for (bool first = true; walk.next(batch); first = false) {
    known.gaps = known.gaps || (first && batch.baseOffset() > std::max(known.next, Offset{0}));
    known.next = batch.nextOffset();
  }
  return {};
}

Status Replay::apply(const Entry& entry) {
  if (entry.kind != EntryKind::kBatches) return {};
  // A topic that was deleted must not take the place of one that was made since under its name.
  if (newest_ids_.at(entry.key.partition) != entry.key.topic_id) return {};
  record::BatchView first;
  if (!record::BatchIterator(entry.batches).next(first) ||
      isCancelled(entry.key, first.baseOffset())) {
    cancelled_.insert(entry.key);
    return {};
  }
  auto known = targets_.find(entry.key);
  if (known == targets_.end()) {
    auto target = targetFor(entry.key);
    if (!target) complain_(entry.key, target.error());
    known = targets_.emplace(entry.key, target ? *target : Target{}).first;
  }
  Target& target = known->second;
  if (target.log == nullptr) return {};
  if (const Status done = append(target, entry.key, entry.batches); !done) {
    complain_(entry.key, done.error());
    target.log = nullptr;  // the complaint may have closed it
  }
  return {};
}

Result<Replay::Target> Replay::targetFor(const LogKey& key) const {
  // A log whose directory never reached the disk has all its records here; another one without a
  // directory was deleted.
  Target target{
      .log = find_(key, summaries_.at(key).gaps ? JournalLogUse::kGetsId : JournalLogUse::kMade)};
  if (target.log == nullptr) return target;
  MILLRACE_TRY(target.gap, target.log->firstGap());
  return target;
}

bool Replay::isCancelled(const LogKey& key, Offset base) const {
  const auto found = cancels_.find(key);
  return found != cancels_.end() && std::ranges::any_of(found->second, [&](const auto& cancel) {
           return cancel.first > position_ && cancel.second <= base;
         });
}

Status Replay::append(Target& target, const LogKey& key, BytesView batches) {
  record::BatchIterator walk(batches);
  record::BatchView batch;
  Offset known{-1};
  while (walk.next(batch)) {
    if (!isCancelled(key, batch.baseOffset()))
      MILLRACE_CHECK_OK(append(target, batch, std::exchange(known, batch.nextOffset())));
  }
  return walk.status();
}

Status Replay::append(Target& target, const record::BatchView& batch, Offset known) {
  PartitionLog& log = *target.log;
  const Offset base = batch.baseOffset();
  if (target.gap && base >= target.gap->begin && base < target.gap->end) {
    // What lies behind the gap was written later: the journal has that, too.
    MILLRACE_CHECK_OK(log.truncateTo(target.gap->begin));
    target.gap.reset();
  }
  if (batch.lastOffset() < log.endOffset()) return {};
  // What a leader had compacted is missing within an entry.
  const bool continues = known >= Offset{0} && known <= log.endOffset();
  if (base > log.endOffset() && !continues) {
    if (log.sizeInBytes() > 0)
      return fail(Errc::kCorruptData,
                  fmt::format("{} ends at offset {}, but the journal goes on at {}: records that "
                              "were on disk are gone",
                              log.directory(), log.endOffset().value(), base.value()));
    MILLRACE_CHECK_OK(log.truncateFullyAndStartAt(base));
  }
  if (base < log.endOffset() && log.sizeInBytes() == 0) {
    // All is lost that the segments had, and the log starts inside of this batch.
    const Offset start = log.startOffset();
    MILLRACE_CHECK_OK(log.truncateFullyAndStartAt(base));
    MILLRACE_CHECK_OK(log.appendAsFollower(batch.bytes()));
    (void)log.setHighWatermark(start);
    MILLRACE_CHECK_OK(log.setStartOffset(start));
  } else {
    MILLRACE_CHECK_OK(log.appendAsFollower(batch.bytes()));
  }
  ++report_.batches;
  report_.bytes += batch.sizeInBytes();
  return {};
}

}  // namespace

Result<ReplayReport> replayJournal(FileSystem& files, const std::string& directory,
                                   const JournalLogFinder& find, const JournalComplaint& complain) {
  return Replay(files, directory, find, complain).run();
}

Result<bool> hasJournal(FileSystem& files, const std::string& directory) {
  for (const std::string_view name : kJournalFiles) {
    MILLRACE_TRY(const bool there, files.exists(directory + "/" + std::string(name)));
    if (there) return true;
  }
  return false;
}

namespace {

/// Without the newer file, what it cancels of the older one would come back: the older one goes
/// first.
template <class Fn>
Status dismiss(FileSystem& files, const std::string& directory, Fn fn) {
  MILLRACE_TRY(const std::vector<Found> found, findFiles(files, directory));
  for (const Found& one : found) {
    MILLRACE_CHECK_OK(fn(one.path));
    MILLRACE_CHECK_OK(files.syncDirectory(directory));
  }
  return {};
}

}  // namespace

Status keepJournal(FileSystem& files, const std::string& directory) {
  return dismiss(files, directory,
                 [&](const auto& path) { return files.rename(path, path + ".kept"); });
}

Status removeJournal(FileSystem& files, const std::string& directory) {
  return dismiss(files, directory, [&](const auto& path) { return files.remove(path); });
}

}  // namespace millrace::log
