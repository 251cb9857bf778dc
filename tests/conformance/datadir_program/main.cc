// conformance_datadir ARCHIVE JSONL: unpacks a data directory that Apache Kafka wrote, reads every
// file in it, opens it (as it was left, then as after a crash) and compares all with the JSON
// lines. One line per difference, then "N passed, M failed".
#include "base/bytes.h"
#include "tests/conformance/datadir_program/files.h"
#include "tests/conformance/datadir_program/partitions.h"
#include "tests/support/temp_dir.h"

#include <boost/json/parse.hpp>
#include <zlib.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace millrace::conformance {
namespace {

std::vector<boost::json::object> readLines(const std::string& path) {
  std::vector<boost::json::object> lines;
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return lines;
  Bytes text;
  char chunk[1 << 16];
  for (int n = 0; (n = gzread(file, chunk, sizeof chunk)) > 0;)
    text.append(chunk, static_cast<std::size_t>(n));
  gzclose(file);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) lines.push_back(boost::json::parse(text.substr(at, end - at)).as_object());
    at = end + 1;
  }
  return lines;
}

/// A fresh copy of the archive's content; removed with the object.
class Unpacked {
 public:
  explicit Unpacked(const std::string& archive) {
    const std::string command = "tar xzf '" + archive + "' -C '" + path() + "'";
    ok_ = std::system(command.c_str()) ==
          0;  // NOLINT(cert-env33-c): a test tool unpacking its argument
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] const std::string& path() const { return directory_.path(); }

 private:
  millrace::TempDir directory_;
  bool ok_ = false;
};

int run(const std::string& archive, const std::string& jsonl) {
  const auto lines = readLines(jsonl);
  if (lines.empty()) {
    fmt::print(stderr, "{} holds no lines\n", jsonl);
    return 2;
  }
  std::vector<Case> cases;
  for (const Opening opening : {Opening::kClean, Opening::kCrashed}) {
    const Unpacked copy(archive);
    if (!copy.ok()) {
      fmt::print(stderr, "{} does not unpack\n", archive);
      return 2;
    }
    if (opening == Opening::kClean) {
      for (const auto& line : lines) {
        Case& one = cases.emplace_back(std::string(line.at("file").as_string()));
        checkFile(copy.path(), line, one);
      }
    }
    for (Case& one : checkPartitions(copy.path(), lines, opening)) cases.push_back(std::move(one));
  }
  int failed = 0;
  for (const Case& one : cases) {
    for (const std::string& difference : one.differences()) fmt::print("{}\n", difference);
    if (!one.differences().empty()) ++failed;
  }
  fmt::print("{} passed, {} failed\n", static_cast<int>(cases.size()) - failed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace millrace::conformance

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: {} ARCHIVE.tar.gz FILE.jsonl[.gz]\n", argv[0]);
    return 2;
  }
  return millrace::conformance::run(argv[1], argv[2]);
}
