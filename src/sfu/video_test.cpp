// Video slots: switching, layers, key-frame requests, mute, repair.
#include <gtest/gtest.h>

#include "sfu/retransmit_limiter.h"
#include "sfu/test_bench.h"

namespace huitang::sfu {
namespace {

using namespace testing;

struct VideoTest : ::testing::Test {
  Node node;
  ReceiverIndex viewer;
  SourceHandle a;
  SourceHandle b;
  Vp8Layer layer_a{.sequence = 65530, .timestamp = 0xfffff000, .picture_id = 0x7ffe, .tl0 = 254};
  Vp8Layer layer_b{.sequence = 30, .timestamp = 777, .picture_id = 12, .tl0 = 3};

  void SetUp() override {
    viewer = *node.forwarder.add_receiver(node.now, receiver_config(1));
    node.forwarder.set_receiver_ready(node.now, viewer, true);
    a = node.forwarder.bind_source(node.now, binding(11, 10, SourceKind::Camera));
    b = node.forwarder.bind_source(node.now, binding(22, 20, SourceKind::Camera));
  }
  void view(std::initializer_list<SlotView> slots, uint64_t peer = 1) {
    std::vector<SlotView> v(slots);
    ASSERT_TRUE(node.forwarder.set_view(node.now, PeerId(peer), v));
    node.drain();
  }
  std::vector<ForwardedPacket> send(Vp8Layer& l, SourceHandle s, bool key) {
    for (const auto& p : make_frame(l, s, key)) node.feed(p.packet, p.payload);
    return node.take().packets;
  }
  codec::Vp8Descriptor descriptor(const ForwardedPacket& p) {
    const auto parsed = codec::parse_vp8(node.payload_of(p));
    EXPECT_TRUE(parsed.has_value());
    return parsed->descriptor;
  }
};

TEST_F(VideoTest, waits_for_a_key_frame_and_asks_for_it_at_once) {
  view({show(0, 11)});
  EXPECT_EQ(node.key_frame_requests(SourceNumber(11)), 1u);
  EXPECT_TRUE(send(layer_a, a, false).empty());
  const auto out = send(layer_a, a, true);
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(out[0].csrc, 11u);
  EXPECT_EQ(out[0].ssrc, 1007u);
  EXPECT_EQ(out[0].slot, 6);
  EXPECT_EQ(out[0].payload_type, kVp8Type);
  EXPECT_FALSE(out[0].marker);
  EXPECT_TRUE(out[2].marker);
  EXPECT_EQ(node.key_frame_requests(SourceNumber(11)), 1u);
}

TEST_F(VideoTest, switches_sources_continuously_at_the_key_frame) {
  view({show(0, 11)});
  send(layer_a, a, true);
  node.advance(Duration::millis(33));
  const auto before = send(layer_a, a, false);
  view({show(0, 22)});
  node.advance(Duration::millis(33));
  const auto meanwhile = send(layer_a, a, false);
  ASSERT_EQ(meanwhile.size(), 3u) << "the old picture goes on until the key frame";
  node.advance(Duration::millis(40));
  const auto after = send(layer_b, b, true);
  ASSERT_EQ(after.size(), 3u);
  EXPECT_EQ(after[0].csrc, 22u);
  EXPECT_EQ(after[0].ssrc, before[0].ssrc);
  EXPECT_EQ(after[0].sequence, meanwhile[2].sequence + 1);
  EXPECT_EQ(after[0].timestamp - meanwhile[0].timestamp, 3600u) << "40 ms passed at the node";
  EXPECT_EQ(*descriptor(after[0]).picture_id, (*descriptor(meanwhile[0]).picture_id + 1) & 0x7fff);
  EXPECT_EQ(*descriptor(after[0]).tl0_picture_index,
            static_cast<uint8_t>(*descriptor(meanwhile[0]).tl0_picture_index + 1));
  EXPECT_TRUE(send(layer_a, a, false).empty());
}

TEST_F(VideoTest, does_not_keep_the_old_picture_for_long_when_the_new_source_is_silent) {
  view({show(0, 11)});
  send(layer_a, a, true);
  view({show(0, 22)});
  node.advance(Duration::millis(900));
  EXPECT_EQ(send(layer_a, a, false).size(), 3u);
  node.advance(Duration::millis(200));
  EXPECT_TRUE(send(layer_a, a, false).empty());
}

TEST_F(VideoTest, shows_nothing_at_once_when_the_view_says_so) {
  view({show(0, 11), show(1, 22)});
  send(layer_a, a, true);
  view({show(1, 22)});
  EXPECT_TRUE(send(layer_a, a, false).empty());
  EXPECT_EQ(send(layer_b, b, true).size(), 3u);
}

TEST_F(VideoTest, lets_nothing_out_of_a_closed_source_and_needs_a_key_frame_after) {
  view({show(0, 11)});
  send(layer_a, a, true);
  auto closed = binding(11, 10, SourceKind::Camera);
  closed.forwarded = false;
  node.forwarder.bind_source(node.now, closed);
  EXPECT_TRUE(send(layer_a, a, true).empty());
  EXPECT_EQ(node.forwarder.counters().dropped_muted, 3u);
  node.advance(Duration::seconds(1));
  node.forwarder.bind_source(node.now, binding(11, 10, SourceKind::Camera));
  EXPECT_TRUE(send(layer_a, a, false).empty());
  EXPECT_EQ(send(layer_a, a, true).size(), 3u);
}

TEST_F(VideoTest, asks_once_for_fifty_receivers_and_again_only_after_half_a_second) {
  for (uint64_t peer = 100; peer < 150; ++peer) {
    const auto r = *node.forwarder.add_receiver(node.now, receiver_config(peer));
    node.forwarder.set_receiver_ready(node.now, r, true);
    view({show(3, 11)}, peer);
  }
  EXPECT_EQ(node.key_frame_requests(SourceNumber(11)), 1u);
  node.advance(Duration::millis(450));
  EXPECT_EQ(node.key_frame_requests(SourceNumber(11)), 1u);
  node.advance(Duration::millis(150));
  EXPECT_EQ(node.key_frame_requests(SourceNumber(11)), 2u) << "repeated until it comes";
  EXPECT_EQ(send(layer_a, a, true).size(), 150u);
  node.requests.clear();
  node.advance(Duration::seconds(3));
  EXPECT_EQ(node.key_frame_requests(SourceNumber(11)), 0u);
  for (uint64_t peer = 100; peer < 150; ++peer) {
    node.forwarder.handle_key_frame_ask(node.now, *node.forwarder.find_receiver(PeerId(peer)),
                                        static_cast<uint32_t>(peer * 1000 + 6 + 4));
  }
  node.drain();
  EXPECT_EQ(node.key_frame_requests(SourceNumber(11)), 1u);
}

TEST_F(VideoTest, one_receiver_that_always_asks_costs_one_key_frame_in_two_seconds) {
  view({show(0, 11)});
  send(layer_a, a, true);
  node.advance(Duration::seconds(3));
  node.requests.clear();
  for (int i = 0; i < 200; ++i) {
    node.forwarder.handle_key_frame_ask(node.now, viewer, 1007);
    node.drain();
    node.advance(Duration::millis(50));
    send(layer_a, a, i % 4 == 3);
  }
  EXPECT_GE(node.key_frame_requests(SourceNumber(11)), 5u);
  EXPECT_LE(node.key_frame_requests(SourceNumber(11)), 6u);
}

TEST_F(VideoTest, a_receiver_that_becomes_ready_gets_a_key_frame_asked_for) {
  const auto late = *node.forwarder.add_receiver(node.now, receiver_config(2));
  view({show(0, 11)}, 2);
  EXPECT_EQ(node.key_frame_requests(SourceNumber(11)), 0u);
  node.forwarder.set_receiver_ready(node.now, late, true);
  node.drain();
  EXPECT_EQ(node.key_frame_requests(SourceNumber(11)), 1u);
  node.forwarder.set_receiver_ready(node.now, late, false);
  EXPECT_TRUE(send(layer_a, a, true).empty());
}

TEST_F(VideoTest, upstream_loss_stays_visible_and_late_packets_take_their_place) {
  view({show(0, 11)});
  send(layer_a, a, true);
  auto frame = make_frame(layer_a, a, false);
  node.feed(frame[0].packet, frame[0].payload);
  node.feed(frame[2].packet, frame[2].payload);
  auto out = node.take().packets;
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[1].sequence, out[0].sequence + 2);
  node.advance(Duration::millis(20));
  ASSERT_FALSE(node.requests.empty());
  const auto* nack = std::get_if<UpstreamNack>(&node.requests.back());
  ASSERT_NE(nack, nullptr);
  ASSERT_EQ(nack->count, 1);
  EXPECT_EQ(nack->numbers[0], frame[1].packet.sequence_number);
  node.feed(frame[1].packet, frame[1].payload);
  const auto late = node.take().packets;
  ASSERT_EQ(late.size(), 1u);
  EXPECT_EQ(late[0].sequence, out[0].sequence + 1);
  node.feed(frame[1].packet, frame[1].payload);
  EXPECT_TRUE(node.take().packets.empty()) << "a number must never leave twice";
}

TEST_F(VideoTest, a_key_frame_whose_first_packet_came_late_is_forwarded_whole) {
  view({show(0, 11)});
  auto frame = make_frame(layer_a, a, true);
  node.feed(frame[1].packet, frame[1].payload);
  node.feed(frame[2].packet, frame[2].payload);
  EXPECT_TRUE(node.take().packets.empty());
  node.feed(frame[0].packet, frame[0].payload);
  const auto out = node.take().packets;
  ASSERT_EQ(out.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(out[i].sequence, out[0].sequence + static_cast<int64_t>(i));
  const auto next = send(layer_a, a, false);
  EXPECT_EQ(next[0].sequence, out[2].sequence + 1);
}

TEST_F(VideoTest, serves_lost_packets_from_the_shared_history_also_from_before_a_switch) {
  view({show(0, 11)});
  const auto first = send(layer_a, a, true);
  view({show(0, 22)});
  const auto second = send(layer_b, b, true);
  const std::vector<uint16_t> lost{static_cast<uint16_t>(first[1].sequence),
                                   static_cast<uint16_t>(second[2].sequence)};
  node.forwarder.handle_nack(node.now, viewer, 1007, lost, node.batch);
  const auto rtx = node.take().packets;
  ASSERT_EQ(rtx.size(), 2u);
  const std::array<ForwardedPacket, 2> originals{first[1], second[2]};
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(rtx[i].is_rtx);
    EXPECT_EQ(rtx[i].ssrc, 1507u);
    EXPECT_EQ(rtx[i].payload_type, kVp8RtxType);
    EXPECT_EQ(rtx[i].timestamp, originals[i].timestamp);
    EXPECT_EQ(rtx[i].marker, originals[i].marker);
    EXPECT_EQ(rtx[i].csrc, originals[i].csrc);
    const auto payload = node.payload_of(rtx[i]);
    EXPECT_EQ(core::load_u16(payload.data()), static_cast<uint16_t>(originals[i].sequence));
    EXPECT_EQ(core::Buffer(payload.begin() + 2, payload.end()), node.payload_of(originals[i]));
  }
  EXPECT_EQ(rtx[1].sequence, rtx[0].sequence + 1);
}

TEST_F(VideoTest, limits_what_may_be_asked_again) {
  view({show(0, 11)});
  const auto sent = send(layer_a, a, true);
  const std::vector<uint16_t> lost{static_cast<uint16_t>(sent[0].sequence)};
  size_t served = 0;
  for (int i = 0; i < 40; ++i) {
    node.forwarder.handle_nack(node.now, viewer, 1007, lost, node.batch);
    served += node.take().packets.size();
    node.advance(Duration::millis(12));
  }
  EXPECT_EQ(served, RetransmitLimiter::kMaxTries);
  node.advance(Duration::millis(1000));
  node.forwarder.handle_nack(node.now, viewer, 1007, lost, node.batch);
  EXPECT_TRUE(node.take().packets.empty()) << "too old";
  const std::vector<uint16_t> never{static_cast<uint16_t>(sent[2].sequence + 100)};
  node.forwarder.handle_nack(node.now, viewer, 1007, never, node.batch);
  EXPECT_TRUE(node.take().packets.empty());
}

TEST_F(VideoTest, a_closed_source_is_not_retransmitted_either) {
  view({show(0, 11)});
  const auto sent = send(layer_a, a, true);
  auto closed = binding(11, 10, SourceKind::Camera);
  closed.forwarded = false;
  node.forwarder.bind_source(node.now, closed);
  const std::vector<uint16_t> lost{static_cast<uint16_t>(sent[0].sequence)};
  node.forwarder.handle_nack(node.now, viewer, 1007, lost, node.batch);
  EXPECT_TRUE(node.take().packets.empty());
}

TEST_F(VideoTest, takes_the_layer_that_fits_the_shown_size_and_another_when_it_stops) {
  std::array<Vp8Layer, 3> layers{Vp8Layer{.layer = 0, .width = 320, .height = 180, .sequence = 5},
                                 Vp8Layer{.layer = 1, .width = 640, .height = 360, .sequence = 600},
                                 Vp8Layer{.layer = 2, .width = 1280, .height = 720, .sequence = 9000}};
  const auto send_all = [&](bool key, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      for (const auto& p : make_frame(layers[i], a, key)) node.feed(p.packet, p.payload);
    }
  };
  const auto shown_layer = [&] {
    for (const auto& s : node.forwarder.snapshot_slots(viewer)) {
      if (s.use == SlotUse::Video && s.index == 0) return s.showing == SourceNumber(11) ? int{s.layer} : -1;
    }
    return -1;
  };
  view({show(0, 11, 1280, 720)});
  send_all(true, 3);
  send_all(true, 3);
  EXPECT_EQ(shown_layer(), 2);
  view({show(0, 11, 300, 170)});
  EXPECT_EQ(shown_layer(), 2) << "until the key frame";
  send_all(true, 3);
  EXPECT_EQ(shown_layer(), 0);
  view({show(0, 11, 380, 214)});
  send_all(true, 3);
  EXPECT_EQ(shown_layer(), 0) << "a little larger: not worth a switch";
  view({show(0, 11, 700, 390)});
  send_all(true, 3);
  EXPECT_EQ(shown_layer(), 1);
  for (int i = 0; i < 40; ++i) {  // only layer 0 goes on
    send_all(false, 1);
    node.advance(Duration::millis(33));
  }
  send_all(true, 1);
  EXPECT_EQ(shown_layer(), 0);
  send_all(true, 3);
  send_all(true, 3);
  EXPECT_EQ(shown_layer(), 1);
}

