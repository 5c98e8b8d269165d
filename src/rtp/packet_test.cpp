#include "rtp/packet.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "core/random.h"
#include "rtp/demux.h"
#include "rtp/extension.h"
#include "rtp/rtx.h"

namespace huitang::rtp {
namespace {

constexpr PacketHeader kHeader{.payload_type = 96,
                               .marker = true,
                               .sequence_number = 0x1234,
                               .timestamp = 0xdeadbeef,
                               .ssrc = 0xcafebabe};
constexpr ExtensionIds kIds{.mid = 1,
                            .rid = 2,
                            .repaired_rid = 3,
                            .audio_level = 4,
                            .transport_cc = 5,
                            .abs_send_time = 6,
                            .playout_delay = 7};

core::Buffer make_packet(const ExtensionIds& ids, size_t payload_size, std::span<const uint32_t> csrcs = {}) {
  core::Buffer b(1500);
  HeaderWriter w(b, kHeader, csrcs, ids.form());
  write_mid(w, ids, "cam");
  write_rid(w, ids, "q");
  write_repaired_rid(w, ids, "h");
  write_audio_level(w, ids, {.voice = true, .level = 33});
  write_transport_cc(w, ids, 0xabcd);
  write_abs_send_time(w, ids, 0x123456);
  write_playout_delay(w, ids, {core::Duration::millis(100), core::Duration::millis(2000)});
  const size_t header = w.finish();
  EXPECT_NE(header, 0U);
  for (size_t i = 0; i < payload_size; ++i) b[header + i] = static_cast<uint8_t>(i + 1);
  b.resize(header + payload_size);
  return b;
}

void expect_all_extensions(const PacketView& p, const ExtensionIds& ids) {
  EXPECT_EQ(read_mid(p, ids), "cam");
  EXPECT_EQ(read_rid(p, ids), "q");
  EXPECT_EQ(read_repaired_rid(p, ids), "h");
  EXPECT_EQ(read_audio_level(p, ids), (AudioLevel{.voice = true, .level = 33}));
  EXPECT_EQ(read_transport_cc(p, ids), 0xabcd);
  EXPECT_EQ(read_abs_send_time(p, ids), 0x123456U);
  EXPECT_EQ(read_playout_delay(p, ids),
            (PlayoutDelay{core::Duration::millis(100), core::Duration::millis(2000)}));
}

TEST(RtpPacket, reads_back_what_was_written) {
  const std::array<uint32_t, 15> csrcs{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xffffffff};
  const auto bytes = make_packet(kIds, 7, csrcs);
  const auto p = parse_packet(bytes);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->header.payload_type, 96);
  EXPECT_TRUE(p->header.marker);
  EXPECT_EQ(p->header.sequence_number, 0x1234);
  EXPECT_EQ(p->header.timestamp, 0xdeadbeefU);
  EXPECT_EQ(p->header.ssrc, 0xcafebabeU);
  ASSERT_EQ(p->csrc_count, 15);
  EXPECT_EQ(p->csrc(0), 1U);
  EXPECT_EQ(p->csrc(14), 0xffffffffU);
  EXPECT_EQ(p->payload_size, 7);
  EXPECT_EQ(p->payload()[6], 7);
  EXPECT_EQ(p->header_size % 4, 0);
  expect_all_extensions(*p, kIds);
}

TEST(RtpPacket, uses_the_two_byte_form_for_large_ids) {
  ExtensionIds ids = kIds;
  ids.playout_delay = 200;
  const auto bytes = make_packet(ids, 3);
  const auto p = parse_packet(bytes);
  ASSERT_TRUE(p);
  EXPECT_TRUE(p->has_two_byte_extensions());
  expect_all_extensions(*p, ids);
}

TEST(RtpPacket, writes_no_extension_block_when_nothing_was_negotiated) {
  const auto bytes = make_packet({}, 1);
  EXPECT_EQ(bytes.size(), kFixedHeaderSize + 1);
  const auto p = parse_packet(bytes);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->extension_profile, 0);
  EXPECT_FALSE(read_mid(*p, kIds));
}

