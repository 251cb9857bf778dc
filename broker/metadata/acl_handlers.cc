// DescribeAcls, CreateAcls, DeleteAcls: there is no authorizer, and who asks for its rules is told
// so, as by a Kafka broker without one.
#include "broker/handler_table.h"
#include "broker/metadata/metadata_handlers.h"
#include "protocol/messages/create_acls_request.h"
#include "protocol/messages/create_acls_response.h"
#include "protocol/messages/delete_acls_request.h"
#include "protocol/messages/delete_acls_response.h"
#include "protocol/messages/describe_acls_request.h"
#include "protocol/messages/describe_acls_response.h"

namespace millrace::broker {
namespace {

using protocol::CreateAclsRequest;
using protocol::CreateAclsResponse;
using protocol::DeleteAclsRequest;
using protocol::DeleteAclsResponse;
using protocol::DescribeAclsRequest;
using protocol::DescribeAclsResponse;

template <class Result>
void refuse(Result& out) {
  out.error_code = static_cast<std::int16_t>(Errc::kSecurityDisabled);
  out.error_message = Text("No Authorizer is configured.");
}

Task<DescribeAclsResponse> describeAcls(RequestContext, DescribeAclsRequest) {
  DescribeAclsResponse response;
  refuse(response);
  co_return response;
}

Task<CreateAclsResponse> createAcls(RequestContext, CreateAclsRequest request) {
  CreateAclsResponse response;
  response.results.resize(request.creations.size());
  for (auto& result : response.results) refuse(result);
  co_return response;
}

Task<DeleteAclsResponse> deleteAcls(RequestContext, DeleteAclsRequest request) {
  DeleteAclsResponse response;
  response.filter_results.resize(request.filters.size());
  for (auto& result : response.filter_results) refuse(result);
  co_return response;
}

}  // namespace

void registerAclHandlers(HandlerTable& table) {
  table.add<DescribeAclsRequest, DescribeAclsResponse>(describeAcls);
  table.add<CreateAclsRequest, CreateAclsResponse>(createAcls);
  table.add<DeleteAclsRequest, DeleteAclsResponse>(deleteAcls);
}

}  // namespace millrace::broker
