// A coroutine that must not end yet, although its gate closes.
#pragma once

#include <boost/asio/this_coro.hpp>

namespace millrace {

/// `co_await shielded();`: from here on the coroutine is not ended by its gate's closing. What
/// others do with its variables, by reference, is waited for in between; then unshielded().
[[nodiscard]] inline auto shielded() { return boost::asio::this_coro::throw_if_cancelled(false); }
[[nodiscard]] inline auto unshielded() { return boost::asio::this_coro::throw_if_cancelled(true); }

}  // namespace millrace
