#pragma once

// Runs the program as a user does.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "testing/places.h"

namespace tessera::testing {

struct ProgramResult {
  int exit_code = -1;  ///< -1 where a signal ended it
  int signal = 0;      ///< that signal
  std::string out, err;
};

struct ProgramOptions {
  std::map<std::string, std::string> environment;  ///< put over ours
  std::string folder;                              ///< to run in; empty: ours
  bool terminal = false;                           ///< standard error is a terminal
};

/// One run of the program. The destructor ends it.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments, const ProgramOptions& options = {}) {
    out_ = memfd_create("out", MFD_CLOEXEC);
    int err = memfd_create("err", MFD_CLOEXEC);
    if (options.terminal) {
      EXPECT_EQ(openpty(&err_, &err, nullptr, nullptr, nullptr), 0);
      fcntl(err_, F_SETFD, FD_CLOEXEC);
      // A terminal holds a few thousand bytes: it has to be read while the program runs.
      reader_ = std::thread([this] { read_terminal(); });
    } else {
      err_ = err;
    }
    spawn(arguments, options, err);
    if (options.terminal) close(err);
  }
  ~Program() {
    if (!waited_) {
      kill(pid_, SIGKILL);
      wait();
    }
    close(out_);
    close(err_);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void signal(int number) { kill(pid_, number); }

  /// Waits until `condition` holds; false where the program ended before.
  bool wait_until(const std::function<bool()>& condition) {
    while (!condition()) {
      siginfo_t info = {};
      waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
      if (info.si_pid != 0) return false;
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    return true;
  }

  ProgramResult wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    waited_ = true;
    if (reader_.joinable()) reader_.join();
    ProgramResult result;
    if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
    result.out = contents(out_);
    result.err = terminal_text_.empty() ? contents(err_) : terminal_text_;
    return result;
  }

 private:
  void spawn(const std::vector<std::string>& arguments, const ProgramOptions& options, int err) {
    std::map<std::string, std::string> environment;
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string text = *entry;
      environment[text.substr(0, text.find('='))] = text.substr(text.find('=') + 1);
    }
    for (const char* name : {"TESSERA_THREADS", "NO_COLOR"}) environment.erase(name);
    for (const auto& [name, value] : options.environment) environment[name] = value;
    std::vector<std::string> lines, words = {kProgram};
    for (const auto& [name, value] : environment) lines.push_back(name + '=' + value);
    words.insert(words.end(), arguments.begin(), arguments.end());

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out_, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
    if (!options.folder.empty())
      posix_spawn_file_actions_addchdir_np(&actions, options.folder.c_str());
    const int error = posix_spawn(&pid_, kProgram, &actions, nullptr, pointers(words).data(),
                                  pointers(lines).data());
    posix_spawn_file_actions_destroy(&actions);
    EXPECT_EQ(error, 0) << kProgram;
  }

  static std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (std::string& text : texts) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
  }

  static std::string contents(int file) {
    std::string text;
    char block[4096];
    for (ssize_t count; (count = pread(file, block, sizeof block, text.size())) > 0;)
      text.append(block, static_cast<size_t>(count));
    return text;
  }

  void read_terminal() {
    char block[4096];
    for (ssize_t count; (count = read(err_, block, sizeof block)) > 0;)
      terminal_text_.append(block, static_cast<size_t>(count));
  }

  pid_t pid_ = 0;
  int out_ = -1, err_ = -1;
  bool waited_ = false;
  std::thread reader_;
  std::string terminal_text_;
};

/// Runs the program to its end.
inline ProgramResult run_program(const std::vector<std::string>& arguments,
                                 const ProgramOptions& options = {}) {
  return Program(arguments, options).wait();
}

}  // namespace tessera::testing
