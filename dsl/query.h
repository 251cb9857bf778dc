// Interactive queries: `streams.store<std::string, Revenue>("revenue").get("eu")`.
#pragma once

#include "dsl/table_store.h"
#include "streams/runtime/streams.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace millrace {

/// The local part of a table: what the tasks of this instance hold, cached updates included. Each
/// call runs on the tasks' own threads between two records, so it sees no half-processed record.
/// The Streams must outlive it. Keys of windowed tables are Windowed<K>.
template <class K, class V>
class QueryableStore {
 public:
  QueryableStore(const Streams& streams, std::string name)
      : streams_(&streams), name_(std::move(name)) {}

  /// nullopt where no local task has the key. Errors: of Streams::query; kState where the types are
  /// others.
  [[nodiscard]] Result<std::optional<V>> get(const K& key) const {
    std::optional<V> value;
    MILLRACE_CHECK_OK(visit([&](dsl::TableStore<K, V>& store) {
      const dsl::Row<V> row = store.get(key);
      if (row.value != nullptr) value = *row.value;
    }));
    return value;
  }

  /// Every local row, in no order.
  [[nodiscard]] Result<std::vector<std::pair<K, V>>> all() const {
    std::vector<std::pair<K, V>> rows;
    Status read;
    MILLRACE_CHECK_OK(visit([&](dsl::TableStore<K, V>& store) {
      const Status status = store.forEach(
          [&](const K& key, const V& value, Millis) { rows.emplace_back(key, value); });
      if (!status) read = status;
    }));
    MILLRACE_CHECK_OK(read);
    return rows;
  }

 private:
  template <class Each>
  [[nodiscard]] Status visit(const Each& each) const {
    bool typed = true;
    MILLRACE_CHECK_OK(streams_->query(name_, [&](streams::TaskId, streams::TaskStore& store) {
      auto* const table = dynamic_cast<dsl::TableStore<K, V>*>(&store);
      if (table != nullptr)
        each(*table);
      else
        typed = false;
    }));
    if (!typed) return fail(Errc::kState, "store " + name_ + " holds other types");
    return {};
  }

  const Streams* streams_;
  std::string name_;
};

template <class K, class V>
QueryableStore<K, V> Streams::store(std::string name) const {
  return QueryableStore<K, V>(*this, std::move(name));
}

}  // namespace millrace
