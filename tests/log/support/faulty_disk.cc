#include "tests/log/support/faulty_disk.h"

#include <algorithm>
#include <cstring>

namespace millrace::log::test {
namespace {

std::string directoryOf(const std::string& path) { return path.substr(0, path.rfind('/')); }
std::string nameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::unexpected<Error> missing(const std::string& path) {
  return fail(Errc::kNotFound, path + ": No such file or directory");
}

}  // namespace

std::string FaultyDisk::describe(const std::string& directory, const NameChange& change) {
  std::string out = "names in " + directory + ":";
  for (const auto& [name, node] : change) out += (node == nullptr ? " -" : " +") + name;
  return out;
}

class FaultyDisk::OpenFile final : public File {
 public:
  OpenFile(FaultyDisk& disk, NodePtr node, std::string path)
      : disk_(disk), node_(std::move(node)), path_(std::move(path)), born_(disk.generation_) {}

  Result<std::size_t> read(std::uint64_t position, char* out, std::size_t size) const override {
    const std::lock_guard lock(disk_.mutex_);
    MILLRACE_CHECK_OK(usable());
    MILLRACE_CHECK_OK(disk_.alive(DiskCall::kRead));
    if (position >= node_->cached.size()) return 0;
    const std::size_t n = std::min<std::size_t>(size, node_->cached.size() - position);
    std::memcpy(out, node_->cached.data() + position, n);
    return n;
  }
  Status write(std::uint64_t position, std::span<const BytesView> slices) override {
    const std::lock_guard lock(disk_.mutex_);
    MILLRACE_CHECK_OK(usable());
    return disk_.writeNode(*node_, path_, position, slices);
  }
  Status sync() override {
    const std::lock_guard lock(disk_.mutex_);
    MILLRACE_CHECK_OK(usable());
    return disk_.syncNode(*node_, path_);
  }
  Result<bool> syncFileSystem() override {
    const std::lock_guard lock(disk_.mutex_);
    MILLRACE_CHECK_OK(usable());
    MILLRACE_CHECK_OK(disk_.syncTree());
    return true;
  }
  Status truncate(std::uint64_t size) override {
    const std::lock_guard lock(disk_.mutex_);
    MILLRACE_CHECK_OK(usable());
    return disk_.truncateNode(*node_, path_, size);
  }
  Result<std::uint64_t> size() const override {
    const std::lock_guard lock(disk_.mutex_);
    MILLRACE_CHECK_OK(usable());
    return node_->cached.size();
  }
  Result<std::string> stamp() const override {
    const std::lock_guard lock(disk_.mutex_);
    MILLRACE_CHECK_OK(usable());
    return std::to_string(node_->stamp);
  }
  int fd() const override { return -1; }
  const std::string& path() const override { return path_; }

 private:
  Status usable() const {
    if (born_ == disk_.generation_) return {};
    return fail(Errc::kIo, path_ + ": opened before the restart");
  }

