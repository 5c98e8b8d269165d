#include "worker/paced_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

namespace huitang::worker {
namespace {

using core::Bitrate;
using core::Duration;
using core::Instant;

constexpr int64_t kBytes = 1200;
constexpr uint32_t kPicture = 20, kOtherPicture = 30, kRepair = 21;

struct Sent {
  Instant at;
  uint32_t ssrc;
  int64_t sequence;
};

/// A queue on its beat, millisecond by millisecond.
class PacedQueueTest : public ::testing::Test {
 protected:
  sfu::ForwardedPacket packet(uint32_t ssrc) {
    sfu::ForwardedPacket p;
    p.ssrc = ssrc;
    p.sequence = next_++;
    p.is_rtx = ssrc == kRepair;
    p.body = {slab_.acquire(), 0, 1000};
    held_.push_back(p.body.buffer);
    return p;
  }
  void offer(uint32_t ssrc, int64_t bytes = kBytes) {
    const sfu::ForwardedPacket p = packet(ssrc);
    if (queue_.admits(bytes))
      sent_.push_back({now_, p.ssrc, p.sequence});
    else
      queue_.push(now_, p, bytes);
    EXPECT_TRUE(queue_.is_consistent());
  }
  /// One turn with these packets; what is not kept elsewhere goes back to the slab after it.
  void turn(int count, uint32_t ssrc = kPicture) {
    queue_.refill(now_);
    for (int i = 0; i < count; ++i) offer(ssrc);
    end_turn();
  }
  void end_turn() {
    for (const uint32_t buffer : held_) slab_.release(buffer);
    held_.clear();
    slab_.reclaim();
  }
  void run(Duration span) {
    for (const Instant until = now_ + span; now_ < until;) {
      now_ += Duration::millis(1);
      if (!queue_.has_waiting() || now_ < beat_) continue;
      beat_ = now_ + PacedQueue::kBeat;
      queue_.begin_burst(now_);
      while (const auto p = queue_.poll()) sent_.push_back({now_, p->ssrc, p->sequence});
      end_turn();
    }
  }
  size_t sent_by(Instant at) const {
    return static_cast<size_t>(
        std::count_if(sent_.begin(), sent_.end(), [&](const Sent& s) { return s.at <= at; }));
  }

