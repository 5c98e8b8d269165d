#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <thread>

#include "net/clock.h"
#include "net/event_loop.h"
#include "net/failure.h"
#include "net/frame_socket.h"
#include "net/log.h"
#include "net/send_batch.h"
#include "net/signal_set.h"
#include "net/udp_socket.h"

namespace huitang::net {
namespace {

using core::Duration;

constexpr Duration kPatience = Duration::seconds(30);

core::SocketAddress loopback() { return {core::IpAddress::v4(127, 0, 0, 1), 0}; }

template <class Done>
bool turn_until(EventLoop& loop, Done done) {
  const core::Instant deadline = monotonic_now() + kPatience;
  while (!done() && monotonic_now() < deadline) loop.run_once(Duration::millis(20));
  return done();
}

std::vector<core::Buffer> receive_all(UdpSocket& socket, size_t expected) {
  std::vector<core::Buffer> got;
  const core::Instant deadline = monotonic_now() + kPatience;
  while (got.size() < expected && monotonic_now() < deadline)
    for (const ReceivedDatagram& d : socket.receive()) got.emplace_back(d.bytes.begin(), d.bytes.end());
  return got;
}

/// With and without GRO on the receiving side: what arrives must be the same.
class UdpPair : public ::testing::TestWithParam<bool> {
 protected:
  UdpSocket a_ = UdpSocket::open(loopback()).value();
  UdpSocket b_ = UdpSocket::open(loopback(), {.gro = GetParam()}).value();
  SendBatch batch_{a_};

