// The records of the metadata log: Kafka's, framed as Kafka frames them (frame version, type,
// version, fields).
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "protocol/messages/begin_transaction_record.h"
#include "protocol/messages/broker_registration_change_record.h"
#include "protocol/messages/config_record.h"
#include "protocol/messages/end_transaction_record.h"
#include "protocol/messages/feature_level_record.h"
#include "protocol/messages/no_op_record.h"
#include "protocol/messages/partition_change_record.h"
#include "protocol/messages/partition_record.h"
#include "protocol/messages/producer_ids_record.h"
#include "protocol/messages/register_broker_record.h"
#include "protocol/messages/register_controller_record.h"
#include "protocol/messages/remove_topic_record.h"
#include "protocol/messages/topic_record.h"
#include "protocol/messages/unregister_broker_record.h"

#include <variant>
#include <vector>

namespace millrace::broker {

/// A record of a type that this build keeps in the log and does not use (ACLs, quotas, SCRAM,
/// tokens).
struct OtherRecord {
  std::int16_t type = 0;
  Bytes framed;
};

using MetadataRecord =
    std::variant<protocol::RegisterBrokerRecord, protocol::UnregisterBrokerRecord,
                 protocol::TopicRecord, protocol::PartitionRecord, protocol::ConfigRecord,
                 protocol::PartitionChangeRecord, protocol::RemoveTopicRecord,
                 protocol::FeatureLevelRecord, protocol::ProducerIdsRecord,
                 protocol::BrokerRegistrationChangeRecord, protocol::NoOpRecord,
                 protocol::BeginTransactionRecord, protocol::EndTransactionRecord,
                 protocol::RegisterControllerRecord, OtherRecord>;
using MetadataRecords = std::vector<MetadataRecord>;

/// The record's value as it stands in a batch.
[[nodiscard]] Bytes frameRecord(const MetadataRecord& record);
/// Errors: kMalformed. The record borrows from `framed`. Types this build does not use come back as
/// OtherRecord.
[[nodiscard]] Result<MetadataRecord> parseRecord(BytesView framed);

}  // namespace millrace::broker
