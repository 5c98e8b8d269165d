#include "net/service_notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "net/unique_fd.h"

namespace huitang::net {

namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

std::optional<uint64_t> environment_number(const char* name) {
  const std::string_view text = environment(name);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

}  // namespace

void notify_service(std::string_view state) {
  const std::string_view path = environment("NOTIFY_SOCKET");
  sockaddr_un to{};
  if (path.size() < 2 || path.size() > sizeof to.sun_path || (path[0] != '/' && path[0] != '@')) return;
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, path.data(), path.size());
  // An abstract name begins with a zero byte and ends where the address's length says so.
  if (path[0] == '@') to.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return;
  [[maybe_unused]] const ssize_t sent = ::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL,
                                                 reinterpret_cast<const sockaddr*>(&to), size);
}

std::optional<core::Duration> watchdog_interval() {
  const std::optional<uint64_t> micros = environment_number("WATCHDOG_USEC");
  if (!micros || *micros == 0 || *micros > uint64_t{INT64_MAX}) return std::nullopt;
  const std::optional<uint64_t> pid = environment_number("WATCHDOG_PID");
  if (pid && *pid != static_cast<uint64_t>(::getpid())) return std::nullopt;
  return core::Duration::micros(static_cast<int64_t>(*micros));
}

}  // namespace huitang::net