  void put(size_t size, uint8_t fill, const UdpSocket& to) {
    const core::MutableBytes slot = batch_.slot(to.local());
    std::fill_n(slot.begin(), size, fill);
    batch_.commit(size);
  }
};
INSTANTIATE_TEST_SUITE_P(Gro, UdpPair, ::testing::Bool());

TEST_P(UdpPair, a_run_of_equal_packets_leaves_as_one_message_and_arrives_as_separate_datagrams) {
  for (uint8_t i = 0; i < 10; ++i) put(i == 9 ? 300 : 1000, i, b_);
  batch_.flush();
  EXPECT_EQ(batch_.counters().datagrams, 10u);
  EXPECT_EQ(batch_.counters().runs, 1u) << "segmentation offload was not used";
  const auto got = receive_all(b_, 10);
  ASSERT_EQ(got.size(), 10u);
  for (size_t i = 0; i < 10; ++i)
    EXPECT_EQ(got[i], core::Buffer(i == 9 ? 300 : 1000, static_cast<uint8_t>(i)));
}

TEST_P(UdpPair, a_larger_packet_or_another_destination_starts_a_new_run) {
  for (const size_t size : {500, 500, 400, 400, 700}) put(size, 1, b_);
  put(100, 2, a_);
  batch_.flush();
  EXPECT_EQ(batch_.counters().runs, 4u);  // 500 500 400 | 400 | 700 | other destination
  EXPECT_EQ(receive_all(b_, 5).size(), 5u);
  EXPECT_EQ(receive_all(a_, 1).size(), 1u);
}

TEST_P(UdpPair, a_full_batch_flushes_by_itself_and_loses_nothing) {
  for (int i = 0; i < 1500; ++i) put(1200, 7, b_);
  batch_.flush();
  EXPECT_EQ(receive_all(b_, 1500).size(), 1500u);
  EXPECT_EQ(batch_.counters().blocked + batch_.counters().refused, 0u);
}

TEST_P(UdpPair, a_run_that_segmentation_is_refused_for_goes_packet_by_packet) {
  const int no_checksum = 1;  // the kernel does not segment what it need not sum (EINVAL or EIO)
  ASSERT_EQ(::setsockopt(a_.fd(), SOL_SOCKET, SO_NO_CHECK, &no_checksum, sizeof no_checksum), 0);
  for (uint8_t i = 0; i < 6; ++i) put(1000, i, b_);
  put(50, 6, a_);
  batch_.flush();
  const auto got = receive_all(b_, 6);
  ASSERT_EQ(got.size(), 6u);
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(got[i], core::Buffer(1000, static_cast<uint8_t>(i)));
  EXPECT_EQ(receive_all(a_, 1).size(), 1u);
  EXPECT_EQ(batch_.counters().gso_fallbacks, 1u);
  EXPECT_EQ(batch_.counters().datagrams, 7u);
  EXPECT_EQ(batch_.counters().runs, 7u);
  EXPECT_EQ(batch_.counters().refused, 0u);
}

TEST(UdpSocket, lets_the_path_fragment_what_it_cannot_carry_whole) {
  const UdpSocket v4 = UdpSocket::open(loopback()).value();
  const UdpSocket v6 = UdpSocket::open({}).value();
  const auto option = [](const UdpSocket& socket, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    EXPECT_EQ(::getsockopt(socket.fd(), level, name, &value, &size), 0);
    return value;
  };
  EXPECT_EQ(option(v4, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_DONT);
  EXPECT_EQ(option(v6, IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_DONT);
  EXPECT_EQ(option(v6, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_DONT);  // mapped IPv4
}

TEST_P(UdpPair, reserved_slots_may_be_abandoned_one_by_one) {
  const SendBatch::Destination to{b_.local(), {}};
  const auto slots = batch_.reserve(std::vector{to, to, to});
  for (size_t i = 0; i < 3; ++i) slots[i][0] = static_cast<uint8_t>(i);
  batch_.commit_reserved(std::vector<size_t>{10, 0, 10});
  batch_.flush();
  const auto got = receive_all(b_, 2);
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0][0], 0);
  EXPECT_EQ(got[1][0], 2);
}

TEST_P(UdpPair, control_datagrams_report_who_sent_them) {
  ASSERT_TRUE(a_.send(b_.local(), core::as_bytes("hello")));
  std::span<const ReceivedDatagram> got;
  while (got.empty()) got = b_.receive();
  EXPECT_EQ(got[0].from, a_.local());
  EXPECT_EQ(core::as_text(got[0].bytes), "hello");
}

TEST(UdpSocket, without_gro_a_datagram_over_the_buffer_is_counted_and_not_given_out) {
  UdpSocket a = UdpSocket::open(loopback()).value();
  UdpSocket b = UdpSocket::open(loopback(), {.gro = false}).value();
  ASSERT_TRUE(a.send(b.local(), core::Buffer(3000, 1)));
  ASSERT_TRUE(a.send(b.local(), core::Buffer(10, 1)));
  const auto got = receive_all(b, 1);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].size(), 10u);
  EXPECT_EQ(b.counters().truncated_in, 1u);
}

TEST(UdpSocket, a_wildcard_socket_answers_from_the_address_it_was_asked_at) {
  UdpSocket server = UdpSocket::open({core::IpAddress::v4(0, 0, 0, 0), 0}).value();
  UdpSocket client = UdpSocket::open(loopback()).value();
  const core::IpAddress asked = core::IpAddress::v4(127, 0, 0, 5);
  ASSERT_TRUE(client.send({asked, server.local().port}, core::as_bytes("q")));
  std::span<const ReceivedDatagram> got;
  while (got.empty()) got = server.receive();
  EXPECT_EQ(got[0].to, asked);
  SendBatch batch(server);
  batch.add(got[0].from, core::as_bytes("a"), got[0].to);
  batch.flush();
  got = {};
  while (got.empty()) got = client.receive();
  EXPECT_EQ(got[0].from.ip, asked);
}

TEST(UdpSocket, a_taken_port_is_an_error_that_names_it) {
  const UdpSocket first = UdpSocket::open(loopback()).value();
  const auto second = UdpSocket::open(first.local());
  ASSERT_FALSE(second);
  EXPECT_NE(to_string(second.error()).find(core::to_string(first.local())), std::string::npos);
}

TEST(EventLoop, runs_work_posted_by_another_thread_in_order) {
  EventLoop loop;
  std::vector<int> seen;
  std::thread poster([&] {
    for (int i = 0; i < 1000; ++i) loop.post([&seen, i] { seen.push_back(i); });
  });
  EXPECT_TRUE(turn_until(loop, [&] { return seen.size() == 1000; }));
  poster.join();
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(seen[static_cast<size_t>(i)], i);
}

TEST(EventLoop, refuses_what_may_be_tried_at_a_cap_below_that_of_what_must_not_be_lost) {
  EventLoop loop;
  size_t ran = 0;
  for (size_t i = 0; i < EventLoop::kMaxTried; ++i) ASSERT_TRUE(loop.try_post([&ran] { ++ran; }));
  EXPECT_FALSE(loop.try_post([&ran] { ran += 1'000'000; }));
  for (size_t i = EventLoop::kMaxTried; i < EventLoop::kMaxPosted; ++i) loop.post([&ran] { ++ran; });
  EXPECT_DEATH(loop.post([] {}), "");
  loop.run_once(Duration());
  EXPECT_EQ(ran, EventLoop::kMaxPosted);
  EXPECT_TRUE(loop.try_post([] {}));
}

TEST(EventLoop, timers_run_in_order_of_time_and_not_when_cancelled) {
  EventLoop loop;
  std::string order;
  loop.call_after(Duration::millis(4), [&](auto) { order += 'b'; });
  loop.call_after(Duration::millis(1), [&](auto) { order += 'a'; });
  const TimerId cancelled = loop.call_after(Duration::millis(2), [&](auto) { order += 'x'; });
  loop.cancel(cancelled);
  EXPECT_TRUE(turn_until(loop, [&] { return order.size() == 2; }));
  EXPECT_EQ(order, "ab");
}

TEST(EventLoop, waits_to_less_than_a_millisecond) {
  EventLoop loop;
  Duration shortest = Duration::max();
  // The best of many, because a busy machine may wake us late.
  for (int i = 0; i < 200 && shortest >= Duration::micros(700); ++i) {
    const core::Instant begin = monotonic_now();
    loop.run_once(Duration::micros(200));
    EXPECT_GE(monotonic_now() - begin, Duration::micros(200));
    shortest = std::min(shortest, monotonic_now() - begin);
  }
  EXPECT_LT(shortest, Duration::micros(700));
}

TEST(EventLoop, stop_from_another_thread_ends_run) {
  EventLoop loop;
  std::thread stopper([&] { loop.stop(); });
  loop.run();
  stopper.join();
}

TEST(SignalSet, delivers_a_signal_on_the_loop) {
  EventLoop loop;
  int seen = 0;
  SignalSet set(loop, {SIGUSR1}, [&](int signal) { seen = signal; });
  ::kill(::getpid(), SIGUSR1);
  EXPECT_TRUE(turn_until(loop, [&] { return seen == SIGUSR1; }));
}

struct FramePair {
  EventLoop loop;
  std::vector<size_t> sizes;
  std::function<void()> on_each;
  std::optional<FrameClose> reason;
  std::unique_ptr<FrameSocket> socket;
  UniqueFd other;

