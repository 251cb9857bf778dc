#include "log/check/check.h"

#include "log/check/checkpoint_text.h"
#include "log/check/partition_check.h"
#include "log/log_manager.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::log {
namespace {

using detail::Claims;
using detail::PartitionCheck;
using detail::Report;

constexpr std::string_view kBootstrapSnapshot = "bootstrap.checkpoint";

/// What the files of a data directory say about all logs in it.
struct DirectoryClaims {
  bool clean = false;
  OffsetMap log_starts;
  OffsetMap recovery_points;
  OffsetMap high_watermarks;
  OffsetMap cleaned_to;

  [[nodiscard]] static Offset at(const OffsetMap& map, const TopicPartition& tp) {
    const auto found = map.find(tp);
    return found == map.end() ? Offset{0} : found->second;
  }
};

std::string join(const std::string& directory, std::string_view name) {
  return fmt::format("{}{}{}", directory, directory.ends_with('/') ? "" : "/", name);
}

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

DirectoryClaims readClaims(FileSystem& files, const std::string& directory,
                           const std::vector<std::string>& names, Report& report) {
  const auto read = [&](std::string_view name) {
    return detail::readOffsetsStrictly(files, join(directory, name), report);
  };
  return {.clean = has(names, kCleanShutdown),
          .log_starts = read(kLogStarts),
          .recovery_points = read(kRecoveryPoints),
          .high_watermarks = read(kHighWatermarks),
          .cleaned_to = read(kCleanerOffsets)};
}

Claims claimsFor(const DirectoryClaims& all, const TopicPartition& tp) {
  return {.clean = all.clean,
          .log_start = DirectoryClaims::at(all.log_starts, tp),
          .recovery_point = DirectoryClaims::at(all.recovery_points, tp),
          .cleaned_to = DirectoryClaims::at(all.cleaned_to, tp)};
}

/// The partition of a log's directory; those that are moved or were found astray, too:
/// "orders-3.<32 characters>-future".
std::optional<TopicPartition> partitionOf(std::string_view name) {
  if (auto plain = parseLogDirectory(name)) return plain;
  if (!name.ends_with("-future") && !name.ends_with("-stray")) return std::nullopt;
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? std::nullopt : parseLogDirectory(name.substr(0, dot));
}

/// No checkpoint may lie above the end of its log: what it stands for would be lost.
void checkEnds(const std::string& directory, const DirectoryClaims& claims,
               const TopicPartition& tp, Offset end, Report& report) {
  const std::pair<std::string_view, const OffsetMap&> kinds[] = {
      {kRecoveryPoints, claims.recovery_points},
      {kLogStarts, claims.log_starts},
      {kHighWatermarks, claims.high_watermarks},
      {kCleanerOffsets, claims.cleaned_to}};
  for (const auto& [name, map] : kinds)
    if (const Offset offset = DirectoryClaims::at(map, tp); offset > end)
      report.problem(join(directory, name), std::nullopt,
                     fmt::format("{} is at {}, behind the end of its log, {}", tp.toString(),
                                 offset.value(), end.value()));
}

/// After a clean stop the checkpoints name what is there, and nothing else that has records.
void checkMissing(const std::string& path, const DirectoryClaims& claims,
                  const std::vector<std::string>& names, Report& report) {
  if (!claims.clean) return;
  for (const auto& [tp, offset] : claims.recovery_points)
    if (offset > Offset{0} && !has(names, tp.toString()))
      report.problem(join(path, kRecoveryPoints), std::nullopt,
                     fmt::format("{} is at {}, but is not there", tp.toString(), offset.value()));
}

void checkDataDirectory(FileSystem& files, const std::string& path,
                        const std::vector<std::string>& names, Report& report) {
  const auto meta = readMetaProperties(files, path);
  const std::string meta_path = join(path, "meta.properties");
  if (!meta)
    report.problem(meta_path, std::nullopt, meta.error());
  else if (!*meta)
    report.problem(meta_path, std::nullopt, "is missing: no broker has formatted this directory");
  const DirectoryClaims claims = readClaims(files, path, names, report);
  checkMissing(path, claims, names, report);
  if (has(names, kBootstrapSnapshot))
    detail::checkBatchFile(files, join(path, kBootstrapSnapshot), false, report);
  for (const std::string& name : names) {
    const auto tp = partitionOf(name);
    if (!tp) continue;
    const auto end = PartitionCheck(files, join(path, name), claimsFor(claims, *tp), report).run();
    if (end && parseLogDirectory(name)) checkEnds(path, claims, *tp, *end, report);
  }
}

/// A log alone: what its data directory says of it counts all the same.
void checkOneLog(FileSystem& files, std::string path, Report& report) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  const std::size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash);
  Claims claims;
  const auto tp = partitionOf(slash == std::string::npos ? path : path.substr(slash + 1));
  const auto names = files.list(parent);
  if (tp && names) {
    const ProblemSink ignore = [](const Problem&) {};
    Report others(ignore);
    claims = claimsFor(readClaims(files, parent, *names, others), *tp);
  }
  PartitionCheck(files, path, claims, report).run();
}

}  // namespace

Result<CheckTotals> checkLogs(FileSystem& files, const std::string& path, const ProblemSink& sink) {
  MILLRACE_TRY(auto names, files.list(path));
  std::ranges::sort(names);
  Report report(sink);
  const bool one_log = std::ranges::any_of(names, [](const std::string& name) {
    const auto parsed = parseFileName(name);
    return name == kPartitionMetadata || (parsed && parsed->kind == FileKind::kLog);
  });
  if (one_log)
    checkOneLog(files, path, report);
  else
    checkDataDirectory(files, path, names, report);
  return report.totals;
}

}  // namespace millrace::log
