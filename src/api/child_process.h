// Other processes of this program that serve starts: the media process and the demo's bots.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/result.h"
#include "net/unique_fd.h"

namespace huitang::api {

struct ChildConfig {
  std::vector<std::string> arguments;  ///< after the program's own name
  bool detached = false;  ///< its own session: outlives us; otherwise it is told to end when we die
  std::string log_file;   ///< standard output and error go there (appended); empty: to our standard error
};

/// Starts this same executable (/proc/self/exe) anew.
core::Result<pid_t, core::Failure> start_self(const ChildConfig& config);

struct ChildEnd {
  pid_t pid = 0;
  int status = 0;  ///< as of waitpid
};
/// One child that has ended, if any.
std::optional<ChildEnd> reap_child();

/// Whether process `pid` lives and has each of `arguments` on its command line: for finding again what an earlier
/// process of ours has started detached.
bool is_running_as(pid_t pid, const std::vector<std::string>& arguments);
/// "exit 1", "signal 9".
std::string describe_end(int status);

/// Held for as long as the process lives; a second start on the same folder does not get it.
class FolderLock {
 public:
  /// Absent when another process holds it; `holder` then says which.
  static core::Result<std::optional<FolderLock>, core::Failure> take(const std::string& folder,
                                                                     std::string& holder);

 private:
  explicit FolderLock(net::UniqueFd fd) : fd_(std::move(fd)) {}
  net::UniqueFd fd_;
};

}  // namespace huitang::api
