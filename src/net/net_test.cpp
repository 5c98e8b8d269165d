#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "net/clock.h"
#include "net/event_loop.h"
#include "net/frame_socket.h"
#include "net/log.h"
#include "net/udp_socket.h"

namespace huitang::net {
namespace {

using core::Duration;

constexpr Duration kPatience = Duration::seconds(30);

core::SocketAddress loopback() { return {core::IpAddress::v4(127, 0, 0, 1), 0}; }

/// Turns the loop until `done` or the deadline; the result is whether it became true.
template <class Done>
bool turn_until(EventLoop& loop, Done done) {
  const core::Instant deadline = monotonic_now() + kPatience;
  while (!done() && monotonic_now() < deadline)
    loop.turn(monotonic_now(), monotonic_now() + Duration::millis(20));
  return done();
}

class UdpPair : public ::testing::Test {
 protected:
  UdpPair()
      : a_(UdpSocket::open({.bind = loopback()}).value()),
        b_(UdpSocket::open({.bind = loopback()}).value()) {}

  std::vector<core::Buffer> receive_all(UdpSocket& socket, size_t expected) {
    std::vector<core::Buffer> got;
    std::vector<std::array<uint8_t, 1600>> buffers(UdpSocket::kMaxReceiveBatch);
    const core::Instant deadline = monotonic_now() + kPatience;
    while (got.size() < expected && monotonic_now() < deadline) {
      std::vector<ReceiveSlot> slots;
      for (auto& b : buffers) slots.push_back({.buffer = b});
      const size_t n = socket.receive(slots);
      for (size_t i = 0; i < n; ++i) {
        got.emplace_back(slots[i].buffer.begin(),
                         slots[i].buffer.begin() + static_cast<std::ptrdiff_t>(slots[i].size));
        from_ = slots[i].from;
      }
    }
    return got;
  }

  UdpSocket a_, b_;
  core::SocketAddress from_;
};

TEST_F(UdpPair, a_run_of_equal_packets_leaves_as_one_message_and_arrives_as_separate_datagrams) {
  SendBatch batch;
  const Destination to(b_.local());
  for (uint8_t i = 0; i < 10; ++i) {
    const size_t size = i == 9 ? 300 : 1000;
    std::fill_n(batch.slot().begin(), size, i);
    batch.commit(size, &to);
  }
  batch.flush(a_);
  EXPECT_EQ(a_.counters().packets_out, 10u);
  EXPECT_EQ(a_.counters().messages_out, 1u) << "segmentation offload was not used";
  const auto got = receive_all(b_, 10);
  ASSERT_EQ(got.size(), 10u);
  for (size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(got[i].size(), i == 9 ? 300u : 1000u);
    EXPECT_EQ(got[i][0], i);
  }
  EXPECT_EQ(from_, a_.local());
}

TEST_F(UdpPair, a_larger_packet_or_another_destination_starts_a_new_run) {
  SendBatch batch;
  const Destination to_b(b_.local()), to_a(a_.local());
  for (const size_t size : {500, 500, 400, 400, 700}) {
    std::fill_n(batch.slot().begin(), size, uint8_t{1});
    batch.commit(size, &to_b);
  }
  batch.slot()[0] = 2;
  batch.commit(100, &to_a);
  batch.flush(a_);
  EXPECT_EQ(a_.counters().messages_out, 4u);  // 500 500 400 | 400 | 700 | other destination
  EXPECT_EQ(receive_all(b_, 5).size(), 5u);
  EXPECT_EQ(receive_all(a_, 1).size(), 1u);
}

TEST_F(UdpPair, a_full_batch_is_sent_whole) {
  SendBatch batch;
  const Destination to(b_.local());
  while (!batch.is_full()) {
    std::fill_n(batch.slot().begin(), 1200, uint8_t{7});
    batch.commit(1200, &to);
  }
  batch.flush(a_);
  EXPECT_EQ(a_.counters().dropped_out, 0u);
  EXPECT_EQ(receive_all(b_, SendBatch::kMaxPackets).size(), SendBatch::kMaxPackets);
  EXPECT_EQ(batch.size(), 0u);
}

TEST_F(UdpPair, a_datagram_larger_than_the_buffer_is_counted_and_not_given_out) {
  const core::Buffer large(3000, 1);
  ASSERT_TRUE(a_.send(Destination(b_.local()), large));
  ASSERT_TRUE(a_.send(Destination(b_.local()), core::Bytes(large).first(10)));
  const auto got = receive_all(b_, 2);
  ASSERT_EQ(got.size(), 2u);
  EXPECT_TRUE(got[0].empty());
  EXPECT_EQ(got[1].size(), 10u);
  EXPECT_EQ(b_.counters().oversize_in, 1u);
}

TEST(UdpSocket, a_taken_port_is_an_error_that_names_it) {
  auto first = UdpSocket::open({.bind = loopback()});
  auto second = UdpSocket::open({.bind = first->local()});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().context.find(core::to_string(first->local())), std::string::npos);
}

TEST(UdpSocket, works_over_ipv6) {
  auto a = UdpSocket::open({.bind = {*core::parse_ip("::1"), 0}});
  if (!a) GTEST_SKIP() << "no IPv6 loopback here";
  ASSERT_TRUE(a->send(Destination(a->local()), core::as_bytes("hello")));
  std::array<uint8_t, 100> buffer;
  ReceiveSlot slot{.buffer = buffer};
  while (a->receive({&slot, 1}) == 0) {
  }
  EXPECT_EQ(slot.size, 5u);
  EXPECT_EQ(slot.from, a->local());
}

TEST(EventLoop, runs_work_posted_by_another_thread_in_order) {
  auto loop = EventLoop::make().value();
  std::vector<int> seen;
  std::thread poster([&] {
    for (int i = 0; i < 1000; ++i) loop->post([&seen, i] { seen.push_back(i); });
  });
  EXPECT_TRUE(turn_until(*loop, [&] { return seen.size() == 1000; }));
  poster.join();
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(seen[static_cast<size_t>(i)], i);
}

TEST(EventLoop, stop_from_another_thread_ends_the_turns) {
  auto loop = EventLoop::make().value();
  std::thread stopper([&] { loop->stop(); });
  while (loop->turn(monotonic_now(), core::Instant::far_future())) {
  }
  stopper.join();
}

struct FramePair {
  FramePair() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    a = std::make_unique<FrameSocket>(*loop, Fd(fds[0]));
    raw_b = Fd(fds[1]);
  }
  std::unique_ptr<EventLoop> loop = EventLoop::make().value();
  std::unique_ptr<FrameSocket> a;
  Fd raw_b;
};

