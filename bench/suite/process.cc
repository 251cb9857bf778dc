#include "bench/suite/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace millrace::bench {

namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// The kernel gives a free port; the broker takes it a moment later.
std::uint16_t freePort() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (fd < 0 || ::bind(fd, generic, size) != 0 || ::getsockname(fd, generic, &size) != 0) {
    throw std::runtime_error("no free loopback port");
  }
  ::close(fd);
  return ntohs(address.sin_port);
}

bool accepts(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const sockaddr_in address = loopback(port);
  const bool connected =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  ::close(fd);
  return connected;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

double usage(int who) {
  rusage used{};
  ::getrusage(who, &used);
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

}  // namespace

double ownCpuSeconds() { return usage(RUSAGE_SELF); }
double threadCpuSeconds() { return usage(RUSAGE_THREAD); }

Process::Process(const std::vector<std::string>& arguments, const std::string& log_file) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int log = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) {
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(log);
}

Process::~Process() {
  if (pid_ > 0) stop();
}

double Process::cpuSeconds() const {
  clockid_t clock{};
  timespec time{};
  if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

std::uint64_t Process::residentBytes() const {
  std::ifstream statm(fmt::format("/proc/{}/statm", pid_));
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

int Process::wait() {
  int status = 0;
  if (pid_ > 0) ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return status;
}

int Process::stop() {
  if (pid_ > 0) ::kill(pid_, SIGTERM);
  return wait();
}

void Process::kill() {
  if (pid_ > 0) ::kill(pid_, SIGKILL);
  wait();
}

BrokerProcess::BrokerProcess(const std::string& binary) : binary_(binary), port_(freePort()) {
  std::string pattern = (std::filesystem::temp_directory_path() / "millrace-bench-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
  directory_ = pattern;
  bootstrap_ = fmt::format("127.0.0.1:{}", port_);
  std::ofstream(directory_ + "/server.properties")
      << "listeners=PLAINTEXT://" << bootstrap_ << "\nlog.dirs=" << directory_
      << "/data\nlog.retention.ms=-1\ngroup.initial.rebalance.delay.ms=0\n";
  start();
  waitUntilListening();
}

BrokerProcess::~BrokerProcess() {
  stop();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void BrokerProcess::start() {
  process_ = std::make_unique<Process>(
      std::vector<std::string>{binary_, "broker", directory_ + "/server.properties"},
      directory_ + "/broker.log");
}

void BrokerProcess::stop() { process_.reset(); }

void BrokerProcess::waitUntilListening() const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!accepts(port_)) {
    if (std::chrono::steady_clock::now() > deadline) {
      std::ostringstream log;
      log << std::ifstream(directory_ + "/broker.log").rdbuf();
      throw std::runtime_error("the broker does not serve; it said:\n" + log.str());
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

}  // namespace millrace::bench