  FaultyDisk& disk_;
  NodePtr node_;
  std::string path_;
  std::uint64_t born_;
};

// Faults.

void FaultyDisk::crashAfter(std::uint64_t changes) {
  const std::lock_guard lock(mutex_);
  crash_at_ = changes_ + changes;
}

bool FaultyDisk::crashed() const {
  const std::lock_guard lock(mutex_);
  return crashed_;
}

void FaultyDisk::restart(Restart how) {
  const std::lock_guard lock(mutex_);
  if (how == Restart::kPower) settle(*root_);
  ++generation_;
  crash_at_ = space_left_ = kNever;
  fail_after_.clear();
  crashed_ = read_only_ = fault_met_ = false;
}

void FaultyDisk::failAfter(DiskCall call, std::uint64_t calls) {
  const std::lock_guard lock(mutex_);
  fail_after_[call] = calls;
}

void FaultyDisk::limitSpace(std::uint64_t bytes_left) {
  const std::lock_guard lock(mutex_);
  space_left_ = bytes_left;
}

void FaultyDisk::setReadOnly(bool read_only) {
  const std::lock_guard lock(mutex_);
  read_only_ = read_only;
}

bool FaultyDisk::faultMet() const {
  const std::lock_guard lock(mutex_);
  return fault_met_;
}

Status FaultyDisk::alive(DiskCall call) {
  if (crashed_) return fail(Errc::kIo, "the machine is down");
  const auto counted = fail_after_.find(call);
  if (counted == fail_after_.end() || counted->second-- > 0) return {};
  fail_after_.erase(counted);
  fault_met_ = true;
  return fail(Errc::kIo, "Input/output error (injected)");
}

FaultyDisk::Go FaultyDisk::decide(DiskCall call, Status& outcome) {
  const bool was_down = crashed_;
  outcome = alive(call);
  if (!outcome) return !was_down && random_.below(2) == 0 ? Go::kPart : Go::kNot;
  if (read_only_) {
    fault_met_ = true;
    outcome = fail(Errc::kIo, "Read-only file system (injected)");
    return Go::kNot;
  }
  if (changes_++ < crash_at_) return Go::kWhole;
  crashed_ = true;
  outcome = fail(Errc::kIo, "the power failed");
  return random_.below(3) == 0 ? Go::kNot : Go::kPart;
}

FaultyDisk::Go FaultyDisk::begin(DiskCall call, const std::string& what, Status& outcome) {
  const bool was_down = crashed_;
  const Go go = decide(call, outcome);
  if (trace_ != nullptr && !was_down)
    std::fprintf(trace_, "  %s: %s\n", what.c_str(),
                 outcome ? "done" : outcome.error().detail.c_str());
  return go;
}

// Names.

FaultyDisk::NodePtr FaultyDisk::find(const std::string& path) const {
  NodePtr node = root_;
  std::size_t from = 1;
  while (node != nullptr && from < path.size()) {
    const std::size_t end = std::min(path.find('/', from), path.size());
    const auto found = node->names.find(path.substr(from, end - from));
    node = found == node->names.end() ? nullptr : found->second;
    from = end + 1;
  }
  return node;
}

FaultyDisk::NodePtr FaultyDisk::parentOf(const std::string& path) const {
  return find(directoryOf(path));
}

Status FaultyDisk::changeNames(const std::string& directory, NameChange change) {
  Status outcome;
  const Go go = begin(DiskCall::kNames, describe(directory, change), outcome);
  // A change of names is whole or not at all; its caller may hear of an error all the same.
  if (go == Go::kNot || (go == Go::kPart && !crashed_)) return outcome;
  const NodePtr parent = find(directory);
  for (const auto& [name, node] : change) {
    if (node == nullptr) {
      parent->names.erase(name);
    } else {
      parent->names[name] = node;
    }
  }
  parent->changes.push_back(std::move(change));
  return outcome;
}

Result<std::shared_ptr<File>> FaultyDisk::open(const std::string& path, OpenMode mode) {
  const std::lock_guard lock(mutex_);
  if (crashed_) return fail(Errc::kIo, "the machine is down");
  NodePtr node = find(path);
  if (node == nullptr) {
    if (mode != OpenMode::kCreate || parentOf(path) == nullptr) return missing(path);
    node = std::make_shared<Node>();
    MILLRACE_CHECK_OK(changeNames(directoryOf(path), {{nameOf(path), node}}));
  }
  return std::make_shared<OpenFile>(*this, node, path);
}

Result<std::vector<std::string>> FaultyDisk::list(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  MILLRACE_CHECK_OK(alive(DiskCall::kRead));
  const NodePtr node = find(directory);
  if (node == nullptr) return missing(directory);
  std::vector<std::string> out;
  for (const auto& [name, child] : node->names) out.push_back(name);
  return out;
}

Status FaultyDisk::createDirectories(const std::string& path) {
  const std::lock_guard lock(mutex_);
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (find(part) == nullptr)
      MILLRACE_CHECK_OK(changeNames(
          directoryOf(part), {{nameOf(part), std::make_shared<Node>(Node{.directory = true})}}));
    if (end == std::string::npos) return {};
  }
}

Status FaultyDisk::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (crashed_) return fail(Errc::kIo, "the machine is down");
  if (find(path) == nullptr) return missing(path);
  return changeNames(directoryOf(path), {{nameOf(path), nullptr}});
}

Status FaultyDisk::removeTree(const std::string& path) {
  const NodePtr node = find(path);
  if (node == nullptr) return {};
  const Names children = node->names;
  for (const auto& [name, child] : children) MILLRACE_CHECK_OK(removeTree(path + "/" + name));
  return changeNames(directoryOf(path), {{nameOf(path), nullptr}});
}

Status FaultyDisk::removeAll(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return removeTree(path);
}

Status FaultyDisk::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  if (crashed_) return fail(Errc::kIo, "the machine is down");
  const NodePtr node = find(from);
  if (node == nullptr) return missing(from);
  if (directoryOf(from) != directoryOf(to)) return fail(Errc::kIo, "a rename across directories");
  return changeNames(directoryOf(from), {{nameOf(from), nullptr}, {nameOf(to), node}});
}

