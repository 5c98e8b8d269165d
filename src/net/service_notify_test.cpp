#include "net/service_notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "net/unique_fd.h"

namespace huitang::net {
namespace {

/// The supervisor's end: a real datagram socket, named as $NOTIFY_SOCKET does.
class Supervisor {
 public:
  explicit Supervisor(const std::string& name) : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path);
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    is_bound_ = ::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0;
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  bool is_bound() const { return is_bound_; }
  /// "" when nothing waits.
  std::string take() {
    std::array<char, 256> bytes{};
    const ssize_t n = ::recv(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    return n < 0 ? std::string() : std::string(bytes.data(), static_cast<size_t>(n));
  }

 private:
  UniqueFd fd_;
  bool is_bound_ = false;
};

class ServiceNotify : public ::testing::Test {
 protected:
  void SetUp() override { forget(); }
  void TearDown() override { forget(); }
  static void forget() {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
  }
  static std::string own_name(const std::string& what) {
    return "/huitang-notify-" + what + "-" + std::to_string(::getpid());
  }
};

TEST_F(ServiceNotify, says_its_state_to_a_socket_in_the_file_system) {
  const std::string path = std::filesystem::temp_directory_path().string() + own_name("path");
  Supervisor supervisor(path);
  ASSERT_TRUE(supervisor.is_bound());
  notify_service("READY=1\nSTATUS=3 workers");
  EXPECT_EQ(supervisor.take(), "READY=1\nSTATUS=3 workers");
  std::filesystem::remove(path);
}

TEST_F(ServiceNotify, says_its_state_to_an_abstract_socket) {
  Supervisor supervisor("@" + own_name("abstract"));
  ASSERT_TRUE(supervisor.is_bound());
  notify_service("STOPPING=1");
  EXPECT_EQ(supervisor.take(), "STOPPING=1");
}

TEST_F(ServiceNotify, says_nothing_where_nobody_supervises_or_the_name_is_none) {
  notify_service("READY=1");
  for (const std::string& name : {std::string("relative"), std::string("@"), std::string(200, '/')}) {
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    notify_service("READY=1");
  }
}

TEST_F(ServiceNotify, a_supervisor_that_does_not_read_holds_nobody_up) {
  Supervisor supervisor("@" + own_name("deaf"));
  ASSERT_TRUE(supervisor.is_bound());
  for (int i = 0; i < 10'000; ++i) notify_service("WATCHDOG=1");
  EXPECT_EQ(supervisor.take(), "WATCHDOG=1");
}

TEST_F(ServiceNotify, the_watchdog_is_on_only_when_it_is_meant_for_this_process) {
  EXPECT_FALSE(watchdog_interval());
  ::setenv("WATCHDOG_USEC", "20000000", 1);
  EXPECT_EQ(watchdog_interval(), core::Duration::seconds(20)) << "who it is for may be left out";
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  EXPECT_EQ(watchdog_interval(), core::Duration::seconds(20));
  ::setenv("WATCHDOG_PID", std::to_string(::getppid()).c_str(), 1);
  EXPECT_FALSE(watchdog_interval());
}

TEST_F(ServiceNotify, an_interval_that_is_no_number_is_none) {
  for (const char* text : {"", "0", "-1", "2s", "99999999999999999999"}) {
    ::setenv("WATCHDOG_USEC", text, 1);
    EXPECT_FALSE(watchdog_interval()) << text;
  }
}

}  // namespace
}  // namespace huitang::net
