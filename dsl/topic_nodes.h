// Sources and sinks: the only places of a topology where records are bytes.
#pragma once

#include "base/checksum.h"
#include "dsl/function.h"
#include "dsl/serde.h"
#include "streams/context.h"
#include "streams/processor.h"

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

namespace millrace::dsl {

using streams::ProcessorContext;
using streams::RawRecord;
using streams::RecordMeta;

/// Event time of a record. Plain V. The value is null where the record's is.
template <class V>
using TimestampFunction =
    std::function<Millis(const V* value, Millis record_time, Millis partition_time)>;

/// What a source emits for a value that it read: the value itself. See change_serde.h for the
/// exception.
template <class V>
struct Emitted {
  using Type = V;
  static const V* of(const V& value) { return &value; }
};

template <class K, class V>
struct SourceSpec {
  SerdeOf<K> key_serde;
  SerdeOf<V> value_serde;
  TimestampFunction<V> timestamp;  ///< empty: the record's own, which must not be negative
  bool skip_bad_records = false;   ///< bytes that cannot be read: drop and count instead of failing
};

template <class K, class V>
class SourceNode final : public streams::SourceNodeBase {
 public:
  explicit SourceNode(std::shared_ptr<const SourceSpec<K, V>> spec) : spec_(std::move(spec)) {}
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<SourceNode>(*this);
  }
  void addChild(streams::Node& child) override { outputs_.add(child); }
  std::unique_ptr<streams::SourceSlot> makeSlot(ProcessorContext& context) override {
    return std::make_unique<Slot>(*spec_, outputs_, context);
  }

 private:
  using Emits = streams::Outputs<K, typename Emitted<V>::Type>;
  class Slot final : public streams::SourceSlot {
   public:
    Slot(const SourceSpec<K, V>& spec, const Emits& outputs, ProcessorContext& context)
        : spec_(spec), outputs_(outputs), context_(context) {}

    streams::Loaded load(const RawRecord& record, Millis partition_time) override {
      has_key_ = record.key.has_value();
      has_value_ = record.value.has_value();
      if (has_key_) {
        if (auto status = spec_.key_serde.deserialize(*record.key, key_); !status)
          return bad(record, "key", status);
      }
      if (has_value_) {
        auto status = spec_.value_serde.deserialize(*record.value, value_);
        if (!status) return bad(record, "value", status);
      }
      timestamp_ = record.timestamp;
      if (spec_.timestamp) {
        timestamp_ =
            spec_.timestamp(has_value_ ? &value_ : nullptr, record.timestamp, partition_time);
        if (timestamp_ < 0) {
          context_.drop();
          return streams::Loaded::kDropped;
        }
      } else if (timestamp_ < 0) {
        context_.fail({Errc::kInvalidTimestamp, place(record) + " has a negative timestamp"});
        return streams::Loaded::kFailed;
      }
      return streams::Loaded::kReady;
    }
    Millis timestamp() const override { return timestamp_; }
    void forwardLoaded(const streams::Headers* headers) override {
      outputs_.forward(has_key_ ? &key_ : nullptr, has_value_ ? Emitted<V>::of(value_) : nullptr,
                       {timestamp_, headers});
    }

   private:
    static std::string place(const RawRecord& record) {
      return "the record at offset " + std::to_string(record.origin.offset) + " of " +
             std::string(record.origin.topic) + "-" + std::to_string(record.origin.partition);
    }
    streams::Loaded bad(const RawRecord& record, const char* part, const Status& status) {
      if (spec_.skip_bad_records) {
        context_.drop();
        return streams::Loaded::kDropped;
      }
      context_.fail({Errc::kMalformed, "the " + std::string(part) + " of " + place(record) +
                                           " cannot be read: " + status.error().detail});
      return streams::Loaded::kFailed;
    }

    const SourceSpec<K, V>& spec_;
    const Emits& outputs_;
    ProcessorContext& context_;
    K key_{};
    V value_{};
    bool has_key_ = false;
    bool has_value_ = false;
    Millis timestamp_ = -1;
  };

  std::shared_ptr<const SourceSpec<K, V>> spec_;
  Emits outputs_;
};

/// The partition of a record: kByKey, or a number below `partitions`. Plain types, null where the
/// record is.
template <class K, class V>
using PartitionFunction =
    std::function<std::int32_t(const K* key, const V* value, std::int32_t partitions)>;

template <class K, class V>
struct SinkSpec {
  std::string topic;  ///< unless `chooser`
  std::function<std::string(const K* key, const V* value)> chooser;
  bool internal = false;
  SerdeOf<K> key_serde;
  SerdeOf<V> value_serde;
  PartitionFunction<K, V> partitioner;
};

template <class K, class V>
class SinkNode final : public streams::Node, public streams::Receiver<K, V> {
 public:
  explicit SinkNode(std::shared_ptr<const SinkSpec<K, V>> spec) : spec_(std::move(spec)) {}
  std::unique_ptr<streams::Node> clone() const override {
    return std::make_unique<SinkNode>(*this);
  }
  void addChild(streams::Node& child) override {
    streams::failWrongChild(typeid(*this), typeid(child));
  }
  void init(ProcessorContext& context) override {
    context_ = &context;
    if (!spec_->chooser) topic_ = context.collector().topicHandle(spec_->topic, spec_->internal);
  }
  void process(const K* key, const V* value, RecordMeta meta) override {
    if (context_->failed()) return;
    streams::OutputRecord record{
        .topic = topic_, .timestamp = meta.timestamp, .headers = meta.headers};
    if (key != nullptr) {
      key_bytes_.clear();
      spec_->key_serde.serialize(*key, key_bytes_);
      record.key = key_bytes_;
    }
    if (value != nullptr) {
      value_bytes_.clear();
      spec_->value_serde.serialize(*value, value_bytes_);
      record.value = value_bytes_;
    }
    if (spec_->chooser) record.topic = chosenTopic(key, value);
    if (!choosePartition(key, value, record)) return;
    context_->check(context_->collector().send(record));
  }

 private:
  std::int32_t chosenTopic(const K* key, const V* value) {
    const std::string topic = spec_->chooser(key, value);
    const auto [known, added] = chosen_.try_emplace(topic, 0);
    if (added) known->second = context_->collector().topicHandle(topic, false);
    return known->second;
  }
  /// A windowed key goes where its inner key would go, whatever the window.
  bool choosePartition(const K* key, const V* value, streams::OutputRecord& record) {
    if (!spec_->partitioner && (!kIsWindowed<K> || spec_->key_serde.custom() || key == nullptr))
      return true;
    const auto partitions = context_->collector().partitionCount(record.topic);
    if (!partitions) {
      context_->fail(partitions.error());
      return false;
    }
    if (spec_->partitioner) {
      record.partition = spec_->partitioner(key, value, *partitions);
    } else if constexpr (kIsWindowed<K>) {
      record.partition =
          partitionForKey(record.key->substr(0, record.key->size() - sizeof(Millis)), *partitions);
    }
    return true;
  }

  std::shared_ptr<const SinkSpec<K, V>> spec_;
  ProcessorContext* context_ = nullptr;
  std::int32_t topic_ = -1;
  std::unordered_map<std::string, std::int32_t> chosen_;
  Bytes key_bytes_;
  Bytes value_bytes_;
};

}  // namespace millrace::dsl
