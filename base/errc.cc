#include "base/errc.h"

#include "base/result.h"

namespace millrace {

namespace {

struct Row {
  std::string_view name;
  std::string_view message;
  bool retriable;
  bool refresh;
};

/// The row of a wire code; nullptr for others.
const Row* wireRow(Errc code) {
  switch (code) {
#define MILLRACE_ERROR(id, number, text, can_retry, must_refresh, sentence) \
  case Errc::id: {                                                          \
    static constexpr Row kRow{text, sentence, can_retry, must_refresh};     \
    return &kRow;                                                           \
  }
#include "base/errors.def"
#undef MILLRACE_ERROR
    default: return nullptr;
  }
}

struct InternalRow {
  std::string_view name;
  std::string_view message;
  Errc wire;
};

/// Internal codes with the wire code that a peer is told. A code without a case is a compiler
/// warning.
InternalRow internalRow(Errc code) {
  switch (code) {
    case Errc::kIo:
      return {"INTERNAL_IO", "A system call on a file failed.", Errc::kKafkaStorageError};
    case Errc::kDiskFull:
      return {"INTERNAL_DISK_FULL", "The disk is full.", Errc::kKafkaStorageError};
    case Errc::kCorruptData:
      return {"INTERNAL_CORRUPT_DATA", "Bytes on disk fail their check.", Errc::kCorruptMessage};
    case Errc::kTruncated:
      return {"INTERNAL_TRUNCATED", "The input ends before its value does.", Errc::kInvalidRequest};
    case Errc::kMalformed:
      return {"INTERNAL_MALFORMED", "The input breaks its format or a limit.",
              Errc::kInvalidRequest};
    case Errc::kClosed:
      return {"INTERNAL_CLOSED", "The object was closed.", Errc::kNetworkException};
    case Errc::kCancelled:
      return {"INTERNAL_CANCELLED", "The caller gave up.", Errc::kRequestTimedOut};
    case Errc::kTimeout:
      return {"INTERNAL_TIMEOUT", "A local deadline passed.", Errc::kRequestTimedOut};
    case Errc::kConfig:
      return {"INTERNAL_CONFIG", "A configuration value is not valid.", Errc::kInvalidConfig};
    case Errc::kNotFound:
      return {"INTERNAL_NOT_FOUND", "There is no such thing.", Errc::kResourceNotFound};
    case Errc::kUserCode:
      return {"INTERNAL_USER_CODE", "A plugin or a function of the user failed.",
              Errc::kUnknownServerError};
    case Errc::kState:
      return {"INTERNAL_STATE", "The call is not allowed in the present state.",
              Errc::kInvalidRequest};
    default:
      return {"UNKNOWN_CODE", "This build does not know the error code.",
              Errc::kUnknownServerError};
  }
}

}  // namespace

std::string_view errorName(Errc code) {
  const Row* row = wireRow(code);
  return row != nullptr ? row->name : internalRow(code).name;
}

std::string_view errorMessage(Errc code) {
  const Row* row = wireRow(code);
  return row != nullptr ? row->message : internalRow(code).message;
}

bool isRetriable(Errc code) {
  const Row* row = wireRow(code);
  return row != nullptr && row->retriable;
}

bool needsMetadataRefresh(Errc code) {
  const Row* row = wireRow(code);
  return row != nullptr && row->refresh;
}

Errc toWire(Errc code) { return wireRow(code) != nullptr ? code : internalRow(code).wire; }

Errc fromWire(std::int16_t code) {
  const Errc known{code};
  return wireRow(known) != nullptr ? known : Errc::kUnknownServerError;
}

std::string Error::toString() const {
  std::string text(errorName(code));
  text += ": ";
  text += detail.empty() ? errorMessage(code) : std::string_view(detail);
  return text;
}

}  // namespace millrace
