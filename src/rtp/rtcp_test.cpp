#include "rtp/rtcp.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "core/random.h"

namespace huitang::rtp {
namespace {

constexpr ReportBlock kBlock{.ssrc = 7,
                             .fraction_lost = 25,
                             .cumulative_lost = -3,
                             .highest_sequence = 0x1ffff,
                             .jitter = 90,
                             .last_sr = 0x11223344,
                             .delay_since_last_sr = 65536};

template <class T>
T only(core::Bytes bytes) {
  CompoundReader r(bytes);
  const auto p = r.next();
  EXPECT_TRUE(p.has_value());
  EXPECT_FALSE(r.next().has_value());
  EXPECT_FALSE(r.failed());
  return p ? std::get<T>(*p) : T{};
}

TEST(Rtcp, reads_back_a_compound_of_report_and_cname) {
  core::Buffer b(500);
  CompoundWriter w(b);
  const SenderInfo info{1, NtpTime::from_bits(0x0102030405060708), 99, 1000, 200000};
  const std::vector<ReportBlock> blocks{kBlock, {.ssrc = 8, .cumulative_lost = 0x7fffff}};
  ASSERT_TRUE(w.add_sender_report(info, blocks));
  ASSERT_TRUE(w.add_cname(1, "someone@here"));
  CompoundReader r(w.written());
  const auto sr = std::get<SenderReportView>(*r.next());
  EXPECT_EQ(sr.info, info);
  ASSERT_EQ(sr.blocks.size(), 2U);
  EXPECT_EQ(sr.blocks[0], kBlock);
  EXPECT_EQ(sr.blocks[1].cumulative_lost, 0x7fffff);
  const auto sdes = std::get<SdesView>(*r.next());
  EXPECT_EQ(sdes.ssrc, 1U);
  EXPECT_EQ(sdes.cname, "someone@here");
  EXPECT_FALSE(r.next());
  EXPECT_FALSE(r.failed());
}

TEST(Rtcp, ends_the_cname_chunk_for_every_length) {
  for (size_t n = 1; n < 12; ++n) {
    core::Buffer b(100);
    CompoundWriter w(b);
    ASSERT_TRUE(w.add_cname(5, std::string(n, 'x')));
    EXPECT_EQ(w.size() % 4, 0U);
    EXPECT_EQ(only<SdesView>(w.written()).cname.size(), n);
  }
}

TEST(Rtcp, packs_nacks_into_masks_across_the_wrap) {
  const std::vector<uint16_t> lost{65530, 65531, 65535, 0, 10, 11, 500};
  core::Buffer b(100);
  CompoundWriter w(b);
  EXPECT_EQ(w.add_nack(1, 2, lost), lost.size());
  EXPECT_EQ(w.size(), 12U + 3 * 4U);
  std::vector<uint16_t> seen;
  const auto nack = only<NackView>(w.written());
  nack.for_each([&](uint16_t n) { seen.push_back(n); });
  EXPECT_EQ(seen, lost);
  EXPECT_EQ(nack.media_ssrc, 2U);
}

TEST(Rtcp, takes_only_as_many_nacks_as_fit) {
  std::vector<uint16_t> lost;
  for (uint16_t i = 0; i < 100; ++i) lost.push_back(static_cast<uint16_t>(i * 20));
  core::Buffer b(12 + 5 * 4 + 3);
  CompoundWriter w(b);
  EXPECT_EQ(w.add_nack(1, 2, lost), 5U);
}

TEST(Rtcp, reads_back_feedback_and_bye) {
  core::Buffer b(100);
  {
    CompoundWriter w(b);
    w.add_pli(1, 2);
    EXPECT_EQ(only<PliView>(w.written()).media_ssrc, 2U);
  }
  {
    CompoundWriter w(b);
    w.add_fir(1, 3, 77);
    const auto fir = only<FirView>(w.written());
    ASSERT_EQ(fir.size(), 1U);
    EXPECT_EQ(fir.ssrc(0), 3U);
    EXPECT_EQ(fir.command(0), 77);
  }
  {
    CompoundWriter w(b);
    const std::vector<uint32_t> ssrcs{5, 6};
    w.add_remb(1, core::Bitrate::bps(1'234'567), ssrcs);
    const auto remb = only<RembView>(w.written());
    EXPECT_NEAR(static_cast<double>(remb.bitrate.to_bps()), 1'234'567.0, 8.0);
    EXPECT_EQ(remb.ssrc(1), 6U);
    w.add_bye(ssrcs);
  }
  CompoundWriter w(b);
  const std::vector<uint32_t> ssrcs{5, 6};
  w.add_bye(ssrcs);
  EXPECT_EQ(only<ByeView>(w.written())[1], 6U);
}

TEST(Rtcp, reads_back_extended_reports) {
  core::Buffer b(100);
  CompoundWriter w(b);
  w.add_reference_time(9, NtpTime::from_bits(0xaabbccdd11223344));
  const auto xr = only<XrView>(w.written());
  EXPECT_EQ(xr.reference_time->bits(), 0xaabbccdd11223344U);
  CompoundWriter d(b);
  const std::vector<XrView::Dlrr> items{{1, 2, 3}, {4, 5, 6}};
  d.add_dlrr(9, items);
  const auto back = only<XrView>(d.written());
  ASSERT_EQ(back.dlrr_count(), 2U);
  EXPECT_EQ(back.dlrr_at(1).last_rr, 5U);
}

TEST(Rtcp, writes_nothing_when_room_is_short) {
  core::Buffer b(27);
  CompoundWriter w(b);
  EXPECT_FALSE(w.add_sender_report({}, {}));
  EXPECT_EQ(w.size(), 0U);
  EXPECT_TRUE(w.add_pli(1, 2));
  EXPECT_TRUE(w.add_pli(1, 2));
  EXPECT_FALSE(w.add_pli(1, 2));
  EXPECT_EQ(w.size(), 24U);
}

TEST(Rtcp, skips_bad_contents_but_ends_at_a_bad_length) {
  core::Buffer b(100);
  CompoundWriter w(b);
  w.add_nack(1, 2, std::vector<uint16_t>{3});
  const size_t second = w.size();
  w.add_pli(1, 2);
  b.resize(w.size());
  auto bad_contents = b;
  bad_contents[0] = 0x80 | 15;  // now a transport feedback, too short for one
  CompoundReader r(bad_contents);
  EXPECT_TRUE(std::holds_alternative<PliView>(*r.next()));
  EXPECT_TRUE(r.failed());
  auto bad_length = b;
  bad_length[second + 3] = 9;
  CompoundReader r2(bad_length);
  EXPECT_TRUE(std::holds_alternative<NackView>(*r2.next()));
  EXPECT_FALSE(r2.next());
  EXPECT_TRUE(r2.failed());
}

// --- transport-wide feedback ---

constexpr core::Instant at_ms(int64_t ms) { return core::Instant::from_nanos(ms * 1'000'000); }

std::map<int64_t, std::optional<int64_t>> decode(core::Bytes bytes, int64_t base) {
  CompoundReader r(bytes);
  const auto p = r.next();
  EXPECT_TRUE(p && std::holds_alternative<TransportFeedbackView>(*p));
  std::map<int64_t, std::optional<int64_t>> seen;
  if (!p) return seen;
  auto walker = std::get<TransportFeedbackView>(*p).walk();
  for (int64_t n = base; const auto s = walker.next(); ++n) {
    EXPECT_EQ(s->sequence, static_cast<uint16_t>(n));
    seen[n] = s->arrival ? std::optional(s->arrival->to_micros()) : std::nullopt;
  }
  EXPECT_FALSE(r.failed());
  return seen;
}

TEST(TransportFeedback, tells_each_arrival_to_the_tick) {
  core::SeededRandom random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<PacketArrival> arrivals;
    int64_t number = 65000 + random.below(1000);
    const int64_t base = number - random.below(5);
    int64_t us = 1'000'000 + random.below(1'000'000'000);
    const uint32_t loss = random.below(90);
    const uint32_t spread = 1 + random.below(100'000);
    for (int i = 0; i < 200; ++i) {
      if (random.below(100) >= loss) arrivals.push_back({number, core::Instant::from_nanos(us * 1000)});
      number += 1 + (random.below(50) == 0 ? random.below(300) : 0);
      us += static_cast<int64_t>(random.below(spread)) - spread / 10;
    }
    if (arrivals.empty()) continue;
    core::Buffer b(40 + random.below(1200));
    const auto w = write_transport_feedback(b, {.sender_ssrc = 1, .media_ssrc = 2, .base = base}, arrivals);
    ASSERT_GT(w.bytes, 0U);
    ASSERT_LE(w.bytes, b.size());
    const auto seen = decode(core::Bytes(b).first(w.bytes), base);
    ASSERT_EQ(static_cast<int64_t>(seen.size()), w.next_base - base);
    size_t received = 0;
    const int64_t clock_wrap = (int64_t{1} << 24) * 64'000;
    for (const auto& [n, time] : seen) received += time.has_value();
    ASSERT_EQ(received, w.arrivals);
    for (size_t i = 0; i < w.arrivals; ++i) {
      const auto& a = arrivals[i];
      ASSERT_TRUE(seen.at(a.number).has_value());
      EXPECT_EQ(*seen.at(a.number), a.at.to_nanos() / 1000 % clock_wrap / 250 * 250);
    }
  }
}

TEST(TransportFeedback, packs_a_steady_stream_into_runs) {
  std::vector<PacketArrival> arrivals;
  for (int i = 0; i < 1000; ++i) arrivals.push_back({i, at_ms(i)});
  core::Buffer b(2048);
  const auto w = write_transport_feedback(b, {.base = 0}, arrivals);
  EXPECT_EQ(w.arrivals, 1000U);
  EXPECT_EQ(w.bytes, 1024U);  // 20 of header, one chunk, 1000 deltas, 2 of padding
}

TEST(TransportFeedback, stops_before_a_delta_out_of_range) {
  const std::vector<PacketArrival> arrivals{{0, at_ms(0)}, {1, at_ms(8000)}, {2, at_ms(17000)}};
  core::Buffer b(100);
  const auto w = write_transport_feedback(b, {.base = 0}, arrivals);
  EXPECT_EQ(w.arrivals, 2U);
  EXPECT_EQ(w.next_base, 2);
}

TEST(TransportFeedback, writes_nothing_for_a_gap_beyond_the_count) {
  const std::vector<PacketArrival> arrivals{{70000, at_ms(0)}};
  core::Buffer b(100);
  EXPECT_EQ(write_transport_feedback(b, {.base = 0}, arrivals).bytes, 0U);
  const std::vector<PacketArrival> near{{65534, at_ms(0)}};
  EXPECT_EQ(write_transport_feedback(b, {.base = 0}, near).arrivals, 1U);
}

TEST(TransportFeedback, reads_every_kind_of_chunk) {
  // Run of 3 missing; one-bit vector 10 1…; two-bit vector small, large, missing ….
  const core::Buffer payload{0x00, 0x0a, 0x00, 20,   0x00,
                             0x00, 0x02, 0x05,  // base 10, 20 statuses, ref 2, count 5
                             0x00, 0x03,        // run: 3 not received
                             0xa0, 0x01,        // 1-bit: 1 0 0 0 … 0 1
                             0xd8, 0x00,        // 2-bit: 01 10 00
                             4,    8,    12,   0xff, 0xfc};
  const auto v = parse_transport_feedback(1, 2, payload);
  ASSERT_TRUE(v);
  EXPECT_EQ(v->reference_time, 2);
  EXPECT_EQ(v->feedback_count, 5);
  std::map<uint16_t, int64_t> seen;
  auto walker = v->walk();
  int count = 0;
  while (const auto s = walker.next()) {
    ++count;
    if (s->arrival) seen[s->sequence] = s->arrival->to_micros();
  }
  EXPECT_EQ(count, 20);
  EXPECT_EQ(seen, (std::map<uint16_t, int64_t>{{13, 129'000}, {26, 131'000}, {27, 134'000}, {28, 133'000}}));
}

TEST(TransportFeedback, refuses_missing_deltas_reserved_symbols_and_no_statuses) {
  const core::Buffer missing{0, 0, 0, 3, 0, 0, 0, 0, 0x20, 0x03, 1, 1};
  EXPECT_EQ(parse_transport_feedback(1, 2, missing).error(), core::ParseError::Truncated);
  const core::Buffer reserved{0, 0, 0, 1, 0, 0, 0, 0, 0x60, 0x01, 1, 1};
  EXPECT_EQ(parse_transport_feedback(1, 2, reserved).error(), core::ParseError::Malformed);
  const core::Buffer none{0, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(parse_transport_feedback(1, 2, none).error(), core::ParseError::Malformed);
}

// --- NTP ---

TEST(NtpTime, counts_from_1900_and_keeps_differences) {
  const auto epoch = NtpTime::from_wall(core::WallTime::from_unix_millis(0));
  EXPECT_EQ(epoch.seconds(), 2'208'988'800U);
  const auto later = epoch + core::Duration::millis(1500);
  EXPECT_EQ(later.fraction(), 1U << 31);
  EXPECT_EQ(later - epoch, core::Duration::millis(1500));
  EXPECT_EQ(epoch - later, core::Duration::millis(-1500));
  EXPECT_EQ(epoch + core::Duration::millis(-500) - epoch, core::Duration::millis(-500));
}

TEST(NtpTime, gives_the_round_trip_of_a_report) {
  const NtpClock clock(core::Instant(), core::WallTime::from_unix_millis(1'700'000'000'000));
  const auto sent = clock.at(at_ms(1000));
  const auto back = clock.at(at_ms(1150));
  const auto rtt = round_trip_time(back, sent.compact(), to_compact(core::Duration::millis(70)));
  EXPECT_NEAR(rtt.to_seconds(), 0.080, 0.0001);
  EXPECT_EQ(round_trip_time(back, 0, 5), core::Duration());
  EXPECT_GT(round_trip_time(sent, back.compact(), 0), core::Duration());
  EXPECT_LT(round_trip_time(sent, back.compact(), 0), core::Duration::millis(1));
  EXPECT_EQ((clock.instant_of(clock.at(at_ms(777))) - at_ms(777)).to_micros(), 0);
}

}  // namespace
}  // namespace huitang::rtp