  Instant now_ = Instant::from_nanos(5'000'000'000);
  sfu::PacketSlab slab_{{4096, 1200}};
  PacedQueue queue_{slab_};
  Instant beat_;
  int64_t next_ = 0;
  std::vector<uint32_t> held_;
  std::vector<Sent> sent_;
};

TEST_F(PacedQueueTest, without_a_rate_everything_leaves_at_once) {
  for (int i = 0; i < 10; ++i) {
    turn(200);
    now_ += Duration::millis(1);
  }
  EXPECT_EQ(sent_.size(), 2000u);
  EXPECT_FALSE(queue_.has_waiting());
}

TEST_F(PacedQueueTest, small_pictures_of_a_link_with_room_go_straight_through) {
  queue_.set_rate(now_, Bitrate::kbps(10'000));
  for (int i = 0; i < 100; ++i) {
    turn(8);  // 2.3 Mbit/s
    run(Duration::millis(33));
  }
  EXPECT_EQ(sent_.size(), 800u);
  EXPECT_EQ(queue_.snapshot().held, 0u);
}

TEST_F(PacedQueueTest, a_large_picture_leaves_in_bursts_no_faster_than_the_rate) {
  queue_.set_rate(now_, Bitrate::kbps(5000));
  const Instant start = now_;
  turn(60);  // 72 kB: 115 ms at this rate
  EXPECT_LE(sent_.size(), 7u) << "10 ms of the rate, and the packet that ends the credit";
  run(Duration::millis(300));
  ASSERT_EQ(sent_.size(), 60u);
  std::vector<Instant> bursts;
  for (const Sent& s : sent_) {
    if (bursts.empty() || bursts.back() != s.at) bursts.push_back(s.at);
    const double allowed = 5e6 / 8 * ((s.at - start).to_seconds() + 0.010);
    EXPECT_LE(static_cast<double>(sent_by(s.at)) * kBytes, allowed + kBytes);
  }
  for (size_t i = 1; i < bursts.size(); ++i) EXPECT_GE(bursts[i] - bursts[i - 1], PacedQueue::kBeat);
  EXPECT_GE(sent_.back().at - start, Duration::millis(95));
  EXPECT_LE(sent_.back().at - start, Duration::millis(125));
}

TEST_F(PacedQueueTest, sound_spends_credit_and_never_waits) {
  queue_.set_rate(now_, Bitrate::kbps(100));
  for (int i = 0; i < 50; ++i) {
    queue_.refill(now_);
    queue_.admits(120);  // sent whatever the answer
    run(Duration::millis(20));
  }
  turn(4);
  EXPECT_EQ(sent_.size(), 4u) << "48 kbit/s of sound leave pictures their credit";
}

TEST_F(PacedQueueTest, each_stream_keeps_its_order_and_retransmissions_go_before_pictures) {
  queue_.set_rate(now_, Bitrate::kbps(2000));
  turn(20);
  turn(20, kOtherPicture);
  turn(3, kRepair);
  turn(5);
  run(Duration::seconds(1));
  ASSERT_EQ(sent_.size(), 48u);
  std::map<uint32_t, int64_t> last;
  std::map<uint32_t, Instant> at;
  for (const Sent& s : sent_) {
    if (last.contains(s.ssrc)) {
      EXPECT_GT(s.sequence, last[s.ssrc]);
    }
    last[s.ssrc] = s.sequence;
    at[s.ssrc] = s.at;
  }
  EXPECT_LT(at[kRepair], at[kOtherPicture]);
}

TEST_F(PacedQueueTest, nothing_overtakes_what_waits_when_credit_has_come_again) {
  queue_.set_rate(now_, Bitrate::kbps(2000));
  turn(20);
  const size_t before = sent_.size();
  now_ += Duration::millis(200);  // the beat is late
  turn(1);
  EXPECT_EQ(sent_.size(), before);
  run(Duration::millis(300));
  for (size_t i = 1; i < sent_.size(); ++i) EXPECT_EQ(sent_[i].sequence, sent_[i - 1].sequence + 1);
}

TEST_F(PacedQueueTest, what_would_wait_too_long_leaves_faster_than_the_rate) {
  queue_.set_rate(now_, Bitrate::kbps(100));  // 120 kB would take ten seconds
  const Instant start = now_;
  turn(100);
  run(Duration::millis(400));
  ASSERT_EQ(sent_.size(), 100u);
  EXPECT_LE(sent_.back().at - start, PacedQueue::kMaxWait + PacedQueue::kBeat * 2);
  EXPECT_LE(queue_.snapshot().longest_wait, PacedQueue::kMaxWait + PacedQueue::kBeat * 2);
  EXPECT_GE(sent_[50].at - start, Duration::millis(80)) << "spread over the time there is";
}

TEST_F(PacedQueueTest, what_waits_leaves_at_once_when_the_limit_goes_away) {
  queue_.set_rate(now_, Bitrate::kbps(100));
  turn(100);
  queue_.set_rate(now_, std::nullopt);
  run(Duration::millis(6));
  EXPECT_EQ(sent_.size(), 100u);
}

TEST_F(PacedQueueTest, what_does_not_fit_is_counted_and_its_streams_are_named_once) {
  queue_.set_rate(now_, Bitrate::kbps(100));
  const auto waiting = static_cast<int>(PacedQueue::kMaxWaiting);
  turn(waiting / 2);
  turn(waiting / 2 + 10, kOtherPicture);
  const PacedQueue::Snapshot s = queue_.snapshot();
  EXPECT_EQ(s.dropped, PacedQueue::kMaxWaiting);
  EXPECT_LT(s.waiting, 10u);
  std::vector<uint32_t> dropped;
  while (const auto ssrc = queue_.poll_dropped()) dropped.push_back(*ssrc);
  std::ranges::sort(dropped);
  EXPECT_EQ(dropped, (std::vector<uint32_t>{kPicture, kOtherPicture}));
}

TEST_F(PacedQueueTest, buffers_are_held_as_long_as_something_waits_and_not_longer) {
  {
    PacedQueue queue(slab_);
    queue.set_rate(now_, Bitrate::kbps(100));
    queue.refill(now_);
    size_t held = 0;
    for (int i = 0; i < 20; ++i) {
      const auto p = packet(kPicture);
      if (queue.admits(kBytes)) continue;
      queue.push(now_, p, kBytes);
      ++held;
    }
    end_turn();
    EXPECT_EQ(slab_.in_use(), held);
    now_ += Duration::millis(100);
    queue.begin_burst(now_);
    while (queue.poll()) --held;
    slab_.reclaim();
    EXPECT_EQ(slab_.in_use(), held);
    EXPECT_GT(held, 0u);
  }
  slab_.reclaim();
  EXPECT_EQ(slab_.in_use(), 0u);
}

}  // namespace
}  // namespace huitang::worker
