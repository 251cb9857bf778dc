// The coroutine, socket and timer types of the whole house, all on one concrete executor: no type
// erasure between a coroutine and its thread. The only place that names Asio's generic parts.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>

namespace millrace {

using IoContext = boost::asio::io_context;
using Executor = IoContext::executor_type;
using ErrorCode = boost::system::error_code;
using SteadyTime = std::chrono::steady_clock::time_point;

/// A lazily started coroutine: runs when awaited (or spawned), on the executor of who awaits it.
template <class T = void>
using Task = boost::asio::awaitable<T, Executor>;

using TcpSocket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Executor>;
using TcpAcceptor = boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, Executor>;
using SteadyTimer = boost::asio::basic_waitable_timer<
    std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

/// Completion token: `auto [error, n] = co_await socket.async_read_some(buffer, kUseTask);`
/// Errors come in the tuple, never as exceptions.
inline constexpr boost::asio::as_tuple_t<boost::asio::use_awaitable_t<Executor>> kUseTask{};

/// Waits until `deadline`. False where the wait was cancelled (the gate is closing).
[[nodiscard]] Task<bool> sleepUntil(SteadyTime deadline);
/// Waits for `duration`. False where the wait was cancelled.
[[nodiscard]] Task<bool> sleepFor(std::chrono::milliseconds duration);

}  // namespace millrace
