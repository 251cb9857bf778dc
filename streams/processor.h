// The typed nodes of a running topology: what they are, how a record goes from one to the next.
#pragma once

#include "streams/record_meta.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <typeinfo>
#include <utility>
#include <vector>

namespace millrace::streams {

class ProcessorContext;

/// A node of one task. The topology holds prototypes; each task clones its own set, links it and
/// calls init(). Everything runs on the task's thread.
class Node {
 public:
  Node() = default;
  virtual ~Node() = default;
  Node& operator=(const Node&) = delete;

  [[nodiscard]] virtual std::unique_ptr<Node> clone() const = 0;
  /// Links a child below this node, in the order of forwarding. The types fit, or the process
  /// stops.
  virtual void addChild(Node& child) = 0;
  /// Once, after all nodes of the task are linked and its stores are there.
  virtual void init(ProcessorContext& context) { (void)context; }
  /// Once, before the task goes away.
  virtual void close() {}

 protected:
  Node(const Node&) = default;
};

/// What a node takes: one virtual call per hop, nothing is serialised in between. Null key or
/// value: null pointer. Tables pass Receiver<K, Change<V>>.
template <class K, class V>
class Receiver {
 public:
  virtual ~Receiver() = default;
  virtual void process(const K* key, const V* value, RecordMeta meta) = 0;
};

[[noreturn]] void failWrongChild(const std::type_info& parent, const std::type_info& child);

/// The children of a node that emits (K, V). Copies of a prototype start without children.
template <class K, class V>
class Outputs {
 public:
  Outputs() = default;
  Outputs(const Outputs&) {}
  Outputs& operator=(const Outputs&) = delete;

  void add(Node& child) {
    auto* receiver = dynamic_cast<Receiver<K, V>*>(&child);
    if (receiver == nullptr) failWrongChild(typeid(Receiver<K, V>), typeid(child));
    receivers_.push_back(receiver);
  }
  void forward(const K* key, const V* value, RecordMeta meta) const {
    for (Receiver<K, V>* receiver : receivers_) receiver->process(key, value, meta);
  }
  void forwardTo(std::size_t child, const K* key, const V* value, RecordMeta meta) const {
    receivers_[child]->process(key, value, meta);
  }
  [[nodiscard]] std::size_t size() const { return receivers_.size(); }

 private:
  std::vector<Receiver<K, V>*> receivers_;
};

/// Base of nodes that emit (K, V).
template <class K, class V>
class Emitter : public Node {
 public:
  void addChild(Node& child) override { outputs_.add(child); }

 protected:
  void forward(const K* key, const V* value, RecordMeta meta) const {
    outputs_.forward(key, value, meta);
  }
  Outputs<K, V> outputs_;
};

/// Most nodes: takes (KIn, VIn), emits (KOut, VOut).
template <class KIn, class VIn, class KOut, class VOut>
class ProcessorNode : public Emitter<KOut, VOut>, public Receiver<KIn, VIn> {};

/// A record as a source reads it and before it has types. Views.
struct RawRecord {
  std::optional<BytesView> key;
  std::optional<BytesView> value;
  Millis timestamp = -1;
  const Headers* headers = nullptr;
  RecordOrigin origin = {};
};

/// What became of a record that a source loaded.
enum class Loaded : std::uint8_t {
  kReady,    ///< forwardLoaded() may be called
  kDropped,  ///< counted as dropped: a bad timestamp, or bad bytes where the handler says continue
  kFailed,   ///< the context holds the error
};

/// The typed head of one input queue.
class SourceSlot {
 public:
  virtual ~SourceSlot() = default;
  /// Deserialises and finds the timestamp. `partition_time`: largest timestamp seen on this
  /// partition, or -1.
  [[nodiscard]] virtual Loaded load(const RawRecord& record, Millis partition_time) = 0;
  [[nodiscard]] virtual Millis timestamp() const = 0;
  /// Sends the loaded record down the topology.
  virtual void forwardLoaded(const Headers* headers) = 0;
};

/// A node that reads topics: one slot for each partition queue of the task.
class SourceNodeBase : public Node {
 public:
  [[nodiscard]] virtual std::unique_ptr<SourceSlot> makeSlot(ProcessorContext& context) = 0;
};

}  // namespace millrace::streams
