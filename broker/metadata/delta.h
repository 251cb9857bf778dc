// From one image to the next: applies metadata records, and tells afterwards what changed.
#pragma once

#include "broker/metadata/image.h"
#include "broker/metadata/records.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace millrace::broker {

/// What a run of records changed, for those who follow the image (partition logs, coordinators).
struct MetadataChanges {
  /// Topics created or altered (new partitions, new leaders), as they are now. A topic both created
  /// and deleted within the run stands in `deleted` only if it existed before.
  std::vector<TopicPtr> topics;
  /// Topics removed, as they were.
  std::vector<TopicPtr> deleted;
  /// Resources whose configs changed (of living topics, brokers, groups).
  std::vector<ConfigResource> configs;
  [[nodiscard]] bool empty() const { return topics.empty() && deleted.empty() && configs.empty(); }
};

/// Collects records on top of a base image. Cost per record is that of the thing it changes, never
/// of the whole image.
class MetadataDelta {
 public:
  explicit MetadataDelta(const MetadataImage& base) : base_(base), next_(base) {}

  /// Errors: kCorruptData where a record refers to what does not exist; the delta is then unusable.
  [[nodiscard]] Status apply(const MetadataRecord& record, std::int64_t offset);
  /// Marks control batches and epochs, which carry no record.
  void setPosition(std::int64_t offset, std::int32_t leader_epoch);
  /// What the records applied so far make of the base.
  [[nodiscard]] const MetadataImage& current();
  /// The next image and what differs from the base. Ends the delta.
  struct Outcome {
    ImagePtr image;
    MetadataChanges changes;
  };
  [[nodiscard]] Outcome finish();

 private:
  /// A topic's own copy in this delta, made on first touch; null where the id is unknown.
  TopicImage* touch(const Uuid& id);
  Status applyTopic(const protocol::TopicRecord& r);
  Status applyPartition(const protocol::PartitionRecord& r);
  Status applyPartitionChange(const protocol::PartitionChangeRecord& r);
  Status applyRemoveTopic(const protocol::RemoveTopicRecord& r);
  void applyConfig(const protocol::ConfigRecord& r);
  void applyRegisterBroker(const protocol::RegisterBrokerRecord& r);
  Status applyBrokerChange(const protocol::BrokerRegistrationChangeRecord& r);
  void flush();

  const MetadataImage& base_;
  MetadataImage next_;
  /// Topics being changed: not in next_ before flush(), then immutable.
  std::map<Uuid, std::shared_ptr<TopicImage>> touched_;
  std::set<Uuid> changed_;
  std::vector<Uuid> removed_;
  std::set<ConfigResource> configs_;
};

}  // namespace millrace::broker
