#include "streams/runtime/user_data.h"

#include "base/varint.h"

#include <algorithm>

namespace millrace::streams {
namespace {

/// Big-endian writer of the two formats.
class Writer {
 public:
  template <class T>
  void put(T value) {
    char buffer[sizeof(T)];
    storeBe(buffer, value);
    out_.append(buffer, sizeof(T));
  }
  void count(std::size_t n) { put(static_cast<std::int32_t>(n)); }
  /// int32 length and the bytes.
  void bytes(BytesView value) {
    count(value.size());
    out_.append(value);
  }
  /// int16 length and UTF-8, as Java's writeUTF (equal for all text of the basic multilingual
  /// plane).
  void text(BytesView value) {
    put(static_cast<std::int16_t>(value.size()));
    out_.append(value);
  }
  Bytes take() { return std::move(out_); }

 private:
  Bytes out_;
};

/// Reads with one sticky error: after a short read every value is zero and ok() is false.
class Reader {
 public:
  explicit Reader(BytesView data) : data_(data) {}
  template <class T>
  T get() {
    if (!take(sizeof(T))) return T{};
    return loadBe<T>(data_.data() + position_ - sizeof(T));
  }
  /// A count of items that take at least `item_size` bytes each: bounded by what is left.
  std::int32_t count(std::size_t item_size) {
    const auto n = get<std::int32_t>();
    if (n < 0 || static_cast<std::size_t>(n) > (data_.size() - position_) / item_size)
      return refuse();
    return n;
  }
  std::string bytes() {
    const auto size = get<std::int32_t>();
    return raw(size);
  }
  std::string text() {
    const auto size = get<std::uint16_t>();
    return raw(size);
  }
  /// int16 length, -1 for null.
  std::optional<std::string> nullableText() {
    const auto size = get<std::int16_t>();
    if (size < 0) return std::nullopt;
    return raw(size);
  }
  std::string raw(std::int32_t size) {
    if (size < 0 || !take(static_cast<std::size_t>(size))) {
      refuse();
      return {};
    }
    return std::string(
        data_.substr(position_ - static_cast<std::size_t>(size), static_cast<std::size_t>(size)));
  }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  bool take(std::size_t size) {
    if (!ok_ || data_.size() - position_ < size) {
      ok_ = false;
      return false;
    }
    position_ += size;
    return true;
  }
  std::int32_t refuse() {
    ok_ = false;
    return 0;
  }

