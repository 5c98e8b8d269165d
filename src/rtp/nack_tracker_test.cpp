#include "rtp/nack_tracker.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/random.h"

namespace huitang::rtp {
namespace {

constexpr core::Instant at_ms(int64_t ms) { return core::Instant::from_nanos(ms * 1'000'000); }

std::vector<uint16_t> poll(NackTracker& t, int64_t ms) {
  std::vector<uint16_t> out(100);
  out.resize(t.poll_nack(at_ms(ms), out));
  return out;
}

TEST(NackTracker, asks_for_a_gap_after_the_reordering_time) {
  NackTracker t;
  t.handle_packet(at_ms(0), 65534);
  t.handle_packet(at_ms(0), 2);
  EXPECT_EQ(poll(t, 4), std::vector<uint16_t>{});
  EXPECT_EQ(t.deadline(), at_ms(5));
  EXPECT_EQ(poll(t, 5), (std::vector<uint16_t>{65535, 0, 1}));
}

TEST(NackTracker, does_not_ask_for_what_was_only_reordered) {
  NackTracker t;
  for (const uint16_t n : std::vector<uint16_t>{1, 3, 2, 4}) t.handle_packet(at_ms(0), n);
  EXPECT_EQ(poll(t, 100), std::vector<uint16_t>{});
  EXPECT_FALSE(t.deadline());
  EXPECT_EQ(t.snapshot().recovered, 0U);
}

TEST(NackTracker, asks_again_after_a_round_trip_and_gives_up_after_the_limit) {
  NackTracker t({.max_retries = 3});
  t.set_round_trip_time(core::Duration::millis(40));
  t.handle_packet(at_ms(0), 1);
  t.handle_packet(at_ms(0), 3);
  EXPECT_EQ(poll(t, 5).size(), 1U);
  EXPECT_EQ(poll(t, 54).size(), 0U);
  EXPECT_EQ(poll(t, 55).size(), 1U);
  EXPECT_EQ(poll(t, 105).size(), 1U);
  EXPECT_FALSE(t.take_given_up());
  EXPECT_EQ(poll(t, 155).size(), 0U);
  EXPECT_TRUE(t.take_given_up());
  EXPECT_FALSE(t.take_given_up());
  EXPECT_FALSE(t.deadline());
}

TEST(NackTracker, counts_a_recovery_only_once_asked_for) {
  NackTracker t;
  t.handle_packet(at_ms(0), 1);
  t.handle_packet(at_ms(0), 3);
  poll(t, 10);
  t.handle_packet(at_ms(30), 2);
  t.handle_packet(at_ms(31), 2);
  EXPECT_EQ(t.snapshot().recovered, 1U);
  EXPECT_EQ(t.snapshot().missing, 0U);
}

TEST(NackTracker, gives_up_at_once_on_a_gap_too_wide) {
  NackTracker t;
  t.handle_packet(at_ms(0), 1);
  t.handle_packet(at_ms(0), 5000);
  EXPECT_TRUE(t.take_given_up());
  EXPECT_EQ(poll(t, 50).size(), 0U);
}

TEST(NackTracker, forgets_what_a_key_frame_makes_needless) {
  NackTracker t;
  for (const uint16_t n : std::vector<uint16_t>{1, 3, 5, 7}) t.handle_packet(at_ms(0), n);
  t.handle_key_frame(5);
  EXPECT_EQ(poll(t, 10), (std::vector<uint16_t>{6}));
  EXPECT_FALSE(t.take_given_up());
}

TEST(NackTracker, leaves_what_does_not_fit_for_the_next_poll) {
  NackTracker t;
  t.handle_packet(at_ms(0), 0);
  t.handle_packet(at_ms(0), 100);
  std::vector<uint16_t> out(10);
  EXPECT_EQ(t.poll_nack(at_ms(5), out), 10U);
  EXPECT_LE(*t.deadline(), at_ms(5));
  EXPECT_EQ(t.poll_nack(at_ms(5), out), 10U);
  EXPECT_EQ(out[0], 11);
}

TEST(NackTracker, waits_for_newer_packets_when_told_so) {
  NackTracker t({.reordering = core::Duration(), .reordering_packets = 3});
  t.handle_packet(at_ms(0), 1);
  t.handle_packet(at_ms(0), 3);
  EXPECT_EQ(poll(t, 1).size(), 0U);
  t.handle_packet(at_ms(2), 5);
  EXPECT_EQ(poll(t, 2), (std::vector<uint16_t>{2}));
}

TEST(NackTracker, stays_consistent_whatever_comes) {
  core::SeededRandom random(3);
  NackTracker t;
  uint16_t n = 60000;
  for (int i = 0; i < 100'000; ++i) {
    n = static_cast<uint16_t>(n + (random.below(500) == 0 ? random.below(600) : random.below(4)));
    t.handle_packet(at_ms(i), static_cast<uint16_t>(n - (random.below(10) == 0 ? random.below(300) : 0)));
    if (random.below(3) == 0) poll(t, i);
    ASSERT_TRUE(t.is_consistent());
    ASSERT_LE(t.snapshot().missing, NackTracker::kMaxMissing);
  }
}

}  // namespace
}  // namespace huitang::rtp
