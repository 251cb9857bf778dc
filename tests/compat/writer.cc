// compat_writer DIRECTORY: adds transactions to the topic "transactions" of a broker's directory,
// which no broker has open: committed, aborted, interleaved and open ones of several producers, in
// all codecs, over many small segments; then DeleteRecords, in the middle of a segment.
#include "log/log_manager.h"
#include "record/builder.h"

#include <cstdio>
#include <string>

namespace millrace {
namespace {

using log::PartitionLog;

constexpr Millis kStart = 1'790'000'000'000;
constexpr int kRounds = 60;
constexpr record::Codec kCodecs[] = {record::Codec::kNone, record::Codec::kGzip,
                                     record::Codec::kSnappy, record::Codec::kLz4,
                                     record::Codec::kZstd};

log::LogConfig smallSegments(const std::string& topic) {
  log::LogConfig config;
  config.retention_ms = -1;
  config.timestamp_after_max_ms = std::numeric_limits<std::int64_t>::max();
  if (topic != "transactions") return config;
  config.segment_bytes = 6000;
  config.index_interval_bytes = 500;
  return config;
}

class Producer {
 public:
  Producer(PartitionLog& log, std::int64_t id) : log_(log), id_(id) {}

  Status send(int round, int records) {
    record::BatchBuilder builder({.codec = kCodecs[static_cast<std::size_t>(round) % 5],
                                  .producer_id = ProducerId{id_},
                                  .producer_epoch = 3,
                                  .base_sequence = sequence_,
                                  .transactional = true});
    for (int i = 0; i < records; ++i) {
      const std::string key = "key-" + std::to_string(round % 7);
      const std::string value = std::to_string(id_) + ":" + std::to_string(round) + ":" +
                                std::string(static_cast<std::size_t>(20 + i * 7), 'v');
      builder.append(kStart + round * 1000 + i, key, value);
    }
    sequence_ += records;
    return append(builder.build(), record::AppendOrigin::kClient);
  }
  Status end(int round, record::ControlType type) {
    return append(record::buildEndTxnMarker(ProducerId{id_}, 3, {type, 1}, kStart + round * 1000),
                  record::AppendOrigin::kCoordinator);
  }

 private:
  Status append(Result<Bytes> batch, record::AppendOrigin origin) {
    if (!batch) return std::unexpected(batch.error());
    MILLRACE_TRY(const auto view, record::BatchView::parse(*batch));
    const auto done = log_.append(
        view, {.leader_epoch = *log_.latestEpoch(), .now_ms = kStart, .origin = origin});
    if (!done) return std::unexpected(done.error().error);
    log_.setHighWatermark(log_.endOffset());
    return {};
  }

  PartitionLog& log_;
  std::int64_t id_;
  std::int32_t sequence_ = 0;
};

Status write(PartitionLog& log) {
  Producer a(log, 4001);
  Producer b(log, 4002);
  for (int round = 0; round < kRounds; ++round) {
    MILLRACE_CHECK_OK(a.send(round, 1 + round % 5));
    MILLRACE_CHECK_OK(b.send(round, 2));
    if (round % 4 == 3) MILLRACE_CHECK_OK(a.send(round, 1));
    MILLRACE_CHECK_OK(
        a.end(round, round % 3 == 0 ? record::ControlType::kAbort : record::ControlType::kCommit));
    if (round % 2 == 1)
      MILLRACE_CHECK_OK(b.end(
          round, round % 5 == 0 ? record::ControlType::kAbort : record::ControlType::kCommit));
  }
  Producer open(log, 4003);
  MILLRACE_CHECK_OK(open.send(kRounds, 3));
  MILLRACE_CHECK_OK(a.send(kRounds + 1, 3));
  MILLRACE_CHECK_OK(a.end(kRounds + 1, record::ControlType::kAbort));
  return log.setStartOffset(log.startOffset() + 37);
}

Status run(const std::string& directory) {
  log::LogManagerOptions options;
  options.directories = {directory};
  options.defaults = smallSegments("");
  options.config_of = smallSegments;
  MILLRACE_TRY(const auto manager, log::LogManager::open(std::move(options)));
  for (const std::string& note : manager->report().notes)
    std::fprintf(stderr, "%s\n", note.c_str());
  PartitionLog* log = manager->find({"transactions", PartitionIndex{0}});
  if (log == nullptr) return fail(Errc::kNotFound, "there is no transactions-0");
  MILLRACE_CHECK_OK(write(*log));
  std::printf("%zu segments, offsets %lld to %lld\n", log->segmentCount(),
              static_cast<long long>(log->startOffset().value()),
              static_cast<long long>(log->endOffset().value()));
  return manager->close();
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: compat_writer DIRECTORY\n");
    return 2;
  }
  const auto done = millrace::run(argv[1]);
  if (done) return 0;
  std::fprintf(stderr, "compat_writer: %s\n", done.error().toString().c_str());
  return 1;
}
