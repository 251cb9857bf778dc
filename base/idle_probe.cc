#include "base/idle_probe.h"

#include <pthread.h>
#include <sched.h>

namespace millrace {
namespace {

bool setPolicy(pthread_t thread, int policy) {
  const sched_param priority{};
  return pthread_setschedparam(thread, policy, &priority) == 0;
}

}  // namespace

// A semaphore, since it has no lock that the thread could hold while it does not get a processor.
IdleProbe::IdleProbe() { sem_init(&asked_, 0, 0); }

IdleProbe::~IdleProbe() {
  if (thread_.joinable()) {
    stopped_ = true;
    (void)setPolicy(thread_.native_handle(), SCHED_OTHER);  // or it may take long to end
    sem_post(&asked_);
    thread_.join();
  }
  sem_destroy(&asked_);
}

bool IdleProbe::idled() {
  if (!thread_.joinable()) thread_ = std::thread([this] { watch(); });
  if (refused_.load(std::memory_order_relaxed)) return true;
  if (!idled_.load(std::memory_order_acquire)) return false;
  idled_.store(false, std::memory_order_relaxed);
  sem_post(&asked_);
  return true;
}

void IdleProbe::watch() {
  pthread_setname_np(pthread_self(), "idle-probe");
  if (!setPolicy(pthread_self(), SCHED_IDLE)) {
    refused_ = true;
    return;
  }
  for (;;) {
    while (sem_wait(&asked_) != 0) {
    }
    if (stopped_) return;
    idled_.store(true, std::memory_order_release);
  }
}

}  // namespace millrace
