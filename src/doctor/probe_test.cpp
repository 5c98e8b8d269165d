// The probes against real sockets and files.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "api/certificate.h"
#include "api/file_util.h"
#include "doctor/probe_machine.h"
#include "doctor/probe_port.h"
#include "doctor/probe_service.h"
#include "net/clock.h"
#include "net/unique_fd.h"

namespace huitang::doctor {
namespace {

namespace fs = std::filesystem;

/// A socket of this process on loopback, as somebody else's program would have it.
struct Occupied {
  explicit Occupied(bool is_tcp)
      : fd(::socket(AF_INET, (is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(fd.get(), any, size), 0);
    if (is_tcp) {
      EXPECT_EQ(::listen(fd.get(), 4), 0);
    }
    ::getsockname(fd.get(), any, &size);
    port = ntohs(address.sin_port);
  }
  net::UniqueFd fd;
  uint32_t port = 0;
};

class Folder : public ::testing::Test {
 protected:
  Folder() : path_(::testing::TempDir() + "huitang-doctor-test-" + std::to_string(::getpid())) {
    EXPECT_TRUE(api::make_private_folder(path_));
  }
  ~Folder() override {
    ::chmod(path_.c_str(), 0700);
    fs::remove_all(path_);
  }
  std::string path_;
};
using ProbeMachine = Folder;
using ProbeService = Folder;

TEST(ProbePort, a_port_is_taken_by_the_program_that_holds_it_and_free_once_it_lets_go) {
  for (const bool is_tcp : {true, false}) {
    auto other = std::make_unique<Occupied>(is_tcp);
    const uint32_t port = other->port;
    const PortFacts taken = probe_port({is_tcp, "127.0.0.1", port}, false);
    EXPECT_EQ(taken.use, PortUse::Taken);
    EXPECT_NE(taken.holder.find("(" + std::to_string(::getpid()) + ")"), std::string::npos) << taken.holder;
    other.reset();
    EXPECT_EQ(probe_port({is_tcp, "127.0.0.1", port}, false).use, PortUse::Free);
  }
}

TEST_F(ProbeMachine, a_disk_takes_a_write_and_a_folder_that_is_none_says_why_not) {
  EXPECT_EQ(probe_disk(path_).write_error, "");
  EXPECT_GT(probe_disk(path_).free_bytes, 0u);
  EXPECT_TRUE(fs::is_empty(path_)) << "the trial file is still there";
  EXPECT_NE(probe_disk(path_ + "/absent").write_error, "");
}

TEST_F(ProbeMachine, keys_open_to_others_are_found) {
  ASSERT_TRUE(api::write_private_file(path_ + "/local.token", "x"));
  EXPECT_EQ(check_folder(probe_folder(path_)).grade, Grade::Ok);
  ASSERT_EQ(::chmod((path_ + "/local.token").c_str(), 0644), 0);
  EXPECT_EQ(probe_folder(path_).open_files, std::vector<std::string>{"local.token"});
  EXPECT_FALSE(probe_folder(path_ + "/absent").exists);
}

TEST_F(ProbeMachine, the_certificate_that_serve_makes_is_good_for_its_address_and_for_no_other) {
  ASSERT_TRUE(api::open_private_identity(net::wall_now(), path_ + "/tls", {"10.0.0.5", "box"}));
  api::Settings settings;
  settings.data = path_;
  settings.public_address = "10.0.0.5";
  EXPECT_EQ(check_certificate(probe_certificate(settings), net::wall_now()).grade, Grade::Ok);
  settings.public_address = "10.0.0.6";
  EXPECT_FALSE(probe_certificate(settings).names_public_address);
  std::ofstream(path_ + "/tls/server.crt") << "no certificate";
  EXPECT_FALSE(probe_certificate(settings).is_parsed);
  fs::remove(path_ + "/tls/server.crt");
  EXPECT_FALSE(probe_certificate(settings).is_readable);
}

TEST_F(ProbeMachine, a_file_from_the_future_shows_a_clock_that_stands_in_the_past) {
  std::ofstream(path_ + "/note") << "x";
  EXPECT_NE(check_clock(probe_clock(path_)).grade, Grade::Error);
  fs::last_write_time(path_ + "/note", fs::file_time_type::clock::now() + std::chrono::hours(24));
  EXPECT_EQ(check_clock(probe_clock(path_)).grade, Grade::Error);
}

TEST_F(ProbeMachine, no_serve_is_found_where_nobody_holds_the_lock) { EXPECT_EQ(find_serve(path_), 0); }

TEST_F(ProbeService, a_media_socket_that_is_absent_or_dead_is_told_apart) {
  EXPECT_EQ(probe_media(path_ + "/media.sock", "1").facts.answer, MediaFacts::Answer::NoSocket);
  std::ofstream(path_ + "/media.sock") << "";
  EXPECT_EQ(probe_media(path_ + "/media.sock", "1").facts.answer, MediaFacts::Answer::Refused);
}

TEST_F(ProbeService, somebody_else_on_the_port_never_gets_the_token) {
  ASSERT_TRUE(api::open_private_identity(net::wall_now(), path_ + "/tls", {"127.0.0.1", "box"}));
  const Occupied other(true);
  api::Settings settings;
  settings.data = path_;
  settings.https_port = other.port;
  const auto target = local_target(settings);
  ASSERT_TRUE(target);
  api::LocalTarget asked = *target;
  asked.token = "secret";
  const auto reply = api::ask_local(asked, "/readyz", {}, core::Duration::millis(200));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error(), api::LocalTrouble::NoAnswer);
}

}  // namespace
}  // namespace huitang::doctor
