#include "bwe/send_side_estimator.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/random.h"
#include "rtp/rtcp.h"

namespace huitang::bwe {
namespace {

using core::Bitrate;
using core::ByteCount;
using core::Duration;
using core::Instant;

constexpr Duration millis(int64_t ms) { return Duration::millis(ms); }
constexpr Demand kWantsAll{.next_useful = Bitrate::kbps(20'000), .max_useful = Bitrate::kbps(20'000)};

/// A sender that sends what it may over one queue; feedback comes every 50 ms after 100 ms of round trip.
class Path {
 public:
  explicit Path(SendSideEstimator::Config config = {}) : estimator(std::in_place, now, config) {}

  void run(Duration span, std::optional<Bitrate> fixed = std::nullopt) {
    for (const Instant end = now + span; now < end; now += millis(5)) {
      if (estimator->deadline() && *estimator->deadline() <= now) estimator->handle_timeout(now);
      EXPECT_TRUE(!estimator->deadline() || *estimator->deadline() > now);
      while (const auto e = estimator->poll_event()) target = e->target;
      while (const auto p = estimator->poll_probe()) probe(*p);
      budget_ += (fixed ? *fixed : target).to_bps() / 200;
      for (; budget_ >= 8000; budget_ -= 8000) send(1000, 0, now);
      if (++turn_ % 10 == 0) tell();
      deliver();
      EXPECT_TRUE(estimator->is_consistent());
    }
  }

