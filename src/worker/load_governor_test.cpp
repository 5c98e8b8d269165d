#include "worker/load_governor.h"

#include <gtest/gtest.h>

#include <vector>

namespace huitang::worker {
namespace {

using core::Duration;
using core::Instant;

/// A thread whose load the test sets, in virtual time.
class Governed : public ::testing::Test {
 protected:
  /// Uses `share` of the core and loses `lost` datagrams a sample; gives the levels entered.
  std::vector<LoadLevel> run(Duration span, double share, uint64_t lost = 0) {
    std::vector<LoadLevel> entered;
    for (const Instant until = now_ + span; now_ < until;) {
      now_ += LoadGovernor::kSampleInterval;
      totals_.cpu += Duration::seconds_f(LoadGovernor::kSampleInterval.to_seconds() * share);
      totals_.lost += lost;
      if (governor_.handle_totals(now_, totals_)) entered.push_back(governor_.level());
    }
    return entered;
  }
  Instant now_ = Instant::from_nanos(1'000'000'000);
  LoadTotals totals_;
  LoadGovernor governor_{now_, {}};
};

TEST_F(Governed, a_worker_at_seventy_percent_gives_up_nothing) {
  EXPECT_TRUE(run(Duration::seconds(600), 0.70).empty());
}

TEST_F(Governed, a_full_core_gives_up_new_peers_then_layers_then_pictures_one_after_the_other) {
  const Instant began = now_;
  const std::vector<LoadLevel> in_order{LoadLevel::NoNewPeers, LoadLevel::LowLayers, LoadLevel::SoundOnly};
  EXPECT_EQ(run(Duration::seconds(10), 1.0), in_order);
  EXPECT_EQ(governor_.level(), LoadLevel::SoundOnly);
  EXPECT_GE(now_ - began, 3 * LoadGovernor::kRiseInterval);
}

TEST_F(Governed, between_the_thresholds_it_stays_where_it_is) {
  run(Duration::seconds(10), 0.82);
  EXPECT_EQ(governor_.level(), LoadLevel::NoNewPeers);
  EXPECT_TRUE(run(Duration::seconds(60), 0.75).empty())
      << "under what it is entered at, over what it is left at";
  EXPECT_EQ(run(Duration::seconds(60), 0.60), std::vector{LoadLevel::Normal});
}

TEST_F(Governed, a_peak_shorter_than_the_smoothing_costs_nothing) {
  run(Duration::seconds(10), 0.5);
  EXPECT_TRUE(run(Duration::millis(500), 1.0).empty());
  EXPECT_TRUE(run(Duration::seconds(30), 0.5).empty());
}

TEST_F(Governed, what_was_given_up_last_comes_back_first_and_each_step_waits) {
  run(Duration::seconds(10), 1.0);
  const std::vector<LoadLevel> back{LoadLevel::LowLayers, LoadLevel::NoNewPeers, LoadLevel::Normal};
  EXPECT_EQ(run(3 * LoadGovernor::kShortestHold + Duration::seconds(4), 0.1), back);
}

TEST_F(Governed, full_buffers_count_as_overload_whatever_the_core_says) {
  EXPECT_EQ(run(LoadGovernor::kSampleInterval, 0.1, 5), std::vector{LoadLevel::NoNewPeers});
  EXPECT_TRUE(run(Duration::seconds(4), 0.1).empty()) << "one loss is no reason for a second step";
  run(Duration::seconds(2), 0.1, 5);
  EXPECT_EQ(governor_.level(), LoadLevel::SoundOnly);
  EXPECT_GT(governor_.snapshot().lossy_samples, 5u);
}

// The load is what the level lets through: pictures cost, so pausing them brings rest and rest brings them back.
TEST_F(Governed, a_box_too_small_for_its_meeting_settles_instead_of_flickering) {
  const auto load_of = [](LoadLevel level) { return level == LoadLevel::SoundOnly ? 0.2 : 1.0; };
  const auto changes_in = [&](Duration span) {
    size_t changes = 0;
    for (const Instant until = now_ + span; now_ < until;)
      changes += run(LoadGovernor::kSampleInterval, load_of(governor_.level())).size();
    return changes;
  };
  const size_t first_minutes = changes_in(Duration::seconds(120));
  const size_t later = changes_in(Duration::seconds(120));
  EXPECT_LT(later, first_minutes);
  EXPECT_LE(later, 6u);
  EXPECT_EQ(governor_.snapshot().hold, LoadGovernor::kLongestHold);
  run(LoadGovernor::kLongestHold * 3 + LoadGovernor::kForget + Duration::seconds(10), 0.1);
  EXPECT_EQ(governor_.snapshot().hold, LoadGovernor::kShortestHold) << "and the past is forgotten in the end";
}

TEST_F(Governed, the_limit_moves_all_levels) {
  governor_ = LoadGovernor(now_, {.limit = 0.05});
  run(Duration::seconds(20), 0.07);
  EXPECT_EQ(governor_.level(), LoadLevel::SoundOnly);
  governor_ = LoadGovernor(now_, {.limit = 1.0});
  run(Duration::seconds(20), 0.95);
  EXPECT_EQ(governor_.level(), LoadLevel::Normal);
  run(Duration::seconds(20), 1.0);
  EXPECT_EQ(governor_.level(), LoadLevel::SoundOnly) << "the levels beyond a limit of all are reached, too";
}

TEST_F(Governed, time_that_stands_still_or_a_counter_that_does_changes_nothing) {
  EXPECT_FALSE(governor_.handle_totals(now_, {Duration::seconds(100), 7}));
  EXPECT_TRUE(run(Duration::seconds(5), 0.0).empty());
  EXPECT_TRUE(governor_.is_consistent());
}

}  // namespace
}  // namespace huitang::worker
