#include "api/file_util.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "net/unique_fd.h"

namespace huitang::api {

core::Failure last_failure(std::string context) {
  return {std::error_code(errno, std::system_category()), std::move(context)};
}

core::Result<std::optional<std::string>, core::Failure> read_small_file(const std::string& path) {
  const net::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT) return std::optional<std::string>();
    return core::err(last_failure("open " + path));
  }
  std::string content;
  char part[4096];
  for (;;) {
    const ssize_t n = read(fd.get(), part, sizeof part);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return core::err(last_failure("read " + path));
    if (n == 0) return std::optional<std::string>(std::move(content));
    content.append(part, static_cast<size_t>(n));
  }
}

core::Result<void, core::Failure> write_private_file(const std::string& path, std::string_view content) {
  const std::string beside = path + ".new";
  const net::UniqueFd fd(open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return core::err(last_failure("create " + beside));
  while (!content.empty()) {
    const ssize_t n = write(fd.get(), content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return core::err(last_failure("write " + beside));
    content.remove_prefix(static_cast<size_t>(n));
  }
  if (fsync(fd.get()) != 0) return core::err(last_failure("sync " + beside));
  if (std::rename(beside.c_str(), path.c_str()) != 0) return core::err(last_failure("rename to " + path));
  return {};
}

core::Result<void, core::Failure> make_private_folder(const std::string& path) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) return {};
  std::filesystem::create_directories(path, code);
  if (code) return core::err(core::Failure{code, "create folder " + path});
  if (chmod(path.c_str(), 0700) != 0) return core::err(last_failure("chmod " + path));
  return {};
}

}  // namespace huitang::api
