#include "worker/pulse.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <deque>
#include <thread>

#include "net/clock.h"
#include "worker/worker_thread.h"

namespace huitang::worker {
namespace {

using core::Duration;
using core::Instant;

constexpr Duration kPatience = Duration::seconds(5);
constexpr Duration kStep = Duration::seconds(2);

/// Two workers that answer when they are let.
class PulseTest : public ::testing::Test {
 protected:
  size_t check_later(Duration by) {
    now_ = now_ + by;
    return pulse_.check(now_);
  }
  void answer(size_t worker) {
    while (!asked_[worker].empty()) {
      asked_[worker].front()();
      asked_[worker].pop_front();
    }
  }
  std::array<std::deque<std::function<void()>>, 2> asked_;
  Instant now_ = Instant() + Duration::seconds(100);
  Pulse pulse_{2, kPatience,
               [this](size_t i, std::function<void()> answer) { asked_[i].push_back(std::move(answer)); }};
};

TEST_F(PulseTest, workers_that_answer_are_asked_again_and_none_is_stuck) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(check_later(kStep), 0u);
    ASSERT_EQ(asked_[0].size(), 1u);
    answer(0);
    answer(1);
  }
}

TEST_F(PulseTest, one_that_does_not_answer_in_time_is_stuck_until_it_does) {
  EXPECT_EQ(check_later(kStep), 0u);
  answer(0);
  EXPECT_EQ(check_later(kStep), 0u) << "it still has time";
  answer(0);
  EXPECT_EQ(check_later(kStep * 2), 1u);
  EXPECT_EQ(asked_[1].size(), 1u) << "a stuck worker is not given more to do";
  answer(0);
  answer(1);
  EXPECT_EQ(check_later(kStep), 0u);
}

TEST(Pulse, a_real_worker_thread_that_hangs_is_seen_and_seen_to_recover) {
  const dtls::Identity identity = dtls::Identity::generate(net::wall_now());
  auto worker = WorkerThread::start({.bind = {core::IpAddress::v4(127, 0, 0, 1), 0},
                                     .public_ips = {core::IpAddress::v4(127, 0, 0, 1)},
                                     .clock = rtp::NtpClock(net::monotonic_now(), net::wall_now())},
                                    identity, [](uint32_t, const Event&) { return true; });
  ASSERT_TRUE(worker);
  std::atomic<int> answers{0};
  Pulse pulse(1, kPatience, [&](size_t, std::function<void()> answer) {
    (*worker)->post([&answers, answer = std::move(answer)](Instant, Worker&) {
      answer();
      ++answers;
    });
  });
  std::atomic<bool> may_go_on{false};
  (*worker)->post([&](Instant, Worker&) { may_go_on.wait(false); });
  const Instant start = net::monotonic_now();
  EXPECT_EQ(pulse.check(start), 0u);
  EXPECT_EQ(pulse.check(start + kPatience * 2), 1u);
  may_go_on.store(true);
  may_go_on.notify_one();
  const Instant deadline = net::monotonic_now() + Duration::seconds(60);
  while (answers == 0 && net::monotonic_now() < deadline) std::this_thread::yield();
  EXPECT_EQ(pulse.check(start + kPatience * 3), 0u);
  worker->reset();  // before what its last answer would count
}

}  // namespace
}  // namespace huitang::worker