TEST(RtpPacket, refuses_elements_that_the_form_cannot_carry) {
  core::Buffer b(200);
  HeaderWriter too_long(b, kHeader);
  too_long.add_extension(1, core::Buffer(17));
  EXPECT_EQ(too_long.finish(), 0U);
  HeaderWriter reserved(b, kHeader);
  reserved.add_extension(15, core::Buffer(1));
  EXPECT_EQ(reserved.finish(), 0U);
  HeaderWriter small(core::MutableBytes(b).first(16), kHeader);
  small.add_extension(1, core::Buffer(4));
  EXPECT_EQ(small.finish(), 0U);
}

TEST(RtpPacket, reserves_room_to_fill_in_later) {
  core::Buffer b(100);
  HeaderWriter w(b, kHeader);
  const size_t at = w.reserve_extension(5, 2);
  b.resize(w.finish());
  core::store_u16(b.data() + at, 777);
  const auto p = parse_packet(b);
  ASSERT_TRUE(p);
  EXPECT_EQ(read_transport_cc(*p, kIds), 777);
  EXPECT_EQ(find_extension(*p, 5)->offset, at);
}

TEST(RtpPacket, skips_padding_between_elements_and_stops_at_id_15) {
  // RFC 8285 section 4.2: 0 bytes are padding; id 15 ends the processing of the block.
  const core::Buffer b{0x90, 96, 0,    1, 0, 0, 0,    1, 0,    0,    0,    2,    0xbe, 0xde,
                       0,    3,  0x10, 9, 0, 0, 0x20, 8, 0xf0, 0x11, 0x30, 0x07, 0x00, 0x00};
  const auto p = parse_packet(b);
  ASSERT_TRUE(p);
  EXPECT_EQ(read_extension(*p, 1)->front(), 9);
  EXPECT_EQ(read_extension(*p, 2)->front(), 8);
  EXPECT_FALSE(read_extension(*p, 3));
}

TEST(RtpPacket, ignores_an_element_that_runs_over_the_block) {
  const core::Buffer b{0x90, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0xbe, 0xde, 0, 1, 0x1f, 9, 9, 9, 1, 2, 3, 4};
  const auto p = parse_packet(b);
  ASSERT_TRUE(p);
  EXPECT_FALSE(read_extension(*p, 1));
}

TEST(RtpPacket, takes_padding_off_the_payload) {
  auto b = make_packet(kIds, 10);
  const size_t size = b.size();
  b.resize(size + 4);
  ASSERT_TRUE(add_padding(b, size, 4));
  const auto p = parse_packet(b);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->payload_size, 10);
  EXPECT_EQ(p->padding_size, 4);
  EXPECT_EQ(parse_protected_packet(b)->payload_size, 14);
  EXPECT_FALSE(add_padding(b, size, 4));
}

TEST(RtpPacket, refuses_wrong_padding_versions_and_lengths) {
  auto b = make_packet({}, 3);
  b[0] |= 0x20;
  b.back() = 4;
  EXPECT_EQ(parse_packet(b).error(), core::ParseError::Malformed);
  b.back() = 0;
  EXPECT_EQ(parse_packet(b).error(), core::ParseError::Malformed);
  EXPECT_TRUE(parse_protected_packet(b));
  b[0] = 0x40;
  EXPECT_EQ(parse_packet(b).error(), core::ParseError::Unsupported);
}

TEST(RtpPacket, refuses_every_truncation_of_the_header) {
  const std::array<uint32_t, 2> csrcs{1, 2};
  const auto b = make_packet(kIds, 0, csrcs);
  for (size_t n = 0; n < b.size(); ++n) {
    EXPECT_EQ(parse_packet(core::Bytes(b).first(n)).error(), core::ParseError::Truncated) << n;
  }
  EXPECT_TRUE(parse_packet(b));
}