  Instant now = Instant::from_nanos(1'000'000'000);
  std::optional<SendSideEstimator> estimator;
  Bitrate link = Bitrate::kbps(1000);
  double loss = 0;
  bool is_deaf = false;  ///< feedback is lost
  Bitrate target = Bitrate::kbps(300);
  Duration clock_offset = Duration::seconds(77);
  std::vector<ProbePlan> probes;

 private:
  struct Told {
    Instant at;
    core::Buffer bytes;
  };

  void send(uint16_t bytes, uint16_t cluster, Instant at) {
    const int64_t number = next_++;
    estimator->handle_sent(
        now, SentPacket{.number = static_cast<uint16_t>(number), .bytes = bytes, .probe_cluster = cluster});
    if (std::max(busy_, at) - at > millis(300)) return;
    busy_ = std::max(busy_, at) + Duration::seconds_f(bytes * 8.0 / static_cast<double>(link.to_bps()));
    if (random_.below(1000) < loss * 1000) return;
    arrivals_.push_back({number, busy_ + millis(50) + clock_offset});
  }

  void probe(const ProbePlan& p) {
    probes.push_back(p);
    // The train leaves within this turn as if it were spread in time: the estimator takes `now` as it comes.
    const auto gap = Duration::seconds_f(8000.0 / static_cast<double>(p.rate.to_bps()));
    int64_t bytes = 0;
    for (int i = 0; i < p.min_packets || bytes < p.min_bytes.value(); ++i, bytes += 1000) {
      send(1000, p.cluster, now);
      now += gap;
    }
  }

  void tell() {
    std::vector<rtp::PacketArrival> arrived;
    while (!arrivals_.empty() && arrivals_.front().at <= now + clock_offset) {
      arrived.push_back(arrivals_.front());
      arrivals_.erase(arrivals_.begin());
    }
    if (arrived.empty()) return;
    core::Buffer out(1200);
    const auto w = rtp::write_transport_feedback(out, {1, 2, count_++, told_}, arrived);
    EXPECT_EQ(w.arrivals, arrived.size());
    told_ = w.next_base;
    out.resize(w.bytes);
    if (!is_deaf) on_the_way_.push_back({now + millis(50), std::move(out)});
  }

  void deliver() {
    while (!on_the_way_.empty() && on_the_way_.front().at <= now) {
      rtp::CompoundReader reader(on_the_way_.front().bytes);
      const auto packet = reader.next();
      ASSERT_TRUE(packet);
      estimator->handle_feedback(now, std::get<rtp::TransportFeedbackView>(*packet));
      on_the_way_.erase(on_the_way_.begin());
    }
  }

  core::SeededRandom random_{3};
  int64_t next_ = 65'500;
  int64_t told_ = 65'500;
  int64_t budget_ = 0;
  uint8_t count_ = 0;
  int turn_ = 0;
  Instant busy_;
  std::vector<rtp::PacketArrival> arrivals_;
  std::vector<Told> on_the_way_;
};

SendSideEstimator::Config config_of(int64_t start_kbps) {
  return {.start = Bitrate::kbps(start_kbps), .min = Bitrate::kbps(40), .max = Bitrate::kbps(20'000)};
}

TEST(SendSideEstimator, finds_the_link_and_stays_below_it) {
  for (const int64_t kbps : {200, 1000, 5000}) {
    Path path(config_of(300));
    path.link = Bitrate::kbps(kbps);
    path.estimator->set_demand(path.now, kWantsAll);
    path.run(Duration::seconds(15));
    EXPECT_GT(path.target, path.link * 0.7) << kbps;
    EXPECT_LT(path.target, path.link * 1.15) << kbps;
  }
}

TEST(SendSideEstimator, tries_three_and_six_times_the_start_at_once) {
  Path path(config_of(300));
  path.link = Bitrate::kbps(10'000);
  path.estimator->set_demand(path.now, kWantsAll);
  path.run(Duration::seconds(1));
  ASSERT_GE(path.probes.size(), 3U);
  EXPECT_EQ(path.probes[0].rate, Bitrate::kbps(900));
  EXPECT_EQ(path.probes[1].rate, Bitrate::kbps(1800));
  EXPECT_GT(path.probes[2].rate, Bitrate::kbps(2400));
  EXPECT_GT(path.target, Bitrate::kbps(2400));
}

TEST(SendSideEstimator, probes_for_nothing_that_nobody_could_use) {
  Path path(config_of(300));
  path.estimator->set_demand(path.now, {});
  path.run(Duration::seconds(20), Bitrate::kbps(100));
  EXPECT_TRUE(path.probes.empty());
  path.estimator->set_demand(path.now, {.next_useful = Bitrate::kbps(500), .max_useful = Bitrate::kbps(500)});
  path.run(Duration::seconds(3), Bitrate::kbps(100));
  ASSERT_FALSE(path.probes.empty());
  for (const ProbePlan& p : path.probes) EXPECT_LE(p.rate, Bitrate::kbps(550));
  EXPECT_GE(path.target, Bitrate::kbps(500));
  const size_t before = path.probes.size();
  path.run(Duration::seconds(20), Bitrate::kbps(100));
  EXPECT_EQ(path.probes.size(), before);
  EXPECT_TRUE(path.estimator->estimate().is_application_limited);
}

TEST(SendSideEstimator, falls_with_the_link_and_is_back_within_15_seconds) {
  Path path(config_of(300));
  path.link = Bitrate::kbps(2000);
  path.estimator->set_demand(path.now, kWantsAll);
  path.run(Duration::seconds(20));
  path.link = Bitrate::kbps(300);
  path.run(Duration::seconds(3));
  EXPECT_LT(path.target, Bitrate::kbps(330));
  EXPECT_NE(path.estimator->estimate().limited_by, LimitedBy::Nothing);
  path.run(Duration::seconds(20));
  path.link = Bitrate::kbps(2000);
  path.run(Duration::seconds(15));
  EXPECT_GT(path.target, Bitrate::kbps(1500));
}

TEST(SendSideEstimator, does_not_give_way_to_loss_that_does_not_depend_on_the_rate) {
  for (const double loss : {0.05, 0.1, 0.2}) {
    Path path(config_of(300));
    path.link = Bitrate::kbps(2000);
    path.loss = loss;
    path.estimator->set_demand(path.now, kWantsAll);
    path.run(Duration::seconds(30));
    EXPECT_GT(path.target, Bitrate::kbps(1300)) << loss;
    EXPECT_NEAR(path.estimator->estimate().loss, loss, 0.08);
  }
}

TEST(SendSideEstimator, backs_off_in_silence_and_comes_back) {
  Path path(config_of(300));
  path.estimator->set_demand(path.now, kWantsAll);
  path.run(Duration::seconds(15));
  const Bitrate before = path.target;
  path.is_deaf = true;
  path.run(Duration::seconds(5));
  EXPECT_LT(path.target, before * 0.4);
  EXPECT_EQ(path.estimator->estimate().limited_by, LimitedBy::Silence);
  EXPECT_EQ(path.estimator->snapshot().silences, 1U);
  path.is_deaf = false;
  path.run(Duration::seconds(10));
  EXPECT_GT(path.target, before * 0.5);
}

TEST(SendSideEstimator, takes_a_pause_for_no_silence) {
  Path path(config_of(300));
  path.estimator->set_demand(path.now, kWantsAll);
  path.run(Duration::seconds(15));
  const Bitrate before = path.target;
  path.run(Duration::seconds(1), Bitrate());
  path.now += Duration::seconds(3600);
  path.run(Duration::seconds(1), Bitrate());
  EXPECT_EQ(path.estimator->snapshot().silences, 0U);
  EXPECT_GE(path.target, before * 0.8);
}

TEST(SendSideEstimator, survives_a_receiver_whose_clock_leaps) {
  Path path(config_of(300));
  path.estimator->set_demand(path.now, kWantsAll);
  for (const int64_t leap_s : {100'000, 5, 1'000'000, 3}) {
    path.run(Duration::seconds(15));
    path.clock_offset += Duration::seconds(leap_s);
  }
  path.run(Duration::seconds(15));
  EXPECT_GT(path.target, path.link * 0.6);
  EXPECT_LT(path.target, path.link * 1.2);
}

TEST(SendSideEstimator, goes_on_after_a_step_back_of_its_own_clock) {
  Path path(config_of(300));
  path.run(Duration::seconds(5));
  const Bitrate before = path.target;
  path.estimator->handle_timeout(path.now - Duration::seconds(3));
  path.estimator->handle_sent(path.now - Duration::seconds(3), SentPacket{.number = 9, .bytes = 100});
  EXPECT_TRUE(path.estimator->is_consistent());
  EXPECT_EQ(path.estimator->estimate().target, before);
}

TEST(SendSideEstimator, counts_feedback_about_what_was_never_sent_and_does_no_more) {
  Path path(config_of(300));
  path.run(Duration::seconds(5));
  const Bitrate before = path.estimator->estimate().target;
  std::vector<rtp::PacketArrival> arrivals;
  for (int64_t n = 0; n < 300; ++n) arrivals.push_back({30'000 + n, path.now + millis(n)});
  core::Buffer out(1200);
  const auto w = rtp::write_transport_feedback(out, {1, 2, 0, 30'000}, arrivals);
  rtp::CompoundReader reader(core::Bytes(out).first(w.bytes));
  const auto packet = reader.next();
  ASSERT_TRUE(packet);
  const uint64_t unknown = path.estimator->snapshot().unknown;
  path.estimator->handle_feedback(path.now, std::get<rtp::TransportFeedbackView>(*packet));
  EXPECT_EQ(path.estimator->snapshot().unknown - unknown, w.arrivals);
  EXPECT_EQ(path.estimator->estimate().target, before);
}

TEST(SendSideEstimator, starts_anew_on_another_path) {
  Path path(config_of(300));
  path.link = Bitrate::kbps(5000);
  path.estimator->set_demand(path.now, kWantsAll);
  path.run(Duration::seconds(10));
  path.link = Bitrate::kbps(400);
  path.estimator->handle_network_change(path.now);
  EXPECT_EQ(path.estimator->estimate().target, Bitrate::kbps(300));
  EXPECT_EQ(path.estimator->estimate().limited_by, LimitedBy::Start);
  path.run(Duration::seconds(10));
  EXPECT_LT(path.target, Bitrate::kbps(500));
  EXPECT_GT(path.target, Bitrate::kbps(250));
}

TEST(SendSideEstimator, goes_on_from_what_another_process_exported) {
  Path path(config_of(300));
  path.link = Bitrate::kbps(2000);
  path.estimator->set_demand(path.now, kWantsAll);
  path.run(Duration::seconds(15));
  const SendSideState state = path.estimator->export_state();
  const Bitrate before = path.target;
  path.estimator.emplace(path.now, config_of(300));
  ASSERT_TRUE(path.estimator->restore(path.now, state));
  EXPECT_EQ(path.estimator->snapshot().delay_bound, state.delay_bound);
  path.estimator->set_demand(path.now, kWantsAll);
  path.run(Duration::seconds(2));
  EXPECT_GT(path.target, before * 0.75);
  EXPECT_EQ(path.estimator->snapshot().silences, 0U);
}

TEST(SendSideEstimator, refuses_a_state_that_contradicts_itself) {
  Path path(config_of(300));
  path.run(Duration::seconds(5));
  const SendSideState good = path.estimator->export_state();
  const auto takes = [&](auto spoil) {
    SendSideState state = good;
    spoil(state);
    return SendSideEstimator(path.now, config_of(300)).restore(path.now, state);
  };
  EXPECT_TRUE(takes([](auto&) {}));
  EXPECT_FALSE(takes([](auto& s) { s.delay_bound = Bitrate::bps(-1); }));
  EXPECT_FALSE(takes([](auto& s) { s.target = Bitrate(); }));
  EXPECT_FALSE(takes([](auto& s) { s.inherent_loss = 1.5; }));
  EXPECT_FALSE(takes([](auto& s) { s.round_trip = Duration::seconds(90); }));
  EXPECT_FALSE(takes([](auto& s) { s.link_capacity = Bitrate::bps(INT64_MAX); }));
}

TEST(SendSideEstimator, tells_an_estimate_once) {
  SendSideEstimator e(Instant::from_nanos(1), config_of(300));
  EXPECT_FALSE(e.poll_event());
  EXPECT_EQ(e.estimate().target, Bitrate::kbps(300));
  EXPECT_GT(e.pacing_rate(), e.estimate().target);
}

}  // namespace
}  // namespace huitang::bwe
