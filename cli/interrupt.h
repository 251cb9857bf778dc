// Ctrl-C and SIGTERM as something that loops can ask for.
#pragma once

#include <chrono>

namespace millrace::cli {

/// From here on SIGINT and SIGTERM only set a flag; a second SIGINT ends the program at once.
/// Blocking reads return early.
void catchInterrupts();
/// Whether one came.
[[nodiscard]] bool interrupted();
/// For commands that only wait: blocks the two signals in this thread and those it starts later.
void blockInterrupts();
/// Waits until one of the blocked signals comes.
void waitForInterrupt();
/// The same for at most `time`; whether one came.
[[nodiscard]] bool waitForInterrupt(std::chrono::milliseconds time);

}  // namespace millrace::cli