TEST(RtpExtension, saturates_playout_delay_at_its_field) {
  core::Buffer b(100);
  HeaderWriter w(b, kHeader);
  write_playout_delay(w, kIds, {core::Duration::millis(-5), core::Duration::seconds(100)});
  b.resize(w.finish());
  const auto view = parse_packet(b);
  const auto d = read_playout_delay(*view, kIds);
  ASSERT_TRUE(d);
  EXPECT_EQ(d->min, core::Duration());
  EXPECT_EQ(d->max, core::Duration::millis(40950));
}

TEST(RtpExtension, knows_each_uri_both_ways) {
  for (size_t i = 0; i < kExtensionKinds; ++i) {
    const auto kind = static_cast<ExtensionKind>(i);
    EXPECT_EQ(extension_kind_of(uri_of(kind)), kind);
  }
  EXPECT_FALSE(extension_kind_of("urn:3gpp:video-orientation"));
}

TEST(RtpExtension, counts_abs_send_time_in_eighteen_bits_of_a_second) {
  EXPECT_EQ(to_abs_send_time(core::Instant::from_nanos(1'500'000'000)), 3U << 17);
  EXPECT_EQ(to_abs_send_time(core::Instant::from_nanos(64'000'000'000)), 0U);
}

TEST(Rtx, restores_the_original_packet) {
  const std::array<uint32_t, 1> csrcs{42};
  const auto original = make_packet(kIds, 900, csrcs);
  const auto view = parse_packet(original);
  core::Buffer rtx(1500);
  rtx.resize(wrap_rtx(*view, {.payload_type = 97, .ssrc = 5}, 9, rtx));
  ASSERT_EQ(rtx.size(), original.size() + kRtxOverhead);
  const auto wrapped = parse_packet(rtx);
  ASSERT_TRUE(wrapped);
  EXPECT_EQ(wrapped->header.payload_type, 97);
  EXPECT_EQ(wrapped->header.sequence_number, 9);
  EXPECT_EQ(wrapped->header.ssrc, 5U);
  EXPECT_EQ(parse_rtx_payload(wrapped->payload())->original_sequence_number, 0x1234);
  const auto back = unwrap_rtx(rtx, {.payload_type = 96, .ssrc = 0xcafebabe});
  EXPECT_EQ(core::Buffer(back.begin(), back.end()), original);
}

TEST(Rtx, takes_padding_only_for_no_packet) {
  auto b = make_packet({}, 0);
  const size_t size = b.size();
  b.resize(size + 100);
  add_padding(b, size, 100);
  EXPECT_TRUE(unwrap_rtx(b, {}).empty());
  EXPECT_EQ(wrap_rtx(*parse_packet(make_packet(kIds, 10)), {}, 0, core::MutableBytes(b).first(20)), 0U);
}

TEST(Demux, follows_the_ranges_of_rfc_7983_and_5761) {
  const auto of = [](uint8_t first, uint8_t second) {
    const std::array<uint8_t, 2> b{first, second};
    return classify(b);
  };
  EXPECT_EQ(of(0, 1), PacketClass::Stun);
  EXPECT_EQ(of(3, 0), PacketClass::Stun);
  EXPECT_EQ(of(4, 0), PacketClass::Unknown);
  EXPECT_EQ(of(19, 0), PacketClass::Unknown);
  EXPECT_EQ(of(20, 254), PacketClass::Dtls);
  EXPECT_EQ(of(63, 0), PacketClass::Dtls);
  EXPECT_EQ(of(64, 0), PacketClass::Unknown);  // TURN channels are not ours
  EXPECT_EQ(of(128, 96), PacketClass::Rtp);
  EXPECT_EQ(of(128, 0x80 | 96), PacketClass::Rtp);
  EXPECT_EQ(of(129, 200), PacketClass::Rtcp);
  EXPECT_EQ(of(191, 223), PacketClass::Rtcp);
  EXPECT_EQ(of(128, 191), PacketClass::Rtp);
  EXPECT_EQ(of(192, 0), PacketClass::Unknown);
  EXPECT_EQ(classify({}), PacketClass::Unknown);
}

}  // namespace
}  // namespace huitang::rtp