  BytesView data_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

Status checkVersion(std::int32_t version, const char* what) {
  if (version >= kOldestUserDataVersion && version <= kLatestUserDataVersion) return {};
  return fail(Errc::kUnsupportedVersion, std::string("user data of a streams ") + what +
                                             " has version " + std::to_string(version) +
                                             "; known are 7 to 11");
}

Uuid readUuid(Reader& in) {
  Uuid id;
  id.high = in.get<std::uint64_t>();
  id.low = in.get<std::uint64_t>();
  return id;
}

/// Versions 7 to 9 group the sums by subtopology.
void writeGroupedSums(Writer& out, const std::vector<TaskOffsetSum>& sums) {
  std::map<std::int32_t, std::vector<const TaskOffsetSum*>> groups;
  for (const TaskOffsetSum& sum : sums) groups[sum.task.subtopology].push_back(&sum);
  out.count(groups.size());
  for (const auto& [subtopology, members] : groups) {
    out.put(subtopology);
    out.count(members.size());
    for (const TaskOffsetSum* sum : members) {
      out.put(sum->task.partition);
      out.put(sum->sum);
    }
  }
}

void readGroupedSums(Reader& in, std::vector<TaskOffsetSum>& sums) {
  const auto groups = in.count(8);
  for (std::int32_t g = 0; g < groups && in.ok(); ++g) {
    const auto subtopology = in.get<std::int32_t>();
    const auto members = in.count(12);
    for (std::int32_t i = 0; i < members && in.ok(); ++i) {
      TaskOffsetSum sum;
      sum.task.subtopology = subtopology;
      sum.task.partition = in.get<std::int32_t>();
      sum.sum = in.get<std::int64_t>();
      sums.push_back(std::move(sum));
    }
  }
}

void writeSums(Writer& out, const std::vector<TaskOffsetSum>& sums) {
  out.count(sums.size());
  for (const TaskOffsetSum& sum : sums) {
    out.put(sum.task.subtopology);
    out.put(sum.task.partition);
    out.put(sum.sum);
    if (sum.named_topology)
      out.text(*sum.named_topology);
    else
      out.put(std::int16_t{-1});
  }
}

void readSums(Reader& in, std::vector<TaskOffsetSum>& sums) {
  const auto n = in.count(18);
  for (std::int32_t i = 0; i < n && in.ok(); ++i) {
    TaskOffsetSum sum;
    sum.task.subtopology = in.get<std::int32_t>();
    sum.task.partition = in.get<std::int32_t>();
    sum.sum = in.get<std::int64_t>();
    sum.named_topology = in.nullableText();
    sums.push_back(std::move(sum));
  }
}

/// The name is written in UTF-16 units; ours and Kafka's own are ASCII.
void writeTask(Writer& out, const AssignedTask& task, std::int32_t version) {
  out.put(task.id.subtopology);
  out.put(task.id.partition);
  if (version < 10) return;
  out.count(task.named_topology.size());
  for (const char c : task.named_topology)
    out.put(static_cast<std::uint16_t>(static_cast<unsigned char>(c)));
}

AssignedTask readTask(Reader& in, std::int32_t version) {
  AssignedTask task;
  task.id.subtopology = in.get<std::int32_t>();
  task.id.partition = in.get<std::int32_t>();
  const auto units = version >= 10 ? in.count(2) : 0;
  for (std::int32_t i = 0; i < units; ++i)
    task.named_topology += static_cast<char>(in.get<std::uint16_t>());
  return task;
}

using HostPartitions = std::map<HostInfo, std::vector<TopicPartitionName>>;

/// Topic names are written once; partitions refer to them by index.
std::map<std::string, std::int32_t> topicDictionary(const AssignmentInfo& info) {
  std::map<std::string, std::int32_t> dictionary;
  for (const HostPartitions* hosts : {&info.partitions_by_host, &info.standby_partitions_by_host}) {
    for (const auto& [host, partitions] : *hosts) {
      for (const auto& [topic, partition] : partitions) dictionary.try_emplace(topic, 0);
    }
  }
  std::int32_t next = 0;
  for (auto& [topic, index] : dictionary) index = next++;
  return dictionary;
}

void writeHosts(Writer& out, const HostPartitions& hosts,
                const std::map<std::string, std::int32_t>& dictionary) {
  out.count(hosts.size());
  for (const auto& [host, partitions] : hosts) {
    out.text(host.host);
    out.put(host.port);
    out.count(partitions.size());
    for (const auto& [topic, partition] : partitions) {
      out.put(dictionary.at(topic));
      out.put(partition);
    }
  }
}

Result<HostPartitions> readHosts(Reader& in,
                                 const std::map<std::int32_t, std::string>& dictionary) {
  HostPartitions hosts;
  const auto n = in.count(10);
  for (std::int32_t i = 0; i < n && in.ok(); ++i) {
    HostInfo host;
    host.host = in.text();
    host.port = in.get<std::int32_t>();
    auto& partitions = hosts[host];
    const auto count = in.count(8);
    for (std::int32_t p = 0; p < count && in.ok(); ++p) {
      const auto index = in.get<std::int32_t>();
      const auto topic = dictionary.find(index);
      if (topic == dictionary.end())
        return fail(Errc::kMalformed, "topic index not in the dictionary");
      partitions.emplace_back(topic->second, in.get<std::int32_t>());
    }
  }
  return hosts;
}

}  // namespace

Bytes encodeSubscriptionInfo(const SubscriptionInfo& info) {
  Writer out;
  out.put(info.version);
  out.put(info.latest_supported_version);
  out.put(info.process_id.high);
  out.put(info.process_id.low);
  out.bytes(info.user_end_point);
  auto sums = info.task_offset_sums;
  std::ranges::sort(sums, {}, &TaskOffsetSum::task);
  if (info.version >= 10)
    writeSums(out, sums);
  else
    writeGroupedSums(out, sums);
  if (info.version >= 8) out.put(info.unique_field);
  if (info.version >= 9) out.put(info.error_code);
  if (info.version < 11) return out.take();
  out.count(info.client_tags.size());
  for (const auto& [key, value] : info.client_tags) {
    out.bytes(key);
    out.bytes(value);
  }
  return out.take();
}

Result<SubscriptionInfo> decodeSubscriptionInfo(BytesView data) {
  Reader in(data);
  SubscriptionInfo info;
  info.version = in.get<std::int32_t>();
  MILLRACE_CHECK_OK(checkVersion(info.version, "subscription"));
  info.latest_supported_version = in.get<std::int32_t>();
  info.process_id = readUuid(in);
  info.user_end_point = in.bytes();
  if (info.version >= 10)
    readSums(in, info.task_offset_sums);
  else
    readGroupedSums(in, info.task_offset_sums);
  if (info.version >= 8) info.unique_field = in.get<std::int8_t>();
  if (info.version >= 9) info.error_code = in.get<std::int32_t>();
  const auto tags = info.version >= 11 ? in.count(8) : 0;
  for (std::int32_t i = 0; i < tags && in.ok(); ++i) {
    auto key = in.bytes();
    info.client_tags.emplace_back(std::move(key), in.bytes());
  }
  if (!in.ok()) return fail(Errc::kTruncated, "user data of a streams subscription ends early");
  return info;
}

Bytes encodeAssignmentInfo(const AssignmentInfo& info) {
  Writer out;
  out.put(info.version);
  out.put(info.commonly_supported_version);
  out.count(info.active.size());
  for (const AssignedTask& task : info.active) writeTask(out, task, info.version);
  out.count(info.standby.size());
  for (const auto& [task, partitions] : info.standby) {
    writeTask(out, task, info.version);
    out.count(partitions.size());
    for (const auto& [topic, partition] : partitions) {
      out.text(topic);
      out.put(partition);
    }
  }
  const auto dictionary = topicDictionary(info);
  out.count(dictionary.size());
  for (const auto& [topic, index] : dictionary) {
    out.put(index);
    out.text(topic);
  }
  writeHosts(out, info.partitions_by_host, dictionary);
  writeHosts(out, info.standby_partitions_by_host, dictionary);
  out.put(info.error_code);
  out.put(info.next_rebalance_ms);
  return out.take();
}

Result<AssignmentInfo> decodeAssignmentInfo(BytesView data) {
  Reader in(data);
  AssignmentInfo info;
  info.version = in.get<std::int32_t>();
  MILLRACE_CHECK_OK(checkVersion(info.version, "assignment"));
  info.commonly_supported_version = in.get<std::int32_t>();
  const auto active = in.count(8);
  for (std::int32_t i = 0; i < active && in.ok(); ++i)
    info.active.push_back(readTask(in, info.version));
  const auto standby = in.count(12);
  for (std::int32_t i = 0; i < standby && in.ok(); ++i) {
    auto& partitions = info.standby[readTask(in, info.version)];
    const auto count = in.count(6);
    for (std::int32_t p = 0; p < count && in.ok(); ++p) {
      auto topic = in.text();
      partitions.emplace_back(std::move(topic), in.get<std::int32_t>());
    }
  }
  std::map<std::int32_t, std::string> dictionary;
  const auto topics = in.count(6);
  for (std::int32_t i = 0; i < topics && in.ok(); ++i) {
    const auto index = in.get<std::int32_t>();
    dictionary[index] = in.text();
  }
  MILLRACE_TRY(info.partitions_by_host, readHosts(in, dictionary));
  MILLRACE_TRY(info.standby_partitions_by_host, readHosts(in, dictionary));
  info.error_code = in.get<std::int32_t>();
  info.next_rebalance_ms = in.get<std::int64_t>();
  if (!in.ok()) return fail(Errc::kTruncated, "user data of a streams assignment ends early");
  return info;
}

}  // namespace millrace::streams
