// The one error system: a Result<T> holds a T or an Error with a code and a sentence.
#pragma once

#include "base/errc.h"

#include <expected>
#include <string>
#include <utility>

namespace millrace {

/// What went wrong: a code that programs switch on, and a sentence for people that names the thing
/// concerned.
struct Error {
  Errc code = Errc::kUnknownServerError;
  std::string detail;

  /// "NOT_LEADER_OR_FOLLOWER: partition orders-3 moved to broker 2".
  [[nodiscard]] std::string toString() const;
  friend bool operator==(const Error& a, const Error& b) {
    return a.code == b.code && a.detail == b.detail;
  }
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

/// `return fail(Errc::kInvalidRequest, "the array has -3 elements");`
[[nodiscard]] inline std::unexpected<Error> fail(Errc code, std::string detail = {}) {
  return std::unexpected<Error>(Error{code, std::move(detail)});
}

}  // namespace millrace

#define MILLRACE_CAT2(a, b) a##b
#define MILLRACE_CAT(a, b) MILLRACE_CAT2(a, b)
#define MILLRACE_TRY_IMPL(tmp, ret, decl, ...)           \
  auto tmp = (__VA_ARGS__);                              \
  if (!tmp) ret std::unexpected(std::move(tmp).error()); \
  decl = std::move(*tmp)

/// `MILLRACE_TRY(const Offset end, log.append(batch));` returns the error from the enclosing
/// function.
#define MILLRACE_TRY(decl, ...) \
  MILLRACE_TRY_IMPL(MILLRACE_CAT(try_, __LINE__), return, decl, __VA_ARGS__)
/// The same inside a coroutine: the expression may be `co_await f(x)`.
#define MILLRACE_CO_TRY(decl, ...) \
  MILLRACE_TRY_IMPL(MILLRACE_CAT(try_, __LINE__), co_return, decl, __VA_ARGS__)
/// For a Status: `MILLRACE_CHECK_OK(file.sync());`
#define MILLRACE_CHECK_OK(...)                                        \
  do {                                                                \
    auto status_ = (__VA_ARGS__);                                     \
    if (!status_) return std::unexpected(std::move(status_).error()); \
  } while (0)
#define MILLRACE_CO_CHECK_OK(...)                                        \
  do {                                                                   \
    auto status_ = (__VA_ARGS__);                                        \
    if (!status_) co_return std::unexpected(std::move(status_).error()); \
  } while (0)
