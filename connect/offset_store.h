// Offsets of source connectors, in the file of a standalone worker.
#pragma once

#include "connect/java_map.h"
#include "connect/record.h"

#include <mutex>
#include <string>

namespace millrace::connect {

/// ["connector",{"filename":"a"}] -> {"position":7}, as Kafka's workers key them. Thread-safe.
class OffsetStore {
 public:
  /// Reads the file; one that does not exist yet is empty. An empty path keeps offsets in memory
  /// only. Errors: kMalformed; of the file.
  [[nodiscard]] static Result<std::unique_ptr<OffsetStore>> open(std::string path);

  [[nodiscard]] std::optional<SourceMap> get(const std::string& connector,
                                             const SourceMap& partition) const;
  /// Kept in memory until flush. nullopt deletes.
  void set(const std::string& connector, const SourceMap& partition,
           const std::optional<SourceMap>& offset);
  /// Replaces the file at once where something changed; durable when it returns.
  Status flush();

 private:
  explicit OffsetStore(std::string path) : path_(std::move(path)) {}

  const std::string path_;
  mutable std::mutex mutex_;
  std::mutex flush_mutex_;
  ByteMap offsets_;
  bool changed_ = false;
};

/// {"filename":"a"}: names in order, so that one partition has one text.
[[nodiscard]] std::string sourceMapText(const SourceMap& map);

}  // namespace millrace::connect
