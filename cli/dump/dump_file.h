// What stands in the files of a data directory, one after the other.
#pragma once

#include "base/result.h"
#include "cli/dump/printer.h"
#include "cli/dump/record_decoder.h"

#include <string>
#include <vector>

namespace millrace::cli {

struct DumpOptions {
  bool json = false;
  /// Records too, not only batches.
  bool records = false;
  Decoding decoding = Decoding::kAuto;
};

/// The file itself; of a directory the files of a log that it or its sub-directories hold, by name.
/// Errors: kNotFound, kIo.
[[nodiscard]] Result<std::vector<std::string>> filesBelow(const std::string& path);
/// Prints one file; what it is, its name says. Errors: kConfig for a name that no file of a log
/// has; kCorruptData, with file and position, after everything that could be read was printed; kIo.
[[nodiscard]] Status dumpFile(const std::string& path, const DumpOptions& options,
                              const LineSink& sink);

}  // namespace millrace::cli
