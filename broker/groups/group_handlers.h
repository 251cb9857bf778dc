// Handlers of this room that stand in files of their own.
#pragma once

namespace millrace::broker {

class GroupService;
class HandlerTable;

/// OffsetCommit, OffsetFetch, OffsetDelete.
void registerOffsetHandlers(HandlerTable& table, GroupService& service);
/// FindCoordinator, DescribeGroups, ListGroups, DeleteGroups.
void registerGroupAdminHandlers(HandlerTable& table, GroupService& service);

}  // namespace millrace::broker
