#include "log/journal/journal.h"

#include "base/varint.h"
#include "log/journal/frame.h"
#include "log/journal/in_threads.h"

#include <algorithm>
#include <array>

namespace millrace::log {

using journal::Frame;
using journal::FrameHead;

/// What one round writes and syncs.
struct Journal::Gathered {
  struct Member {
    std::shared_ptr<JournaledLog> log;
    std::uint64_t bytes = 0;
    /// Its files are synced; its entries are not written.
    bool direct = false;
  };
  /// One entry in `frame`.
  struct Piece {
    std::size_t member = 0;
    Frame::Extent extent;
    /// Written even where the member is direct.
    bool always = false;
  };

  Round number = 1;
  Frame frame;
  std::vector<Piece> pieces;
  std::vector<Member> members;
  std::size_t appends = 0;

  Member& memberFor(const std::shared_ptr<JournaledLog>& log) {
    if (log->round != number) {
      log->round = number;
      log->member = members.size();
      members.push_back({log});
    }
    return members[log->member];
  }
  void addPiece(const JournaledLog& log, BytesView prefix, std::span<const BytesView> payload,
                bool always) {
    pieces.push_back({log.member, frame.put(prefix, payload), always});
  }
  /// What of the frame is to be written.
  [[nodiscard]] std::vector<Frame::Extent> written() const {
    std::vector<Frame::Extent> out;
    out.reserve(pieces.size());
    for (const Piece& piece : pieces)
      if (piece.always || !members[piece.member].direct) out.push_back(piece.extent);
    return out;
  }
  void clear(Round next) {
    number = next;
    frame.clear();
    pieces.clear();
    members.clear();
    appends = 0;
  }
};

struct Journal::JournalFile {
  std::string path;
  std::shared_ptr<File> file;
  std::size_t index = 0;
  // With the journal's mutex.
  std::uint64_t position = 0;
  std::uint32_t sequence = 0;
  std::uint64_t generation = 0;
  /// Whose segments must be on disk before the file is used anew.
  std::vector<std::shared_ptr<JournaledLog>> logs;
  bool made = false;
  bool full = false;
};

Journal::Journal(Options options)
    : options_(std::move(options)),
      gathering_(std::make_unique<Gathered>()),
      spare_(std::make_unique<Gathered>()),
      salt_(options_.salt) {
  for (std::size_t i = 0; i < 2; ++i) {
    journal_files_[i] = std::make_unique<JournalFile>();
    journal_files_[i]->index = i;
    journal_files_[i]->path = options_.directory + "/" + std::string(kJournalFiles[i]);
  }
}

Journal::~Journal() = default;

Result<Journal::Round> Journal::append(const std::shared_ptr<JournaledLog>& log,
                                       const std::shared_ptr<File>& file,
                                       std::span<const BytesView> batches, bool alone) {
  std::unique_lock lock(mutex_);
  if (!health_) return std::unexpected(health_.error());
  Gathered& round = *gathering_;
  Gathered::Member& member = round.memberFor(log);
  for (const BytesView part : batches) member.bytes += part.size();
  const bool much = member.bytes >= options_.direct_bytes ||
                    round.frame.length() + member.bytes > options_.file_bytes / 2;
  if (alone || much) member.direct = true;
  if (!member.direct) round.addPiece(*log, log->batches_prefix, batches, false);
  log->note(file);
  const bool enough = ++round.appends == wanted_;
  const Round number = round.number;
  lock.unlock();
  if (enough) company_came_.notify_one();
  return number;
}

Status Journal::cancel(const std::shared_ptr<JournaledLog>& log, Offset offset) {
  const std::lock_guard lock(mutex_);
  if (!health_) return health_;
  (void)gathering_->memberFor(log);
  char raw[8];
  storeBe(raw, offset.value());
  const BytesView payload(raw, sizeof raw);
  gathering_->addPiece(*log, log->cancel_prefix, std::span(&payload, 1), true);
  return {};
}

void Journal::noteUnsynced(JournaledLog& log, const std::shared_ptr<File>& file) {
  const std::lock_guard lock(mutex_);
  log.note(file);
}

void Journal::noteSynced(JournaledLog& log, const std::string& path) {
  const std::lock_guard lock(mutex_);
  log.synced(path);
}

void Journal::noteRemoved(JournaledLog& log) {
  const std::lock_guard lock(mutex_);
  log.forgetNames();
}

void Journal::forget(JournaledLog& log) {
  const std::lock_guard lock(mutex_);
  log.forget();
  unsynced_removals_ = true;
}

bool Journal::hasGathered() const {
  const std::lock_guard lock(mutex_);
  return !gathering_->members.empty();
}

Journal::Committed Journal::commit() {
  const std::lock_guard one_at_a_time(commit_mutex_);
  std::unique_ptr<Gathered> round;
  {
    std::unique_lock lock(mutex_);
    // Somebody else's call may have taken the last round, and failed.
    if (gathering_->members.empty()) return {gathering_->number - 1, health_};
    awaitCompany(lock);
    round = std::move(gathering_);
    gathering_ = std::move(spare_);
    gathering_->clear(round->number + 1);
    if (!health_) {
      const Committed refused{round->number, health_};
      spare_ = std::move(round);
      return refused;
    }
  }
  const auto begun = options_.now();
  company_.begins(begun, options_.processor_idled());
  const Committed done{round->number, settle(write(*round))};
  if (done.status) committed_.store(done.round, std::memory_order_release);
  const auto now = options_.now();
  const std::size_t let_go = round->appends;
  round->clear(0);  // lets go of logs
  const std::lock_guard lock(mutex_);
  ++counters_.rounds;
  company_.done(begun, now, let_go + gathering_->appends);
  spare_ = std::move(round);
  return done;
}

void Journal::awaitCompany(std::unique_lock<std::mutex>& lock) {
  Company::Wait wait = company_.wait();
  while (const auto pause = wait.next(gathering_->appends, options_.now())) {
    wanted_ = pause->appends;
    (void)company_came_.wait_until(lock, pause->until);
    wanted_ = 0;
  }
}

Status Journal::write(Gathered& round) {
  MILLRACE_CHECK_OK(writeFrame(round));
  std::vector<std::shared_ptr<JournaledLog>> direct;
  for (const Gathered::Member& member : round.members)
    if (member.direct) direct.push_back(member.log);
  if (direct.empty()) return {};
  MILLRACE_CHECK_OK(syncAll(direct));
  const std::lock_guard lock(mutex_);
  counters_.direct_syncs += direct.size();
  return {};
}

Status Journal::writeFrame(Gathered& round) {
  const std::vector<Frame::Extent> entries = round.written();
  if (entries.empty()) return {};
  round.frame.keep(entries);
  const std::uint64_t size = round.frame.size();
  MILLRACE_TRY(const std::size_t index, fileFor(size));
  JournalFile& file = *journal_files_[index];
  list(round, index);
  const BytesView bytes = round.frame.seal({.generation = file.generation,
                                            .sequence = file.sequence,
                                            .entries = static_cast<std::uint32_t>(entries.size()),
                                            .salt = salt_});
  MILLRACE_CHECK_OK(file.file->write(file.position, std::span(&bytes, 1)));
  MILLRACE_CHECK_OK(file.file->sync());
  const std::lock_guard lock(mutex_);
  file.position += size;
  ++file.sequence;
  counters_.frame_bytes += size;
  return {};
}

void Journal::list(const Gathered& round, std::size_t index) {
  const std::lock_guard lock(mutex_);
  JournalFile& file = *journal_files_[index];
  for (const Gathered::Member& member : round.members) {
    if (member.log->listed_in[index] == file.generation) continue;
    member.log->listed_in[index] = file.generation;
    file.logs.push_back(member.log);
  }
}

Result<std::size_t> Journal::fileFor(std::uint64_t bytes) {
  // The last block is for retirement.
  const std::uint64_t room = options_.file_bytes - journal::kAlignment;
  if (current_ && journal_files_[*current_]->position + bytes <= room) return *current_;
  const std::size_t next = current_ ? 1 - *current_ : 0;
  if (current_) {
    const std::lock_guard lock(mutex_);
    journal_files_[*current_]->full = true;
  }
  JournalFile& file = *journal_files_[next];
  {
    const std::lock_guard one_at_a_time(checkpoint_mutex_);
    MILLRACE_CHECK_OK(makeReady(file));
  }
  const std::lock_guard lock(mutex_);
  file.position = 0;
  file.sequence = current_ ? journal_files_[*current_]->sequence : 0;
  file.generation = ++generation_;
  current_ = next;
  return next;
}

Status Journal::makeReady(JournalFile& file) {
  if (!file.made) MILLRACE_CHECK_OK(create(file));
  std::vector<std::shared_ptr<JournaledLog>> logs;
  std::uint64_t generation = 0;
  bool removals = false;
  {
    const std::lock_guard lock(mutex_);
    if (!file.full) return {};
    logs = file.logs;
    generation = file.generation;
    removals = std::exchange(unsynced_removals_, false);
  }
  MILLRACE_CHECK_OK(syncBehind(file, logs));
  // A log that comes back in a crash, because its removal was not on disk, needs its entries.
  if (removals) MILLRACE_CHECK_OK(options_.files->syncDirectory(options_.directory));
  MILLRACE_CHECK_OK(retire(file, generation));
  const std::lock_guard lock(mutex_);
  file.logs.clear();
  file.full = false;
  ++counters_.checkpoints;
  return {};
}

/// Were the first frame of the next generation torn, those of this one behind it would look as if
/// they were needed and their first one was damaged.
Status Journal::retire(JournalFile& file, std::uint64_t generation) const {
  alignas(journal::kAlignment) std::array<char, journal::kAlignment> block{};
  journal::storeRetirement(block, generation, salt_);
  const BytesView bytes(block.data(), block.size());
  MILLRACE_CHECK_OK(
      file.file->write(options_.file_bytes - journal::kAlignment, std::span(&bytes, 1)));
  return file.file->sync();
}

/// Filled with zeros, so that a frame's sync has nothing to do but to write the frame.
Status Journal::create(JournalFile& file) {
  MILLRACE_TRY(file.file, options_.files->open(file.path, OpenMode::kCreate));
  MILLRACE_CHECK_OK(file.file->truncate(0));
  const Bytes zeros(std::min<std::uint64_t>(1 << 20, options_.file_bytes), '\0');
  for (std::uint64_t at = 0; at < options_.file_bytes; at += zeros.size()) {
    const BytesView part = BytesView(zeros).substr(0, options_.file_bytes - at);
    MILLRACE_CHECK_OK(file.file->write(at, std::span(&part, 1)));
  }
  MILLRACE_CHECK_OK(file.file->sync());
  MILLRACE_CHECK_OK(options_.files->syncDirectory(options_.directory));
  MILLRACE_TRY(file.file, options_.files->open(file.path, OpenMode::kDirect));
  const std::lock_guard lock(mutex_);
  file.made = true;
  return {};
}

bool Journal::checkpointDue() const {
  const std::lock_guard lock(mutex_);
  const JournalFile& first = *journal_files_[0];
  const JournalFile& second = *journal_files_[1];
  // The second file is made before the first one is full, so that no round has to wait for it.
  return first.full || second.full || (!second.made && first.position > options_.file_bytes / 4);
}

Status Journal::checkpoint() {
  if (!checkpointDue()) return health();
  const std::lock_guard one_at_a_time(checkpoint_mutex_);
  for (const auto& file : journal_files_) {
    const Status ready = makeReady(*file);
    if (!ready) return settle(ready);
  }
  return health();
}

/// The disk serves who asks more often: rounds would take five times as long beside many syncs.
Status Journal::syncBehind(const JournalFile& file, Logs logs) {
  const JournalFile& other = *journal_files_[1 - file.index];
  const auto has_time = [&] {
    const std::lock_guard lock(mutex_);
    return !other.full && other.position < options_.file_bytes / 2;
  };
  while (!logs.empty() && has_time()) {
    MILLRACE_CHECK_OK(syncLog(*logs.front()));
    logs = logs.subspan(1);
  }
  return syncAll(logs);
}

Status Journal::syncAll(Logs logs) {
  std::mutex failure_mutex;
  Status failure;
  inThreads(logs.size(), [&](std::size_t i) {
    Status synced = syncLog(*logs[i]);
    if (synced) return;
    const std::lock_guard lock(failure_mutex);
    failure = std::move(synced);
  });
  return failure;
}

Status Journal::syncLog(JournaledLog& log) {
  JournaledLog::Sync sync;
  {
    const std::lock_guard lock(mutex_);
    sync = log.plan();
  }
  MILLRACE_CHECK_OK(log.late().write());
  MILLRACE_CHECK_OK(sync.run(*options_.files, options_.present));
  const std::lock_guard lock(mutex_);
  log.settle(sync);
  return {};
}

Status Journal::settle(Status status) {
  if (status) return status;
  {
    const std::lock_guard lock(mutex_);
    if (!health_) return status;
    health_ = status;
  }
  if (options_.on_failure) options_.on_failure(status.error());
  return status;
}

Status Journal::health() const {
  const std::lock_guard lock(mutex_);
  return health_;
}

Journal::Counters Journal::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

Status Journal::close() {
  // What a newer file cancels of an older one must not come back without it.
  const std::size_t newer = current_.value_or(0);
  for (const std::size_t index : {1 - newer, newer}) {
    JournalFile& file = *journal_files_[index];
    if (!file.made) continue;
    file.file.reset();
    MILLRACE_CHECK_OK(options_.files->remove(file.path));
    MILLRACE_CHECK_OK(options_.files->syncDirectory(options_.directory));
  }
  return {};
}

}  // namespace millrace::log
