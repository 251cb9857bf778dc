// Programs that the suite starts and watches: the broker, the topologies.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace millrace::bench {

/// A started program; killed (SIGTERM, then SIGKILL) and reaped by the destructor.
class Process {
 public:
  /// Starts arguments[0] with its output in `log_file`. Throws std::runtime_error.
  Process(const std::vector<std::string>& arguments, const std::string& log_file);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// User and system seconds it has used until now.
  [[nodiscard]] double cpuSeconds() const;
  /// Resident set, bytes.
  [[nodiscard]] std::uint64_t residentBytes() const;
  /// SIGTERM, and waits until it has ended. Returns the exit status as waitpid gives it.
  int stop();
  /// Waits until it ends by itself.
  int wait();
  void kill();

 private:
  pid_t pid_ = -1;
};

/// A broker process on a free port with an empty temporary directory of its own.
class BrokerProcess {
 public:
  /// `binary`: the millrace program. Throws when it does not serve within 60 s.
  explicit BrokerProcess(const std::string& binary);
  ~BrokerProcess();
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;

  [[nodiscard]] const std::string& bootstrap() const { return bootstrap_; }
  [[nodiscard]] Process& process() { return *process_; }
  /// Starts the program anew on the same directory and port, after stop() or kill().
  void start();
  void stop();
  /// Waits until the port accepts connections.
  void waitUntilListening() const;

 private:
  std::string binary_;
  std::string directory_;
  std::string bootstrap_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Process> process_;
};

/// CPU seconds of this process, all threads.
[[nodiscard]] double ownCpuSeconds();
/// CPU seconds of the calling thread.
[[nodiscard]] double threadCpuSeconds();

}  // namespace millrace::bench
