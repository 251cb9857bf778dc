#include "cli/interrupt.h"

#include <pthread.h>

#include <csignal>
#include <ctime>

namespace millrace::cli {

namespace {

volatile std::sig_atomic_t interrupted_flag = 0;

void onSignal(int signal) {
  if (interrupted_flag != 0) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  interrupted_flag = 1;
}

sigset_t stopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

void catchInterrupts() {
  struct sigaction action{};
  action.sa_handler = onSignal;
  sigemptyset(&action.sa_mask);
  // No SA_RESTART: a read from the terminal must return.
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return interrupted_flag != 0; }

void blockInterrupts() {
  const sigset_t set = stopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void waitForInterrupt() {
  const sigset_t set = stopSignals();
  int signal = 0;
  sigwait(&set, &signal);
}

bool waitForInterrupt(std::chrono::milliseconds time) {
  const sigset_t set = stopSignals();
  timespec limit{};
  limit.tv_sec = static_cast<std::time_t>(time.count() / 1'000);
  limit.tv_nsec = static_cast<long>(time.count() % 1'000 * 1'000'000);
  return sigtimedwait(&set, nullptr, &limit) > 0;
}

}  // namespace millrace::cli