TEST_F(VideoTest, keeps_media_time_exact_between_layers_whose_clocks_are_known) {
  Vp8Layer low{.layer = 0, .width = 320, .height = 180, .timestamp = 1000};
  Vp8Layer high{.layer = 1, .width = 640, .height = 360, .sequence = 70, .timestamp = 900000};
  const rtp::NtpTime ntp = rtp::NtpTime::from_wall(core::WallTime::from_unix_millis(1'600'000'000'000));
  node.forwarder.handle_sender_report(node.now, a, 0, {1, ntp, 1000, 0, 0});
  node.forwarder.handle_sender_report(node.now, a, 1, {2, ntp, 900000, 0, 0});
  view({show(0, 11, 320, 180)});
  const auto first = send(low, a, true);
  send(high, a, true);
  view({show(0, 11, 640, 360)});
  node.advance(Duration::millis(33));
  const auto second = send(low, a, false);
  EXPECT_EQ(second[0].timestamp - first[0].timestamp, 3000u);
  node.advance(Duration::millis(51));  // the key frame was captured 33.3 ms after, but took its time
  high.timestamp = 900000 + 6000;
  const auto third = send(high, a, true);
  ASSERT_FALSE(third.empty());
  EXPECT_EQ(third[0].timestamp - second[0].timestamp, 3000u);
}

