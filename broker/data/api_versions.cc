#include "broker/data/api_versions.h"

#include "broker/data/delete_records.h"
#include "broker/data/describe_producers.h"
#include "broker/data/fetch.h"
#include "broker/data/list_offsets.h"
#include "broker/data/offset_for_leader_epoch.h"
#include "broker/data/produce.h"
#include "broker/metadata/controller.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/services.h"
#include "protocol/api.h"

#include <algorithm>

namespace millrace::broker {

namespace {

bool isAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// KIP-511: [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?
bool isSoftwareName(std::string_view s) {
  if (s.empty() || !isAlphanumeric(s.front()) || !isAlphanumeric(s.back())) return false;
  return std::all_of(s.begin(), s.end(),
                     [](char c) { return isAlphanumeric(c) || c == '-' || c == '.'; });
}

void addFeatures(const MetadataImage& image, protocol::ApiVersionsResponse& response) {
  for (const auto& feature : supportedFeatures()) {
    auto& entry = response.supported_features.emplace_back();
    entry.name = Text(feature.name);
    entry.min_version = feature.min;
    entry.max_version = feature.max;
  }
  response.finalized_features_epoch = image.offset;
  for (const auto& [name, level] : image.features) {
    auto& entry = response.finalized_features.emplace_back();
    entry.name = Text(name);
    entry.min_version_level = level;
    entry.max_version_level = level;
  }
}

}  // namespace

Task<protocol::ApiVersionsResponse> handleApiVersions(const HandlerTable& table, Services& services,
                                                      RequestContext context,
                                                      protocol::ApiVersionsRequest request) {
  protocol::ApiVersionsResponse response;
  if (context.version >= 3) {
    const std::string_view name = request.client_software_name.view();
    const std::string_view version = request.client_software_version.view();
    if (!isSoftwareName(name) || !isSoftwareName(version)) {
      response.error_code = static_cast<std::int16_t>(Errc::kInvalidRequest);
      co_return response;
    }
    context.session->client_software_name = name;
    context.session->client_software_version = version;
  }
  for (const auto& api : protocol::allApis()) {
    if (api.on_broker.empty() || table.find(api.key) == nullptr) continue;
    auto& range = response.api_keys.emplace_back();
    range.api_key = static_cast<std::int16_t>(api.key);
    range.min_version = api.on_broker.min;
    range.max_version = api.on_broker.max;
  }
  addFeatures(*services.image->current(), response);
  co_return response;
}

void registerDataHandlers(HandlerTable& table, Services& services) {
  using namespace protocol;
  Services* const s = &services;
  const HandlerTable* const t = &table;
  table.add<ApiVersionsRequest, ApiVersionsResponse>(
      [s, t](RequestContext c, ApiVersionsRequest r) {
        return handleApiVersions(*t, *s, c, std::move(r));
      });
  table.add<ProduceRequest, ProduceResponse>(
      [s](RequestContext c, ProduceRequest r) { return handleProduce(*s, c, std::move(r)); });
  table.add<FetchRequest, FetchResponse>(
      [s](RequestContext c, FetchRequest r) { return handleFetch(*s, c, std::move(r)); });
  table.add<ListOffsetsRequest, ListOffsetsResponse>([s](RequestContext c, ListOffsetsRequest r) {
    return handleListOffsets(*s, c, std::move(r));
  });
  table.add<DeleteRecordsRequest, DeleteRecordsResponse>(
      [s](RequestContext c, DeleteRecordsRequest r) {
        return handleDeleteRecords(*s, c, std::move(r));
      });
  table.add<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>(
      [s](RequestContext c, OffsetForLeaderEpochRequest r) {
        return handleOffsetForLeaderEpoch(*s, c, std::move(r));
      });
  table.add<DescribeProducersRequest, DescribeProducersResponse>(
      [s](RequestContext c, DescribeProducersRequest r) {
        return handleDescribeProducers(*s, c, std::move(r));
      });
}

}  // namespace millrace::broker
