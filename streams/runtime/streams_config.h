// From StreamsOptions to a checked configuration, and what it sets in the clients it makes.
#pragma once

#include "base/config.h"
#include "client/admin.h"
#include "client/consumer.h"
#include "client/producer.h"
#include "streams/runtime/streams.h"

#include <map>
#include <memory>
#include <string>

namespace millrace::streams {

struct StreamsConfig {
  Config values;
  std::string application_id;
  std::string state_dir;
  std::int32_t threads = 1;
  std::shared_ptr<client::Transport> transport;  ///< null: by bootstrap servers
  Millis commit_interval_ms = 30'000;
  Millis poll_ms = 100;
  Millis max_task_idle_ms = 0;
  std::size_t buffered_records = 1'000;          ///< per partition; more pauses it
  std::int64_t cache_bytes = 10 << 20;           ///< over all threads
  std::size_t max_uncommitted_bytes = 64 << 20;  ///< per thread; more forces a commit
  Millis purge_interval_ms = 30'000;

  /// Errors: kConfig, naming the key.
  [[nodiscard]] static Result<StreamsConfig> parse(const StreamsOptions& options);

  [[nodiscard]] ConsumerOptions mainConsumer(const std::string& client_id) const;
  [[nodiscard]] ConsumerOptions restoreConsumer(const std::string& client_id) const;
  [[nodiscard]] ProducerOptions producer(const std::string& client_id) const;
  [[nodiscard]] AdminOptions admin(const std::string& client_id) const;

 private:
  /// Keys for a client: plain ones that it knows, then those with each prefix.
  [[nodiscard]] std::map<std::string, std::string> clientProperties(
      const ConfigDef& def, std::initializer_list<std::string_view> prefixes) const;
};

}  // namespace millrace::streams
