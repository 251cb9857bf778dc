// Incremental fetch sessions (KIP-227): the broker remembers which partitions a consumer fetches,
// so that neither side repeats them in every request.
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "base/uuid.h"

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace millrace::broker {

/// A topic as the client named it: by name before Fetch v13, by id from then on.
struct FetchTopic {
  Uuid id;
  std::string name;
};
using FetchTopicPtr = std::shared_ptr<const FetchTopic>;

/// One partition that a client wants to read.
struct FetchPartition {
  FetchTopicPtr topic;
  std::int32_t partition = 0;
  std::int32_t current_leader_epoch = -1;
  std::int64_t fetch_offset = 0;
  std::int32_t last_fetched_epoch = -1;
  std::int64_t log_start_offset = -1;
  std::int32_t max_bytes = 0;
};

/// What a request says about its session.
struct FetchSessionRequest {
  std::int32_t session_id = 0;
  std::int32_t epoch = -1;
  bool by_topic_id = false;
  std::vector<FetchPartition> partitions;
  /// Only topic and partition count.
  std::vector<FetchPartition> forgotten;
};

/// What came of one partition, as far as it decides whether an incremental answer must mention it.
struct FetchSessionResult {
  bool has_records = false;
  /// An error, a diverging epoch, a preferred replica: always mentioned, and mentioned again next
  /// time.
  bool is_special = false;
  std::int64_t high_watermark = -1;
  std::int64_t log_start_offset = -1;
};

/// A request under way: what to read, in the order to read it.
struct FetchContext {
  std::vector<FetchPartition> partitions;
  /// 0: no session (yet).
  std::int32_t session_id = 0;
  bool incremental = false;
  /// A full fetch that asks for a session.
  bool wants_session = false;
  bool by_topic_id = false;
};

/// All sessions of a broker, at most `slots` of them. Thread-safe: clients of one session may come
/// over connections on several shards. Times are monotonic ms.
class FetchSessionCache {
 public:
  /// max.incremental.fetch.session.cache.slots; a session unused for two minutes may be evicted, as
  /// in Kafka.
  FetchSessionCache(std::size_t slots, RandomSource& random) : slots_(slots), random_(random) {}

  /// Errors: kFetchSessionIdNotFound, kInvalidFetchSessionEpoch, kFetchSessionTopicIdError.
  [[nodiscard]] Result<FetchContext> begin(FetchSessionRequest request, Millis now);

  /// Decides which partitions the answer mentions: fills `mention`, parallel to context.partitions
  /// and `results`. Returns the answer's session id.
  [[nodiscard]] std::int32_t finish(const FetchContext& context,
                                    const std::vector<FetchSessionResult>& results, Millis now,
                                    std::vector<bool>& mention);

  [[nodiscard]] std::size_t size() const;

 private:
  struct Key {
    Uuid topic_id;
    std::string topic_name;
    std::int32_t partition = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& k) const noexcept;
  };
  struct Cached {
    FetchPartition want;
    std::int64_t high_watermark = -1;
    std::int64_t log_start_offset = -1;
  };
  struct Session {
    std::int32_t epoch = 1;
    bool by_topic_id = false;
    Millis created_ms = 0;
    Millis used_ms = 0;
    /// In the order they are read; what returned records goes to the end.
    std::list<Cached> partitions;
    std::unordered_map<Key, std::list<Cached>::iterator, KeyHash> index;
  };

  static Key keyOf(const FetchPartition& p) { return {p.topic->id, p.topic->name, p.partition}; }
  static void put(Session& session, FetchPartition want);
  Result<FetchContext> beginIncremental(FetchSessionRequest request, Millis now);
  std::int32_t create(const FetchContext& context, const std::vector<FetchSessionResult>& results,
                      Millis now);
  bool makeRoom(std::size_t newcomer_size, Millis now);

  mutable std::mutex mutex_;
  std::size_t slots_;
  RandomSource& random_;
  std::unordered_map<std::int32_t, Session> sessions_;
};

}  // namespace millrace::broker
