#include "rtp/receive_statistics.h"

#include <gtest/gtest.h>

#include <vector>

namespace huitang::rtp {
namespace {

constexpr core::Instant at_ms(int64_t ms) { return core::Instant::from_nanos(ms * 1'000'000); }

TEST(ReceiveStatistics, counts_loss_of_the_interval_and_in_all) {
  ReceiveStatistics s(7, 90000);
  for (uint16_t i = 0; i < 100; ++i) {
    if (i % 4 != 3) s.handle_packet(at_ms(i), i, i * 90U, 100);
  }
  s.handle_packet(at_ms(100), 100, 9000, 100);
  auto r = s.take_report(at_ms(200));
  EXPECT_EQ(r.ssrc, 7U);
  EXPECT_EQ(r.cumulative_lost, 25);
  EXPECT_EQ(r.fraction_lost, 25 * 256 / 101);
  EXPECT_EQ(r.highest_sequence, 100U);
  for (uint16_t i = 101; i < 111; ++i) s.handle_packet(at_ms(i), i, i * 90U, 100);
  r = s.take_report(at_ms(300));
  EXPECT_EQ(r.fraction_lost, 0);
  EXPECT_EQ(r.cumulative_lost, 25);
  EXPECT_FALSE(s.has_news());
}

TEST(ReceiveStatistics, carries_cycles_over_the_wrap_with_reordering) {
  ReceiveStatistics s(7, 90000);
  for (const uint16_t n : std::vector<uint16_t>{65533, 65535, 65534, 1, 0, 2})
    s.handle_packet(at_ms(0), n, 0, 1);
  const auto r = s.take_report(at_ms(1));
  EXPECT_EQ(r.highest_sequence, 0x10002U);
  EXPECT_EQ(r.cumulative_lost, 0);
  EXPECT_EQ(s.snapshot().late, 2U);
}

TEST(ReceiveStatistics, shows_duplicates_as_negative_loss) {
  ReceiveStatistics s(7, 90000);
  for (int i = 0; i < 3; ++i) s.handle_packet(at_ms(0), 10, 0, 1);
  const auto r = s.take_report(at_ms(1));
  EXPECT_EQ(r.cumulative_lost, -2);
  EXPECT_EQ(r.fraction_lost, 0);
}

TEST(ReceiveStatistics, restarts_after_two_packets_of_a_new_range) {
  ReceiveStatistics s(7, 90000);
  s.handle_packet(at_ms(0), 10, 0, 1);
  s.handle_packet(at_ms(1), 30000, 0, 1);
  EXPECT_EQ(s.take_report(at_ms(1)).highest_sequence, 10U);
  s.handle_packet(at_ms(2), 30001, 0, 1);
  EXPECT_EQ(s.take_report(at_ms(2)).highest_sequence, 30001U);
  EXPECT_EQ(s.snapshot().restarts, 1U);
}

TEST(ReceiveStatistics, measures_jitter_as_rfc_3550_a8) {
  ReceiveStatistics even(7, 48000);
  ReceiveStatistics uneven(7, 48000);
  for (uint16_t i = 0; i < 500; ++i) {
    even.handle_packet(at_ms(20 * i), i, i * 960U, 1);
    uneven.handle_packet(at_ms(20 * i + (i % 2) * 10), i, i * 960U, 1);
  }
  EXPECT_EQ(even.snapshot().jitter, 0U);
  EXPECT_NEAR(uneven.snapshot().jitter, 480, 16);  // each transit differs by 10 ms from the last
}

TEST(ReceiveStatistics, answers_a_sender_report_with_its_age) {
  ReceiveStatistics s(7, 90000);
  EXPECT_EQ(s.take_report(at_ms(0)).last_sr, 0U);
  s.handle_sender_report(at_ms(1000), NtpTime::from_bits(0x0000123456780000));
  const auto r = s.take_report(at_ms(1500));
  EXPECT_EQ(r.last_sr, 0x12345678U);
  EXPECT_EQ(r.delay_since_last_sr, 32768U);
}

TEST(ReceiveStatistics, goes_on_from_what_another_process_exported) {
  ReceiveStatistics whole(7, 48000), first(7, 48000);
  std::optional<ReceiveStatistics> second;
  for (uint16_t i = 0; i < 400; ++i) {
    const auto number = static_cast<uint16_t>(65'400 + i);  // wraps within
    const auto at = at_ms(20 * i + (i % 3) * 5);
    if (i == 150) first.take_report(at), whole.take_report(at);
    if (i == 200) second.emplace(first.export_state());
    if (i % 17 == 0) continue;  // lost
    whole.handle_packet(at, number, i * 960U, 100);
    (second ? *second : first).handle_packet(at, number, i * 960U, 100);
  }
  const auto expected = whole.take_report(at_ms(9000)), got = second->take_report(at_ms(9000));
  EXPECT_EQ(got.fraction_lost, expected.fraction_lost);
  EXPECT_EQ(got.cumulative_lost, expected.cumulative_lost);
  EXPECT_EQ(got.highest_sequence, expected.highest_sequence);
  EXPECT_EQ(got.jitter, expected.jitter);
  EXPECT_EQ(second->snapshot().packets, whole.snapshot().packets);
}

}  // namespace
}  // namespace huitang::rtp
