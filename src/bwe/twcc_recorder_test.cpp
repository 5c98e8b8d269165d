#include "bwe/twcc_recorder.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "core/random.h"
#include "rtp/rtcp.h"

namespace huitang::bwe {
namespace {

constexpr core::Instant at_ms(int64_t ms) { return core::Instant::from_nanos(ms * 1'000'000); }
constexpr core::ByteCount kSize(1000);

/// What a sender learns: the last word on each number (unwrapped from zero), in milliseconds.
class Learned {
 public:
  size_t take(TwccRecorder& recorder, int64_t now_ms, size_t room = 1200) {
    size_t packets = 0;
    core::Buffer out(room);
    while (const size_t n = recorder.poll_feedback(at_ms(now_ms), out)) {
      EXPECT_LE(n, TwccRecorder::kMaxFeedbackSize);
      ++packets;
      rtp::CompoundReader r(core::Bytes(out).first(n));
      const auto p = r.next();
      EXPECT_TRUE(p && std::holds_alternative<rtp::TransportFeedbackView>(*p));
      const auto& v = std::get<rtp::TransportFeedbackView>(*p);
      EXPECT_EQ(v.feedback_count, next_count_++);
      auto walker = v.walk();
      while (const auto s = walker.next()) {
        const int64_t number = unwrapper_.unwrap(s->sequence) - 65536;
        if (s->arrival) {
          times[number] = s->arrival->to_millis();
        } else {
          times.try_emplace(number, -1);
        }
      }
    }
    return packets;
  }
  std::map<int64_t, int64_t> times;