TEST(FrameSocket, frames_arrive_whole_and_in_order_whatever_their_size) {
  FramePair p;
  FrameSocket b(*p.loop, std::move(p.raw_b));
  std::vector<size_t> sizes;
  b.start([&](core::Bytes f) { sizes.push_back(f.size()); }, [](auto) {});
  p.a->start([](auto) {}, [](auto) {});
  const std::vector<size_t> sent{0, 1, 100'000, FrameSocket::kMaxFrame, 7};
  for (const size_t size : sent) EXPECT_TRUE(p.a->send(core::Buffer(size, 1)));
  EXPECT_TRUE(turn_until(*p.loop, [&] { return sizes.size() == sent.size(); }));
  EXPECT_EQ(sizes, sent);
}

TEST(FrameSocket, an_announced_oversize_frame_closes_it_before_anything_is_kept) {
  FramePair p;
  auto reason = FrameSocket::CloseReason::PeerClosed;
  bool closed = false;
  p.a->start([](auto) { FAIL(); }, [&](auto r) { reason = r, closed = true; });
  const uint8_t header[] = {0xff, 0xff, 0xff, 0xff};
  ASSERT_EQ(::write(p.raw_b.get(), header, 4), 4);
  EXPECT_TRUE(turn_until(*p.loop, [&] { return closed; }));
  EXPECT_EQ(reason, FrameSocket::CloseReason::FrameTooLarge);
}

TEST(FrameSocket, a_reader_that_does_not_read_is_cut_off_at_the_cap) {
  FramePair p;
  auto reason = FrameSocket::CloseReason::PeerClosed;
  bool closed = false;
  p.a->start([](auto) {}, [&](auto r) { reason = r, closed = true; });
  const core::Buffer frame(1024 * 1024, 1);
  int taken = 0;
  while (p.a->send(frame)) ++taken;
  EXPECT_LE(taken, 33);
  EXPECT_TRUE(turn_until(*p.loop, [&] { return closed; }));
  EXPECT_EQ(reason, FrameSocket::CloseReason::QueueFull);
}

TEST(FrameSocket, the_owner_may_destroy_it_when_it_closes) {
  FramePair p;
  p.a->start([](auto) {}, [&](auto) { p.a.reset(); });
  p.raw_b.reset();
  EXPECT_TRUE(turn_until(*p.loop, [&] { return p.a == nullptr; }));
}

TEST(FrameListener, replaces_a_stale_socket_file_and_refuses_a_live_one) {
  const std::string path = ::testing::TempDir() + "huitang-net-test-" + std::to_string(::getpid()) + ".sock";
  auto loop = EventLoop::make().value();
  int accepted = 0;
  {
    auto first = FrameListener::open(*loop, path, [&](Fd) { ++accepted; });
    ASSERT_TRUE(first);
    auto second = FrameListener::open(*loop, path, [](Fd) {});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, std::errc::address_in_use);
    auto client = connect_unix(path);
    ASSERT_TRUE(client);
    EXPECT_TRUE(turn_until(*loop, [&] { return accepted >= 1; }));
  }
  EXPECT_FALSE(connect_unix(path)) << "the path goes with the listener";
}

TEST(Log, quotes_what_needs_it_and_never_shows_a_secret) {
  const std::string line =
      format_log("peer joined", {{"name", Redacted{"Wang Fang"}}, {"note", "two words"}, {"n", 3}});
  EXPECT_EQ(line.find("Wang"), std::string::npos);
  EXPECT_NE(line.find("note=\"two words\" n=3"), std::string::npos);
  EXPECT_EQ(format_log("x", {{"a", Redacted{"s"}}}), format_log("x", {{"a", Redacted{"s"}}}));
  EXPECT_EQ(format_log("x", {{"a", "line\nbreak"}}).find('\n'), std::string::npos);
}

}  // namespace
}  // namespace huitang::net
