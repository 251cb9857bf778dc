#include "tests/fuzz/support/seeds.h"

#include "base/file.h"
#include "record/batch.h"
#include "tests/fuzz/support/targets.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>

namespace millrace::fuzz {
namespace {

namespace fs = std::filesystem;

/// All files of the archive by path.
const std::map<std::string, Bytes>& archive() {
  static const std::map<std::string, Bytes> files = [] {
    std::string name = (fs::temp_directory_path() / "millrace-seeds-XXXXXX").string();
    std::map<std::string, Bytes> out;
    if (::mkdtemp(name.data()) == nullptr) return out;
    const std::string command =
        "tar xzf " MILLRACE_SOURCE_DIR "/tests/data/kafka_data_dir/data-dir.tar.gz -C " + name;
    if (std::system(command.c_str()) == 0)
      for (const auto& entry : fs::recursive_directory_iterator(name))
        if (entry.is_regular_file())
          if (auto bytes = systemFiles().readAll(entry.path().string()))
            out[entry.path().string().substr(name.size())] = std::move(*bytes);
    std::error_code ignored;
    fs::remove_all(name, ignored);
    return out;
  }();
  return files;
}

}  // namespace

std::vector<Bytes> kafkaFiles(const std::vector<std::string>& endings, std::size_t limit) {
  std::vector<Bytes> out;
  for (const auto& [path, bytes] : archive())
    if (std::ranges::any_of(endings, [&](const auto& e) { return path.ends_with(e); }) &&
        !bytes.empty())
      out.push_back(bytes.substr(0, limit));
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::vector<Bytes> kafkaBatches() {
  std::vector<Bytes> out;
  std::map<int, int> of_kind;
  for (const auto& [path, bytes] : archive()) {
    if (!path.ends_with(".log")) continue;
    record::BatchIterator walk(bytes);
    record::BatchView batch;
    std::size_t before = 0;
    while (walk.next(batch)) {
      // A few of each codec, timestamp type and kind: attributes tell them apart.
      if (of_kind[batch.attributes()]++ < 4 && batch.sizeInBytes() < 2000)
        out.push_back(bytes.substr(before, walk.position() - before));
      if (of_kind[-1 - batch.attributes()]++ % 40 == 0)
        out.push_back(bytes.substr(before, 2 * batch.sizeInBytes()));
      before = walk.position();
    }
  }
  return out;
}

std::vector<Bytes> prefixed(const std::vector<Bytes>& inputs, const std::vector<Bytes>& prefixes) {
  std::vector<Bytes> out;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    out.push_back(prefixes[i % prefixes.size()] + inputs[i]);
  return out;
}

std::vector<Bytes> batchSeeds() {
  return prefixed(kafkaBatches(), {Bytes(1, '\0'), Bytes(1, '\x80'), Bytes(1, '\x15')});
}

std::vector<Bytes> indexSeeds() {
  const Bytes size("\x2f\xff", 2);
  auto out = prefixed(kafkaFiles({".index"}, 400), {Bytes(1, '\0') + size});
  for (auto& seed : prefixed(kafkaFiles({".timeindex"}, 400), {Bytes(1, '\1') + size}))
    out.push_back(std::move(seed));
  for (auto& seed : prefixed(kafkaFiles({".txnindex"}), {Bytes(1, '\2') + size}))
    out.push_back(std::move(seed));
  return out;
}

std::vector<Bytes> snapshotSeeds() {
  return prefixed(kafkaFiles({".snapshot"}), {Bytes(1, '\0'), Bytes(1, '\1')});
}

std::vector<Bytes> checkpointSeeds() {
  std::vector<Bytes> out;
  const std::pair<char, std::vector<std::string>> kinds[] = {{'\0', {"-checkpoint"}},
                                                             {'\1', {"leader-epoch-checkpoint"}},
                                                             {'\2', {"meta.properties"}},
                                                             {'\3', {"partition.metadata"}},
                                                             {'\4', {"-offset-checkpoint"}}};
  for (const auto& [kind, endings] : kinds)
    for (auto& seed : prefixed(kafkaFiles(endings, 600), {Bytes(1, kind)}))
      out.push_back(std::move(seed));
  for (const char* name : {"00000000000000000527.log.swap", "orders-0", "a-b.c-12-delete"})
    out.push_back(Bytes(1, '\5') + name);
  return out;
}

std::vector<Bytes> segmentSeeds() {
  return prefixed(kafkaFiles({".log"}, 3000),
                  {Bytes("\0\0", 2), Bytes("\1\0", 2), Bytes("\4\x20", 2), Bytes("\2\0", 2),
                   Bytes("\x18\0", 2)});
}

}  // namespace millrace::fuzz
