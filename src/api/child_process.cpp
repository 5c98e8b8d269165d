#include "api/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "api/file_util.h"

namespace huitang::api {
namespace {

/// Between fork and exec: nothing here may allocate.
[[noreturn]] void become(const ChildConfig& config, char* const* words, char* const* environment,
                         int output) {
  if (config.detached) {
    setsid();
  } else {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
  }
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(output >= 0 ? output : STDERR_FILENO, STDOUT_FILENO);
  if (output >= 0) dup2(output, STDERR_FILENO);
  // Asio's sockets are not close-on-exec: a child that kept the listening one would keep the port from the next serve.
  close_range(STDERR_FILENO + 1, ~0U, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  execve("/proc/self/exe", words, environment);
  _exit(127);
}

/// Ours but for the folder in which our supervisor keeps the record of our starts (net/start_record.h): a child has one
/// who looks after it, us. Ends with a null pointer.
std::vector<char*> environment_of_child() {
  std::vector<char*> kept;
  for (char** variable = environ; *variable != nullptr; ++variable)
    if (!std::string_view(*variable).starts_with("RUNTIME_DIRECTORY=")) kept.push_back(*variable);
  kept.push_back(nullptr);
  return kept;
}

}  // namespace

core::Result<pid_t, core::Failure> start_self(const ChildConfig& config) {
  std::vector<std::string> texts = {"huitang"};
  texts.insert(texts.end(), config.arguments.begin(), config.arguments.end());
  std::vector<char*> words;
  for (std::string& text : texts) words.push_back(text.data());
  words.push_back(nullptr);
  std::vector<char*> environment = environment_of_child();
  net::UniqueFd output;
  if (!config.log_file.empty()) {
    output.reset(open(config.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!output) return core::err(last_failure("open " + config.log_file));
  }
  const pid_t pid = fork();
  if (pid < 0) return core::err(last_failure("start a process"));
  if (pid == 0) become(config, words.data(), environment.data(), output.get());
  return pid;
}

std::optional<ChildEnd> reap_child() {
  ChildEnd end;
  end.pid = waitpid(-1, &end.status, WNOHANG);
  return end.pid > 0 ? std::optional(end) : std::nullopt;
}

bool is_running_as(pid_t pid, const std::vector<std::string>& arguments) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  return !words.empty() && std::ranges::all_of(arguments, [&](const std::string& argument) {
    return std::ranges::find(words, argument) != words.end();
  });
}

std::string describe_end(int status) {
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  return "exit " + std::to_string(WEXITSTATUS(status));
}

core::Result<std::optional<FolderLock>, core::Failure> FolderLock::take(const std::string& folder,
                                                                        std::string& holder) {
  const std::string path = folder + "/serve.lock";
  net::UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return core::err(last_failure("open " + path));
  char text[32] = {};
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return core::err(last_failure("lock " + path));
    if (read(fd.get(), text, sizeof text - 1) < 0) text[0] = '\0';
    holder = text;
    return std::optional<FolderLock>();
  }
  const std::string own = std::to_string(getpid());
  if (ftruncate(fd.get(), 0) != 0 || write(fd.get(), own.data(), own.size()) < 0)
    return core::err(last_failure("write " + path));
  return std::optional<FolderLock>(FolderLock(std::move(fd)));
}

}  // namespace huitang::api