Status FaultyDisk::syncDirectory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  Status outcome;
  const Go go = begin(DiskCall::kSync, "sync directory " + path, outcome);
  const NodePtr node = find(path);
  if (outcome && node == nullptr) return missing(path);
  if (go != Go::kWhole || node == nullptr) return outcome;
  node->synced_names = node->names;
  node->changes.clear();
  return {};
}

Result<bool> FaultyDisk::exists(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (crashed_) return fail(Errc::kIo, "the machine is down");
  return find(path) != nullptr;
}

Result<Bytes> FaultyDisk::readAll(const std::string& path, std::size_t limit) {
  const std::lock_guard lock(mutex_);
  MILLRACE_CHECK_OK(alive(DiskCall::kRead));
  const NodePtr node = find(path);
  if (node == nullptr) return missing(path);
  if (node->cached.size() > limit) return fail(Errc::kMalformed, path + " is too large");
  return node->cached;
}

Status FaultyDisk::writeAtomically(const std::string& path, BytesView content) {
  const std::string temporary = path + ".tmp";
  {
    MILLRACE_TRY(const auto file, open(temporary, OpenMode::kCreate));
    MILLRACE_CHECK_OK(file->truncate(0));
    MILLRACE_CHECK_OK(file->write(0, std::span(&content, 1)));
    MILLRACE_CHECK_OK(file->sync());
  }
  MILLRACE_CHECK_OK(rename(temporary, path));
  return syncDirectory(directoryOf(path));
}

// Bytes.

Status FaultyDisk::writeNode(Node& node, const std::string& path, std::uint64_t position,
                             std::span<const BytesView> slices) {
  Bytes all;
  for (const BytesView slice : slices) all += slice;
  Status outcome;
  const Go go =
      begin(DiskCall::kWrite,
            "write " + path + " " + std::to_string(position) + " +" + std::to_string(all.size()),
            outcome);
  if (go == Go::kNot) return outcome;
  if (go == Go::kPart) all.resize(upTo(all.size()));
  if (all.size() > space_left_) {
    all.resize(space_left_);
    fault_met_ = true;
    outcome = fail(Errc::kDiskFull, "cannot write " + path + ": No space left (injected)");
  }
  if (space_left_ != kNever) space_left_ -= all.size();
  if (all.empty()) return outcome;
  node.stamp = ++last_stamp_;
  if (node.cached.size() < position + all.size()) node.cached.resize(position + all.size());
  std::memcpy(node.cached.data() + position, all.data(), all.size());
  for (std::size_t page = position / kPage; page * kPage < position + all.size(); ++page)
    node.dirty.insert(page);
  if (random_.below(16) == 0) writeBackSomething(node);
  return outcome;
}

Status FaultyDisk::truncateNode(Node& node, const std::string& path, std::uint64_t size) {
  Status outcome;
  const Go go =
      begin(DiskCall::kWrite, "truncate " + path + " to " + std::to_string(size), outcome);
  if (go != Go::kWhole && (go == Go::kNot || !crashed_)) return outcome;
  if (size > node.cached.size())
    for (std::size_t page = node.cached.size() / kPage; page * kPage < size; ++page)
      node.dirty.insert(page);
  node.cached.resize(size);
  node.stamp = ++last_stamp_;
  std::erase_if(node.dirty, [size](std::size_t page) { return page * kPage >= size; });
  return outcome;
}

void FaultyDisk::storeNode(Node& node) {
  node.synced = node.cached;
  node.dirty.clear();
}

/// What could not be written is forgotten: reads see the platter again, holes as zeros.
void FaultyDisk::losePages(Node& node) {
  for (const std::size_t page : node.dirty) {
    const std::size_t at = page * kPage;
    const std::size_t n = std::min(kPage, node.cached.size() - at);
    std::memset(node.cached.data() + at, 0, n);
    if (at < node.synced.size())
      std::memcpy(node.cached.data() + at, node.synced.data() + at,
                  std::min(n, node.synced.size() - at));
  }
  node.dirty.clear();
}

Status FaultyDisk::syncNode(Node& node, const std::string& path) {
  Status outcome;
  const Go go = begin(DiskCall::kSync, "sync " + path, outcome);
  if (crashed_) return outcome;
  if (go == Go::kWhole) {
    storeNode(node);
  } else {
    losePages(node);
  }
  return outcome;
}

Status FaultyDisk::syncTree() {
  Status outcome;
  const Go go = begin(DiskCall::kSync, "sync the file system", outcome);
  // Of what a power failure interrupts, settle() keeps this and that.
  if (!crashed_) storeTree(*root_, go);
  return outcome;
}