 private:
  core::Unwrapper<uint16_t> unwrapper_;
  uint8_t next_count_ = 0;
};

TEST(TwccRecorder, tells_arrivals_and_losses_in_time) {
  TwccRecorder r({});
  Learned learned;
  r.handle_packet(at_ms(0), 10, 1, kSize);
  r.handle_packet(at_ms(20), 11, 1, kSize);
  r.handle_packet(at_ms(40), 13, 1, kSize);
  EXPECT_EQ(learned.take(r, 40), 0U);
  ASSERT_TRUE(r.deadline());
  EXPECT_LE(*r.deadline(), at_ms(100));
  EXPECT_EQ(learned.take(r, 100), 1U);
  EXPECT_EQ(learned.times, (std::map<int64_t, int64_t>{{10, 0}, {11, 20}, {12, -1}, {13, 40}}));
  EXPECT_FALSE(r.deadline());
}

TEST(TwccRecorder, speaks_every_50_ms_at_high_rates_and_less_at_low_ones) {
  for (const int64_t gap_ms : {1, 200}) {
    TwccRecorder r({});
    Learned learned;
    size_t packets = 0;
    for (int64_t ms = 0; ms < 10'000; ++ms) {
      if (ms % gap_ms == 0) r.handle_packet(at_ms(ms), static_cast<uint16_t>(ms / gap_ms), 1, kSize);
      packets += learned.take(r, ms);
    }
    EXPECT_NEAR(static_cast<double>(packets), gap_ms == 1 ? 200 : 50, 3) << gap_ms;
  }
}

TEST(TwccRecorder, reports_a_late_packet_again_without_losing_the_others) {
  TwccRecorder r({});
  Learned learned;
  for (const uint16_t n : std::vector<uint16_t>{1, 2, 4, 5}) r.handle_packet(at_ms(n), n, 1, kSize);
  learned.take(r, 110);
  EXPECT_EQ(learned.times[3], -1);
  r.handle_packet(at_ms(120), 3, 1, kSize);
  learned.times.clear();
  learned.take(r, 230);
  EXPECT_EQ(learned.times, (std::map<int64_t, int64_t>{{3, 120}, {4, 4}, {5, 5}}));
}

TEST(TwccRecorder, survives_the_wrap_and_huge_gaps) {
  TwccRecorder r({});
  Learned learned;
  for (uint32_t i = 0; i < 300'000; ++i) {
    r.handle_packet(at_ms(i), static_cast<uint16_t>(i), 1, kSize);
    learned.take(r, i);
  }
  learned.take(r, 301'000);
  EXPECT_EQ(learned.times.size(), 300'000U);
  for (const auto& [n, ms] : learned.times) ASSERT_EQ(n, ms);
  r.handle_packet(at_ms(400'000), 30'000, 1, kSize);
  EXPECT_EQ(r.snapshot().jumps, 1U);
  EXPECT_EQ(learned.take(r, 400'100), 1U);
  for (uint16_t n = 30'001; n < 30'100; ++n) r.handle_packet(at_ms(400'200), n, 1, kSize);
  EXPECT_EQ(r.snapshot().jumps, 1U);
}

TEST(TwccRecorder, splits_what_one_packet_cannot_hold) {
  TwccRecorder r({});
  Learned learned;
  for (uint16_t i = 0; i < 500; ++i)
    r.handle_packet(at_ms(i * 70), i, 1, kSize);  // large deltas, two bytes each
  EXPECT_GE(learned.take(r, 40'000, 400), 3U);
  EXPECT_EQ(learned.times.size(), 500U);
}

TEST(TwccRecorder, speaks_early_when_many_numbers_wait) {
  TwccRecorder r({});
  Learned learned;
  for (uint16_t i = 0; i < TwccRecorder::kEarlyFeedback; ++i) r.handle_packet(at_ms(1), i, 1, kSize);
  EXPECT_GE(learned.take(r, 1), 1U);
}

TEST(TwccRecorder, stays_consistent_whatever_comes) {
  core::SeededRandom random(5);
  TwccRecorder r({});
  Learned learned;
  uint16_t n = 0;
  for (int i = 0; i < 200'000; ++i) {
    n = static_cast<uint16_t>(n + random.below(3) + (random.below(2000) == 0 ? random.below(40000) : 0));
    r.handle_packet(at_ms(i), static_cast<uint16_t>(n - random.below(random.below(10) == 0 ? 1500 : 3)), 1,
                    kSize);
    if (random.below(5) == 0) learned.take(r, i);
    ASSERT_TRUE(r.is_consistent());
  }
}

TEST(TwccRecorder, goes_on_from_what_another_process_exported) {
  std::optional<TwccRecorder> recorder(std::in_place, TwccRecorder::Config{});
  Learned learned;
  int64_t told = 0;
  for (int64_t i = 0; i < 3000; ++i) {
    if (i % 10 != 3) recorder->handle_packet(at_ms(i), static_cast<uint16_t>(i), 1, kSize);
    if (i % 70 == 0) learned.take(*recorder, i);
    if (i % 500 != 250) continue;
    const TwccRecorderState state = recorder->export_state();
    recorder.emplace(TwccRecorder::Config{});
    ASSERT_TRUE(recorder->restore(state));
  }
  learned.take(*recorder, 4000);
  for (const auto& [n, ms] : learned.times) {
    EXPECT_EQ(ms, n % 10 == 3 ? -1 : n);
    ++told;
  }
  EXPECT_EQ(told, 3000);
  EXPECT_EQ(recorder->snapshot().jumps, 0U);
  EXPECT_EQ(recorder->snapshot().packets, 2700U);
}

TEST(TwccRecorder, refuses_a_state_that_contradicts_itself) {
  TwccRecorder r({});
  for (uint16_t i = 0; i < 10; ++i) r.handle_packet(at_ms(i), i, 1, kSize);
  const TwccRecorderState good = r.export_state();
  const auto takes = [&](auto spoil) {
    TwccRecorderState state = good;
    spoil(state);
    return TwccRecorder({}).restore(state);
  };
  EXPECT_TRUE(takes([](auto&) {}));
  EXPECT_FALSE(takes([](auto& s) { s.arrivals.pop_back(); }));
  EXPECT_FALSE(takes([](auto& s) { s.base = s.end + 1; }));
  EXPECT_FALSE(takes([](auto& s) { s.begin = -5; }));
  EXPECT_FALSE(takes([](auto& s) { s.end = INT64_MAX; }));
  EXPECT_FALSE(takes([](auto& s) { s.started = false; }));
}

}  // namespace
}  // namespace huitang::bwe