  FramePair() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    other = UniqueFd(fds[1]);
    socket = FrameSocket::adopt(loop, UniqueFd(fds[0]),
                                {.on_frame =
                                     [this](core::Bytes f) {
                                       sizes.push_back(f.size());
                                       if (on_each) on_each();
                                     },
                                 .on_close = [this](FrameClose r) { reason = r; }});
  }
};

TEST(FrameSocket, frames_arrive_whole_and_in_order_whatever_their_size) {
  FramePair p;
  const auto sender = FrameSocket::adopt(p.loop, std::move(p.other), {[](auto) {}, [](auto) {}});
  const std::vector<size_t> sent{0, 1, 100'000, 4 << 20, 7};
  for (const size_t size : sent) EXPECT_TRUE(sender->send(core::Buffer(size, 1)));
  EXPECT_TRUE(turn_until(p.loop, [&] { return p.sizes.size() == sent.size(); }));
  EXPECT_EQ(p.sizes, sent);
}

TEST(FrameSocket, what_comes_during_a_pause_waits_and_arrives_whole_and_in_order) {
  FramePair p;
  p.on_each = [&p] {
    if (p.sizes.size() % 3 == 0) p.socket->pause();
  };
  const auto sender = FrameSocket::adopt(p.loop, std::move(p.other), {[](auto) {}, [](auto) {}});
  std::vector<size_t> sent;
  for (size_t i = 0; i < 30; ++i) sent.push_back(i * 5'000);
  for (const size_t size : sent) ASSERT_TRUE(sender->send(core::Buffer(size, 1)));
  for (size_t pauses = 1; pauses <= 10; ++pauses) {
    EXPECT_TRUE(turn_until(p.loop, [&] { return p.sizes.size() == pauses * 3; }));
    for (int i = 0; i < 5; ++i) p.loop.run_once(Duration());
    EXPECT_EQ(p.sizes.size(), pauses * 3) << "read during a pause";
    p.socket->resume();
  }
  EXPECT_TRUE(turn_until(p.loop, [&] { return p.sizes.size() == sent.size(); }));
  EXPECT_EQ(p.sizes, sent);
}

TEST(FrameSocket, a_pause_does_not_hide_that_the_other_side_has_gone) {
  FramePair p;
  p.socket->pause();
  p.other.reset();
  EXPECT_TRUE(turn_until(p.loop, [&] { return p.reason.has_value(); }));
  EXPECT_EQ(p.reason, FrameClose::Remote);
}

TEST(FrameSocket, an_announced_oversize_frame_ends_it_before_anything_is_kept) {
  FramePair p;
  const uint8_t header[] = {0xff, 0xff, 0xff, 0xff};
  ASSERT_EQ(::write(p.other.get(), header, 4), 4);
  EXPECT_TRUE(turn_until(p.loop, [&] { return p.reason.has_value(); }));
  EXPECT_EQ(p.reason, FrameClose::Oversize);
  EXPECT_TRUE(p.sizes.empty());
}

TEST(FrameSocket, a_reader_that_does_not_read_is_cut_off_at_the_cap) {
  FramePair p;
  const core::Buffer frame(1 << 20, 1);
  int taken = 0;
  while (p.socket->send(frame)) ++taken;
  EXPECT_LE(taken, 33);
  EXPECT_TRUE(turn_until(p.loop, [&] { return p.reason.has_value(); }));
  EXPECT_EQ(p.reason, FrameClose::SlowPeer);
}

TEST(FrameSocket, the_owner_may_destroy_it_when_it_closes) {
  EventLoop loop;
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
  std::unique_ptr<FrameSocket> socket;
  socket = FrameSocket::adopt(loop, UniqueFd(fds[0]), {[](auto) {}, [&](auto) { socket.reset(); }});
  ::close(fds[1]);
  EXPECT_TRUE(turn_until(loop, [&] { return socket == nullptr; }));
}

TEST(FrameListener, takes_the_place_of_a_live_one_without_a_moment_in_which_nobody_listens) {
  EventLoop loop;
  const std::string path =
      ::testing::TempDir() + "huitang-net-takeover-" + std::to_string(::getpid()) + ".sock";
  int by_old = 0, by_new = 0;
  auto old = FrameListener::listen(loop, path, [&](UniqueFd) { ++by_old; });
  ASSERT_TRUE(old);
  auto next = FrameListener::listen_beside(loop, path, [&](UniqueFd) { ++by_new; });
  ASSERT_TRUE(next);
  const auto connect = [&] {
    const auto client = FrameSocket::connect(loop, path, {[](auto) {}, [](auto) {}});
    EXPECT_TRUE(client);
    for (int i = 0; i < 3; ++i) loop.run_once(core::Duration::millis(10));
  };
  connect();
  EXPECT_EQ(by_old, 1);
  ASSERT_TRUE((*next)->replace());
  connect();
  EXPECT_EQ(by_old, 1);
  EXPECT_EQ(by_new, 1);
  (*old)->leave_file();
  old->reset();
  connect();
  EXPECT_EQ(by_new, 2) << "the old one left the file alone";
}

TEST(FrameListener, replaces_a_stale_socket_file_and_refuses_a_live_one) {
  const std::string path = ::testing::TempDir() + "huitang-net-test-" + std::to_string(::getpid()) + ".sock";
  EventLoop loop;
  int accepted = 0;
  const FrameSocket::Handlers none{[](auto) {}, [](auto) {}};
  {
    const auto first = FrameListener::listen(loop, path, [&](UniqueFd) { ++accepted; });
    ASSERT_TRUE(first);
    const auto second = FrameListener::listen(loop, path, [](UniqueFd) {});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, std::errc::address_in_use);
    const auto client = FrameSocket::connect(loop, path, none);
    ASSERT_TRUE(client);
    EXPECT_TRUE(turn_until(loop, [&] { return accepted >= 2; }));  // the refused listener knocked, too
  }
  EXPECT_FALSE(FrameSocket::connect(loop, path, none)) << "the path goes with the listener";
}

TEST(Redacted, hides_the_text_but_lets_lines_be_matched) {
  EXPECT_EQ(Redacted("Wang Fang").shown().find("Wang"), std::string::npos);
  EXPECT_EQ(Redacted("a").shown(), Redacted("a").shown());
  EXPECT_NE(Redacted("a").shown(), Redacted("b").shown());
}

TEST(Logger, quotes_values_and_writes_one_line_per_event) {
  const std::string path = ::testing::TempDir() + "huitang-log-test-" + std::to_string(::getpid());
  configure_log({.level = LogLevel::Info, .file = path});
  root_logger().with({{"worker", 3}}).info("peer opened", {{"note", "two\nlines"}, {"n", 7}});
  root_logger().debug("not shown");
  configure_log({});
  std::FILE* file = std::fopen(path.c_str(), "r");
  ASSERT_NE(file, nullptr);
  char text[500] = {};
  const size_t size = std::fread(text, 1, sizeof text - 1, file);
  std::fclose(file);
  ::unlink(path.c_str());
  const std::string line(text, size);
  EXPECT_NE(line.find("info  peer opened worker=3 note=\"two\\nlines\" n=7\n"), std::string::npos) << line;
  EXPECT_EQ(line.find("not shown"), std::string::npos);
}

}  // namespace
}  // namespace huitang::net
