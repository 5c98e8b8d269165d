#include "doctor/probe_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <vector>

#include "core/address.h"
#include "net/unique_fd.h"

namespace huitang::doctor {

namespace {

namespace fs = std::filesystem;

/// errno of a bind, 0 when it worked.
int try_bind(const PortQuestion& question) {
  const auto ip = core::parse_ip(question.address);
  const bool v4 = !ip || ip->is_v4();
  const net::UniqueFd fd(
      ::socket(v4 ? AF_INET : AF_INET6, (question.is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
  if (!fd) return errno;
  const int on = 1;
  // As serve does: a port with connections that are just ending is free.
  if (question.is_tcp) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage address{};
  socklen_t size = 0;
  if (v4) {
    auto& in = reinterpret_cast<sockaddr_in&>(address);
    in.sin_family = AF_INET;
    in.sin_port = htons(static_cast<uint16_t>(question.port));
    ::inet_pton(AF_INET, question.address.c_str(), &in.sin_addr);
    size = sizeof in;
  } else {
    auto& in = reinterpret_cast<sockaddr_in6&>(address);
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(static_cast<uint16_t>(question.port));
    ::inet_pton(AF_INET6, question.address.c_str(), &in.sin6_addr);
    size = sizeof in;
  }
  return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0 ? 0 : errno;
}

/// Inodes of the sockets bound to a port, from a table under /proc/net (proc_pid_net(5)).
void collect_inodes(const char* table, const PortQuestion& question, std::set<std::string>& inodes) {
  constexpr std::string_view kListening = "0A";
  std::ifstream in(table);
  std::string line;
  std::getline(in, line);  // headings
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::string slot, local, remote, state, queues, timer, retries, uid, timeout, inode;
    words >> slot >> local >> remote >> state >> queues >> timer >> retries >> uid >> timeout >> inode;
    const size_t colon = local.rfind(':');
    if (colon == std::string::npos || (question.is_tcp && state != kListening)) continue;
    uint32_t port = 0;
    std::from_chars(local.data() + colon + 1, local.data() + local.size(), port, 16);
    if (port == question.port) inodes.insert("socket:[" + inode + "]");
  }
}

/// The file name of the first word of a process's command line: a process that started itself anew by
/// /proc/self/exe is called `exe` everywhere else.
std::string program_of(const fs::path& process) {
  std::ifstream in(process / "cmdline");
  std::string word;
  std::getline(in, word, '\0');
  return fs::path(word).filename().string();
}

bool holds(const fs::path& process, const std::set<std::string>& inodes) {
  std::error_code ignored;
  for (fs::directory_iterator fd(process / "fd", ignored), end; !ignored && fd != end;
       fd.increment(ignored)) {
    std::error_code gone;
    if (inodes.contains(fs::read_symlink(fd->path(), gone).string())) return true;
  }
  return false;
}

struct Holder {
  std::string program;
  std::string pid;
};

/// Nothing when it is another user's process, or in another container.
Holder find_holder(const PortQuestion& question) {
  std::set<std::string> inodes;
  for (const char* table : question.is_tcp ? std::vector{"/proc/net/tcp", "/proc/net/tcp6"}
                                           : std::vector{"/proc/net/udp", "/proc/net/udp6"})
    collect_inodes(table, question, inodes);
  if (inodes.empty()) return {};
  std::error_code ignored;
  for (fs::directory_iterator it("/proc", ignored), end; !ignored && it != end; it.increment(ignored)) {
    const std::string name = it->path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos && holds(it->path(), inodes))
      return {program_of(it->path()), name};
  }
  return {};
}

}  // namespace

PortFacts probe_port(const PortQuestion& question, bool service_up) {
  PortFacts facts;
  facts.is_tcp = question.is_tcp;
  facts.port = question.port;
  facts.is_service_up = service_up;
  switch (try_bind(question)) {
    case 0: facts.use = PortUse::Free; return facts;
    case EACCES: facts.use = PortUse::Forbidden; return facts;
    default: break;
  }
  const Holder holder = find_holder(question);
  const bool is_ours = holder.program.empty() ? service_up : holder.program == "huitang";
  facts.use = is_ours ? PortUse::Ours : PortUse::Taken;
  if (!holder.program.empty()) facts.holder = holder.program + " (" + holder.pid + ")";
  return facts;
}

}  // namespace huitang::doctor
