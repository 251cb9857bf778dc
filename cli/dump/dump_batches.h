// Files of record batches: .log, metadata snapshots.
#pragma once

#include "base/file.h"
#include "cli/dump/printer.h"
#include "cli/dump/record_decoder.h"

namespace millrace::cli {

/// Prints every batch and, where `records`, what is in it. Errors: kCorruptData where no batch
/// stands (nothing behind it can be found), and at the end where a batch was damaged in itself.
[[nodiscard]] Status dumpBatches(const File& file, Decoding decoding, bool records,
                                 const Printer& printer);

}  // namespace millrace::cli