TEST_F(VideoTest, short_picture_ids_become_long_ones) {
  layer_a.has_long_id = false;
  layer_a.picture_id = 120;
  view({show(0, 11)});
  auto last = *descriptor(send(layer_a, a, true)[0]).picture_id;
  for (int i = 0; i < 300; ++i) {
    const auto d = descriptor(send(layer_a, a, false)[0]);
    EXPECT_TRUE(d.has_long_picture_id);
    EXPECT_EQ(*d.picture_id, (last + 1) & 0x7fff);
    last = *d.picture_id;
  }
}

TEST_F(VideoTest, a_sender_that_starts_over_is_taken_up_with_a_key_frame) {
  view({show(0, 11)});
  const auto before = send(layer_a, a, true);
  layer_a.sequence = 20000;
  layer_a.picture_id = 5;
  layer_a.timestamp = 99;
  node.requests.clear();
  node.advance(Duration::seconds(1));
  EXPECT_TRUE(send(layer_a, a, false).empty());
  EXPECT_EQ(node.key_frame_requests(SourceNumber(11)), 1u);
  const auto after = send(layer_a, a, true);
  ASSERT_EQ(after.size(), 3u);
  EXPECT_EQ(after[0].sequence, before[2].sequence + 1);
}

TEST_F(VideoTest, growth_keeps_streams_that_play) {
  view({show(0, 11)});
  const auto before = send(layer_a, a, true);
  auto grown = receiver_config(1);
  for (uint16_t i = 16; i < 28; ++i) {
    grown.slots.push_back(
        {SlotUse::Video, i, 5000u + i, 6000u + i, {0, 0, kVp8Type, 0}, {0, 0, kVp8RtxType, 0}});
  }
  EXPECT_EQ(node.forwarder.add_receiver(node.now, grown), viewer);
  const auto after = send(layer_a, a, false);
  ASSERT_EQ(after.size(), 3u);
  EXPECT_EQ(after[0].sequence, before[2].sequence + 1);
  view({show(0, 11), show(27, 22)});
  EXPECT_EQ(send(layer_b, b, true).size(), 3u);
}

