#include "dsl/streams_builder.h"

namespace millrace {

StreamsBuilder::StreamsBuilder() : plan_(std::make_shared<dsl::Plan>()) {}

Result<Topology> StreamsBuilder::tryBuild(BuildOptions options) {
  const bool all = options.optimization == Optimization::kAll;
  return plan_->build(
      {.reuse_source_topics = all, .merge_repartition_topics = all, .single_store_self_join = all});
}

Topology StreamsBuilder::build(BuildOptions options) {
  auto topology = tryBuild(options);
  if (!topology) throw TopologyError(std::move(topology).error());
  return *std::move(topology);
}

}  // namespace millrace