void FaultyDisk::storeTree(Node& node, Go go) {
  if (!node.directory) {
    const bool stored = go == Go::kWhole || (go == Go::kPart && random_.below(2) == 0);
    return stored ? storeNode(node) : losePages(node);
  }
  for (const auto& [name, child] : node.names) storeTree(*child, go);
  if (go != Go::kWhole) return;
  node.synced_names = node.names;
  node.changes.clear();
}

void FaultyDisk::storePage(Node& node, std::size_t page, std::size_t bytes) {
  const std::size_t at = page * kPage;
  if (at >= node.cached.size()) return;
  const std::size_t n = std::min(bytes, node.cached.size() - at);
  if (node.synced.size() < at + n) node.synced.resize(at + n);
  std::memcpy(node.synced.data() + at, node.cached.data() + at, n);
}

/// The kernel writes dirty pages back whenever it likes: so versions in between reach the platter.
void FaultyDisk::writeBackSomething(Node& node) {
  if (node.dirty.empty()) return;
  auto page = node.dirty.begin();
  std::advance(page, static_cast<std::ptrdiff_t>(random_.below(node.dirty.size())));
  storePage(node, *page, kPage);
}

void FaultyDisk::settleFile(Node& node) {
  const std::size_t low = std::min(node.synced.size(), node.cached.size());
  const std::size_t high = std::max(node.synced.size(), node.cached.size());
  const std::size_t current = node.cached.size();
  const std::uint64_t keep_of_four = upTo(4);
  for (const std::size_t page : node.dirty) {
    if (random_.below(4) >= keep_of_four) continue;
    const bool torn = random_.below(8) == 0;
    storePage(node, page, torn ? upTo(kPage / kSector) * kSector : kPage);
  }
  node.dirty.clear();
  // The size is metadata of its own: the old one, the new one, or one that held in between.
  const std::uint64_t choice = random_.below(4);
  const std::size_t size = choice == 0 ? low : choice == 1 ? low + upTo(high - low) : current;
  node.synced.resize(size);
  node.cached = node.synced;
}

void FaultyDisk::settle(Node& node) {
  if (!node.directory) return settleFile(node);
  const std::size_t kept = random_.below(2) == 0 ? node.changes.size() : upTo(node.changes.size());
  for (std::size_t i = 0; i < kept; ++i) {
    for (const auto& [name, child] : node.changes[i]) {
      if (child == nullptr) {
        node.synced_names.erase(name);
      } else {
        node.synced_names[name] = child;
      }
    }
  }
  node.changes.clear();
  node.names = node.synced_names;
  for (const auto& [name, child] : node.names) settle(*child);
}

// Damage.

void FaultyDisk::flipBit(const std::string& path, std::uint64_t bit) {
  const std::lock_guard lock(mutex_);
  const NodePtr node = find(path);
  for (Bytes* bytes : {&node->cached, &node->synced})
    if (bit / 8 < bytes->size())
      (*bytes)[bit / 8] = static_cast<char>((*bytes)[bit / 8] ^ (1 << (bit % 8)));
}

void FaultyDisk::overwrite(const std::string& path, std::uint64_t position, BytesView bytes) {
  const std::lock_guard lock(mutex_);
  const NodePtr node = find(path);
  for (Bytes* to : {&node->cached, &node->synced})
    if (position + bytes.size() <= to->size())
      std::memcpy(to->data() + position, bytes.data(), bytes.size());
}

void FaultyDisk::cut(const std::string& path, std::uint64_t size) {
  const std::lock_guard lock(mutex_);
  const NodePtr node = find(path);
  for (Bytes* bytes : {&node->cached, &node->synced})
    if (size < bytes->size()) bytes->resize(size);
  std::erase_if(node->dirty, [size](std::size_t page) { return page * kPage >= size; });
}

void FaultyDisk::erase(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const NodePtr parent = parentOf(path);
  parent->names.erase(nameOf(path));
  parent->synced_names.erase(nameOf(path));
}

std::uint64_t FaultyDisk::changes() const {
  const std::lock_guard lock(mutex_);
  return changes_;
}

void FaultyDisk::collect(const Node& node, const std::string& path, std::vector<std::string>& out) {
  for (const auto& [name, child] : node.names) {
    if (child->directory) {
      collect(*child, path + "/" + name, out);
    } else {
      out.push_back(path + "/" + name);
    }
  }
}

std::vector<std::string> FaultyDisk::filesBelow(const std::string& directory) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  if (const NodePtr node = find(directory)) collect(*node, directory, out);
  return out;
}

}  // namespace millrace::log::test