TEST_F(VideoTest, histories_stay_within_their_cap_and_let_go_with_age) {
  Node small({.history_packets = 64}, {.buffers = 80, .buffer_size = 1536});
  const auto s = small.forwarder.bind_source(small.now, binding(11, 10, SourceKind::Camera));
  Vp8Layer l;
  for (int i = 0; i < 200; ++i) {
    for (const auto& p : make_frame(l, s, i == 0)) small.feed(p.packet, p.payload);
    small.batch.clear();
    small.slab.reclaim();
    ASSERT_LE(small.slab.in_use(), 64u);
  }
  small.advance(Duration::seconds(2));
  small.slab.reclaim();
  EXPECT_EQ(small.slab.in_use(), 0u);
}

TEST_F(VideoTest, stale_handles_and_foreign_formats_are_refused) {
  node.forwarder.unbind_source(node.now, SourceNumber(11));
  send(layer_a, a, true);
  EXPECT_EQ(node.forwarder.counters().dropped_unknown, 3u);
  const auto c = node.forwarder.bind_source(node.now, binding(33, 30, SourceKind::Camera));
  EXPECT_EQ(c.index, a.index);
  send(layer_a, a, true);
  EXPECT_EQ(node.forwarder.counters().dropped_unknown, 6u);
  MediaPacket wrong;
  wrong.source = c;
  wrong.format = PayloadFormat::Opus;
  node.feed(wrong, core::Buffer(10, 1));
  EXPECT_EQ(node.forwarder.counters().dropped_unknown, 7u);
}

}  // namespace
}  // namespace huitang::sfu
