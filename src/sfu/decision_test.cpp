// The pure decisions: which layer, which audio slot, which numbers are new, when to ask for a key frame.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/random.h"
#include "sfu/audio_placement.h"
#include "sfu/key_frame_requester.h"
#include "sfu/layer_selector.h"
#include "sfu/receive_window.h"
#include "sfu/source_clock.h"

namespace huitang::sfu {
namespace {

using core::Duration;
using core::Instant;

// ---- layers -------------------------------------------------------------------------------------------------------

std::array<LayerFacts, kMaxLayers> three(bool low, bool middle, bool high) {
  return {LayerFacts{low, 320, 180}, LayerFacts{middle, 640, 360}, LayerFacts{high, 1280, 720}, LayerFacts{}};
}

TEST(LayerSelectorTest, takes_the_smallest_that_needs_no_enlarging) {
  const auto all = three(true, true, true);
  EXPECT_EQ(select_layer(all, {160, 90}, std::nullopt), 0);
  EXPECT_EQ(select_layer(all, {320, 180}, std::nullopt), 0);
  EXPECT_EQ(select_layer(all, {640, 360}, std::nullopt), 1);
  EXPECT_EQ(select_layer(all, {800, 450}, std::nullopt), 2);
  EXPECT_EQ(select_layer(all, {3840, 2160}, std::nullopt), 2);
}

TEST(LayerSelectorTest, a_picture_fitted_into_a_narrow_tile_counts_by_the_side_that_limits_it) {
  EXPECT_EQ(select_layer(three(true, true, true), {320, 1000}, std::nullopt), 0);
  EXPECT_EQ(select_layer(three(true, true, true), {1000, 180}, std::nullopt), 0);
}

TEST(LayerSelectorTest, wavering_sizes_cause_no_switch) {
  const auto all = three(true, true, true);
  std::optional<uint8_t> current;
  int switches = 0;
  for (uint16_t i = 0; i < 100; ++i) {
    const uint16_t height = static_cast<uint16_t>(i % 2 == 0 ? 176 : 210);
    const uint8_t next = select_layer(all, {static_cast<uint16_t>(height * 16 / 9), height}, current);
    switches += current && *current != next;
    current = next;
  }
  EXPECT_EQ(switches, 0);
}

TEST(LayerSelectorTest, what_does_not_flow_is_replaced_by_the_best_that_does) {
  EXPECT_EQ(select_layer(three(true, false, false), {1280, 720}, 2), 0);
  EXPECT_EQ(select_layer(three(true, true, false), {1280, 720}, 2), 1);
  EXPECT_EQ(select_layer(three(false, false, true), {100, 50}, 0), 2);
  EXPECT_EQ(select_layer(three(false, false, false), {1280, 720}, std::nullopt), 0);
  EXPECT_EQ(select_layer(three(false, false, false), {1280, 720}, 2), 2);
}

TEST(LayerSelectorTest, unknown_sizes_are_guessed_from_known_ones) {
  std::array<LayerFacts, kMaxLayers> layers{LayerFacts{true, 0, 0}, LayerFacts{true, 640, 360},
                                            LayerFacts{true, 0, 0}};
  EXPECT_EQ(select_layer(layers, {300, 170}, std::nullopt), 0);
  EXPECT_EQ(select_layer(layers, {1280, 720}, std::nullopt), 2);
}

// ---- placement ----------------------------------------------------------------------------------------------------

// Whatever comes: a shown talker is on his partner, nobody plays twice, nobody is dropped while a slot is free, and one
// who is not shown moves only when his slot is claimed.
TEST(AudioPlacementTest, holds_its_rules_over_random_changes) {
  core::SeededRandom random(5);
  AudioPlacement::Slots current;
  current.fill(AudioPlacement::kFree);
  constexpr size_t kCount = 6;
  for (int step = 0; step < 20000; ++step) {
    std::vector<PlacedTalker> talkers;
    std::array<bool, kCount> shown{};
    for (uint32_t s = 0; s < 12; ++s) {
      if (random.below(2) != 0) continue;
      PlacedTalker t{s, -1};
      const uint32_t k = random.below(10);
      if (k < kCount && !shown[k]) {
        t.partner = static_cast<int8_t>(k);
        shown[k] = true;
      }
      talkers.push_back(t);
    }
    AudioPlacement::Slots next;
    const size_t without = AudioPlacement::place(talkers, kCount, current, next);
    size_t used = 0;
    for (size_t k = 0; k < kCount; ++k) used += next[k] != AudioPlacement::kFree;
    ASSERT_EQ(used, std::min(talkers.size(), kCount));
    ASSERT_EQ(without, talkers.size() - used);
    for (const PlacedTalker& t : talkers) {
      ASSERT_LE(std::count(next.begin(), next.end(), t.source), 1);
      if (t.partner >= 0) {
        ASSERT_EQ(next[static_cast<size_t>(t.partner)], t.source);
        continue;
      }
      const auto was = std::find(current.begin(), current.begin() + kCount, t.source) - current.begin();
      if (static_cast<size_t>(was) < kCount && !shown[static_cast<size_t>(was)]) {
        ASSERT_EQ(next[static_cast<size_t>(was)], t.source) << "moved without need";
      }
    }
    current = next;
  }
}

// ---- numbers ------------------------------------------------------------------------------------------------------

TEST(ReceiveWindowTest, agrees_with_a_set_over_loss_reordering_and_duplicates) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    core::SeededRandom random(seed);
    ReceiveWindow window;
    std::vector<bool> seen(200'000);
    int64_t newest = 60'000 + random.below(6000);
    const int64_t first = newest;
    int64_t offset = 0;
    for (int i = 0; i < 20'000; ++i) {
      const int64_t n = std::max(first, newest + 1 + random.below(3) - random.below(8) * random.below(40));
      const auto r = window.handle(static_cast<uint16_t>(n));
      const bool too_old = newest - n >= ReceiveWindow::kSpan;
      const bool is_new = !seen[static_cast<size_t>(n)] && !(too_old && i > 0);
      ASSERT_EQ(r.verdict != ReceiveWindow::Verdict::Duplicate, is_new) << "seed " << seed << " step " << i;
      if (i == 0) offset = r.sequence - n;
      ASSERT_EQ(r.sequence - n, offset) << "extended without slips";
      seen[static_cast<size_t>(n)] = true;
      newest = std::max(newest, n);
    }
  }
}

TEST(ReceiveWindowTest, one_stray_packet_is_no_restart_and_two_in_a_row_are) {
  ReceiveWindow window;
  for (uint16_t n = 100; n < 200; ++n) window.handle(n);
  EXPECT_EQ(window.handle(30000).verdict, ReceiveWindow::Verdict::Jump);
  EXPECT_EQ(window.handle(200).verdict, ReceiveWindow::Verdict::Newest);
  EXPECT_EQ(window.handle(30001).verdict, ReceiveWindow::Verdict::Jump);
  const auto restarted = window.handle(30002);
  EXPECT_EQ(restarted.verdict, ReceiveWindow::Verdict::Restart);
  EXPECT_GT(restarted.sequence, 65536 + 200 + ReceiveWindow::kSpan);
  EXPECT_EQ(window.handle(30003).verdict, ReceiveWindow::Verdict::Newest);
}

// ---- key frames ---------------------------------------------------------------------------------------------------

TEST(KeyFrameRequesterTest, asks_at_once_then_each_half_second_then_slowly_then_no_more) {
  KeyFrameRequester r;
  Instant now = Instant::from_nanos(1'000'000'000);
  EXPECT_FALSE(r.poll(now));
  r.want();
  std::vector<int64_t> asked;
  for (int ms = 0; ms < 200'000; ms += 50) {
    if (r.poll(now + Duration::millis(ms))) asked.push_back(ms);
  }
  ASSERT_EQ(asked.size(), KeyFrameRequester::kMaxTries);
  EXPECT_EQ(asked[0], 0);
  EXPECT_EQ(asked[1], 500);
  EXPECT_EQ(asked[11] - asked[10], 2000);
  EXPECT_FALSE(r.deadline().has_value());
}

TEST(KeyFrameRequesterTest, stops_when_it_came_and_keeps_its_distance_when_wanted_again) {
  KeyFrameRequester r;
  const Instant now = Instant::from_nanos(1'000'000'000);
  r.want();
  EXPECT_TRUE(r.poll(now));
  r.handle_key_frame();
  EXPECT_FALSE(r.poll(now + Duration::seconds(1)));
  r.want();
  EXPECT_TRUE(r.poll(now + Duration::seconds(1)));
  r.handle_key_frame();
  r.want();
  EXPECT_FALSE(r.poll(now + Duration::millis(1400)));
  EXPECT_TRUE(r.poll(now + Duration::millis(1500)));
}

// ---- clocks -------------------------------------------------------------------------------------------------------

TEST(OwnerClockTest, follows_drift_and_smooths_jitter_but_takes_a_step_at_once) {
  OwnerClock clock;
  const auto node = [](int64_t ms) {
    return rtp::NtpTime::from_wall(core::WallTime::from_unix_millis(1'700'000'000'000 + ms));
  };
  const auto owner = [](int64_t ms) {
    return rtp::NtpTime::from_wall(core::WallTime::from_unix_millis(1'000'000'000'000 + ms));
  };
  core::SeededRandom random(1);
  for (int64_t s = 0; s < 3600; ++s) {
    const int64_t drift = s * 1000 / 10'000;  // 100 ppm
    clock.handle_sender_report(owner(s * 1000 + drift), node(s * 1000 + 20 + random.below(10)));
  }
  const Duration error = clock.to_owner(node(3'600'000)) - owner(3'600'000 + 360 - 25);
  EXPECT_LT(std::abs(error.to_millis()), 20);
  clock.handle_sender_report(owner(9'000'000), node(3'600'000));
  EXPECT_LT(std::abs((clock.to_owner(node(3'601'000)) - owner(9'001'000)).to_millis()), 1);
}

}  // namespace
}  // namespace huitang::sfu
