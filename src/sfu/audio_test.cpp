// Audio slots: who is heard, where, in which form; the active speaker; lip sync.
#include <gtest/gtest.h>

#include "sfu/test_bench.h"

namespace huitang::sfu {
namespace {

using namespace testing;

constexpr uint8_t kLoud = 20;
constexpr uint8_t kSoft = 45;
constexpr uint8_t kSilent = 127;

struct AudioTest : ::testing::Test {
  Node node;
  std::vector<ReceiverIndex> receivers;
  std::map<uint32_t, Microphone> microphones;

  /// Peers 1..n, microphone 100+peer and camera 200+peer each, all in group 1.
  void meet(uint64_t n, bool takes_red = false) {
    GroupConfig group{GroupId(1), {}, 0, {}};
    for (uint64_t peer = 1; peer <= n; ++peer) {
      receivers.push_back(*node.forwarder.add_receiver(node.now, receiver_config(peer, 6, 16, 2, takes_red)));
      node.forwarder.set_receiver_ready(node.now, receivers.back(), true);
      bind(static_cast<uint32_t>(100 + peer), peer, SourceKind::Microphone);
      bind(static_cast<uint32_t>(200 + peer), peer, SourceKind::Camera);
      group.listeners.push_back(PeerId(peer));
    }
    node.forwarder.set_group(node.now, group);
  }
  SourceHandle bind(uint32_t number, uint64_t peer, SourceKind kind, bool forwarded = true) {
    auto b = binding(number, peer, kind);
    b.forwarded = forwarded;
    const auto handle = node.forwarder.bind_source(node.now, b);
    if (is_audio(kind)) microphones[number].source = handle;
    return handle;
  }
  /// One round of 20 ms with these levels; everything that left.
  std::vector<ForwardedPacket> round(std::map<uint32_t, uint8_t> levels) {
    for (const auto& [number, level] : levels) microphones[number].speak(node, level);
    node.advance(Duration::millis(20));
    return node.take().packets;
  }
  std::vector<ForwardedPacket> rounds(int n, std::map<uint32_t, uint8_t> levels) {
    std::vector<ForwardedPacket> last;
    for (int i = 0; i < n; ++i) last = round(levels);
    return last;
  }
  /// Audio slot on which the receiver gets the source in these packets, or -1.
  int slot_of(const std::vector<ForwardedPacket>& packets, uint64_t peer, uint32_t source) {
    for (const auto& p : packets) {
      if (p.is_audio && p.receiver == receivers[peer - 1] && p.csrc == source) return p.slot;
    }
    return -1;
  }
  std::set<uint32_t> heard_by(const std::vector<ForwardedPacket>& packets, uint64_t peer) {
    std::set<uint32_t> s;
    for (const auto& p : packets) {
      if (p.is_audio && p.receiver == receivers[peer - 1]) s.insert(p.csrc);
    }
    return s;
  }
  void view(uint64_t peer, std::initializer_list<SlotView> slots) {
    std::vector<SlotView> v(slots);
    ASSERT_TRUE(node.forwarder.set_view(node.now, PeerId(peer), v));
  }
  uint32_t active_speaker() {
    uint32_t active = 0;
    for (const Event& e : node.events) {
      if (const auto* s = std::get_if<GroupSpeakers>(&e)) active = s->active.value();
    }
    return active;
  }
};

TEST_F(AudioTest, everyone_hears_the_others_and_nobody_himself) {
  meet(4);
  const auto out = round({{101, kLoud}, {102, kLoud}, {103, kLoud}, {104, kLoud}});
  EXPECT_EQ(heard_by(out, 1), (std::set<uint32_t>{102, 103, 104}));
  EXPECT_EQ(heard_by(out, 4), (std::set<uint32_t>{101, 102, 103}));
}

TEST_F(AudioTest, the_first_packet_of_a_talker_is_heard_and_marked) {
  meet(2);
  rounds(10, {{101, kSilent}});
  const auto out = round({{101, kLoud}});
  ASSERT_EQ(out.size(), 1u);
  EXPECT_TRUE(out[0].marker);
  EXPECT_EQ(out[0].payload_type, kOpusType);
  EXPECT_TRUE(out[0].has_audio_level);
  EXPECT_EQ(out[0].audio_level.level, kLoud);
  EXPECT_FALSE(round({{101, kLoud}})[0].marker);
}

TEST_F(AudioTest, only_the_loudest_four_pass_and_stay_without_flutter) {
  meet(12);
  std::map<uint32_t, uint8_t> levels;
  for (uint32_t i = 1; i <= 12; ++i) levels[100 + i] = static_cast<uint8_t>(i <= 4 ? kLoud : kLoud + 2);
  rounds(20, levels);
  const auto first = heard_by(rounds(1, levels), 12);
  EXPECT_EQ(first.size(), 4u);
  for (int i = 0; i < 200; ++i) {
    for (auto& [source, level] : levels) level = static_cast<uint8_t>(kLoud + node.random.below(4));
    EXPECT_EQ(heard_by(round(levels), 12), first);
  }
}

TEST_F(AudioTest, a_clearly_louder_one_displaces_the_weakest_within_a_tenth_of_a_second) {
  meet(6);
  rounds(50, {{101, kLoud}, {102, kLoud}, {103, kLoud}, {104, kSoft}, {105, kSilent}});
  int needed = 0;
  for (; needed < 50; ++needed) {
    const auto out = round({{101, kLoud}, {102, kLoud}, {103, kLoud}, {104, kSoft}, {105, kLoud}});
    if (heard_by(out, 6).contains(105)) {
      EXPECT_FALSE(heard_by(round({{104, kSoft}}), 6).contains(104));
      break;
    }
  }
  EXPECT_LE(needed, 5);
}

TEST_F(AudioTest, three_hundred_open_microphones_give_no_more_than_four) {
  meet(8);
  std::map<uint32_t, uint8_t> levels;
  for (uint32_t i = 0; i < 300; ++i) {
    bind(1000 + i, 1000 + i, SourceKind::Microphone);
    levels[1000 + i] = static_cast<uint8_t>(20 + i % 60);
  }
  rounds(10, levels);
  for (int i = 0; i < 20; ++i) EXPECT_LE(round(levels).size(), 4u * 8u);
}

TEST_F(AudioTest, the_always_heard_pass_beside_the_loudest) {
  meet(8);
  GroupConfig g{GroupId(1), {PeerId(8)}, 2, {SourceNumber(107)}};
  node.forwarder.set_group(node.now, g);
  std::map<uint32_t, uint8_t> levels{{101, kLoud}, {102, kLoud}, {103, kLoud}, {107, 100}};
  rounds(5, levels);
  const auto heard = heard_by(round(levels), 8);
  EXPECT_EQ(heard.size(), 3u);
  EXPECT_TRUE(heard.contains(107));
}

TEST_F(AudioTest, mute_is_enforced_from_the_next_packet_on) {
  meet(3);
  round({{101, kLoud}, {102, kLoud}});
  bind(101, 1, SourceKind::Microphone, false);
  const auto out = round({{101, kLoud}, {102, kLoud}});
  EXPECT_EQ(heard_by(out, 3), (std::set<uint32_t>{102}));
  EXPECT_EQ(node.forwarder.counters().dropped_muted, 1u);
  bind(101, 1, SourceKind::Microphone, true);
  EXPECT_EQ(heard_by(round({{101, kLoud}}), 3), (std::set<uint32_t>{101}));
}

TEST_F(AudioTest, a_shown_talker_plays_on_the_partner_of_his_picture) {
  meet(5);
  view(5, {show(0, 203), show(1, 201), show(9, 202)});
  const auto out = round({{101, kLoud}, {102, kLoud}, {103, kLoud}, {104, kLoud}});
  EXPECT_EQ(slot_of(out, 5, 103), 0);
  EXPECT_EQ(slot_of(out, 5, 101), 1);
  EXPECT_GE(slot_of(out, 5, 102), 2);
  EXPECT_GE(slot_of(out, 5, 104), 2);
  EXPECT_NE(slot_of(out, 5, 102), slot_of(out, 5, 104));
}

TEST_F(AudioTest, the_sound_follows_when_the_picture_moves_and_others_stay) {
  meet(5);
  view(5, {show(0, 203), show(1, 201)});
  auto out = round({{101, kLoud}, {102, kLoud}, {103, kLoud}});
  const int other = slot_of(out, 5, 102);
  view(5, {show(0, 201), show(1, 203)});
  out = round({{101, kLoud}, {102, kLoud}, {103, kLoud}});
  EXPECT_EQ(slot_of(out, 5, 101), 0);
  EXPECT_EQ(slot_of(out, 5, 103), 1);
  EXPECT_EQ(slot_of(out, 5, 102), other);
  view(5, {});
  out = round({{101, kLoud}, {102, kLoud}, {103, kLoud}});
  EXPECT_EQ(slot_of(out, 5, 101), 0);
  EXPECT_EQ(slot_of(out, 5, 103), 1);
  EXPECT_EQ(slot_of(out, 5, 102), other);
}

TEST_F(AudioTest, a_slot_is_continuous_over_talkers_and_silence) {
  meet(3);
  view(3, {show(0, 201)});
  const auto first = round({{101, kLoud}});
  ASSERT_EQ(slot_of(first, 3, 101), 0);
  view(3, {show(0, 202)});
  node.advance(Duration::millis(980));
  const auto second = round({{102, kLoud}});
  ASSERT_EQ(slot_of(second, 3, 102), 0);
  const auto pick = [&](const std::vector<ForwardedPacket>& v) {
    return *std::ranges::find_if(v, [&](const auto& p) { return p.receiver == receivers[2] && p.slot == 0; });
  };
  const ForwardedPacket one = pick(first);
  const ForwardedPacket two = pick(second);
  EXPECT_EQ(two.ssrc, one.ssrc);
  EXPECT_EQ(two.sequence, one.sequence + 1);
  EXPECT_EQ(two.timestamp - one.timestamp, 48000u);
  EXPECT_TRUE(two.marker);
}

TEST_F(AudioTest, screen_audio_is_heard_beside_four_talkers) {
  meet(6);
  bind(301, 1, SourceKind::Screen);
  bind(401, 1, SourceKind::ScreenAudio);
  std::map<uint32_t, uint8_t> levels{{101, kLoud}, {102, kLoud}, {103, kLoud}, {104, kLoud}, {401, 90}};
  round(levels);
  EXPECT_EQ(heard_by(round(levels), 6), (std::set<uint32_t>{101, 102, 103, 104, 401}));
  EXPECT_EQ(heard_by(round(levels), 1), (std::set<uint32_t>{102, 103, 104})) << "not his own";
}

TEST_F(AudioTest, listeners_outside_the_group_hear_nothing) {
  meet(3);
  node.forwarder.set_group(node.now, {GroupId(1), {PeerId(2)}, 0, {}});
  const auto out = round({{101, kLoud}});
  EXPECT_EQ(heard_by(out, 2).size(), 1u);
  EXPECT_EQ(heard_by(out, 3).size(), 0u);
  node.forwarder.close_group(node.now, GroupId(1));
  EXPECT_TRUE(round({{101, kLoud}}).empty());
}

// ---- RED
// ----------------------------------------------------------------------------------------------------------

struct RedTest : AudioTest {
  /// Peer 1 sends; 2 takes RED, 3 does not.
  void SetUp() override {
    meet(3, true);
    auto plain = receiver_config(3, 6, 16, 2, false);
    node.forwarder.add_receiver(node.now, plain);
  }
  ForwardedPacket to(const std::vector<ForwardedPacket>& v, uint64_t peer) {
    return *std::ranges::find_if(v, [&](const auto& p) { return p.receiver == receivers[peer - 1]; });
  }
};

TEST_F(RedTest, is_made_of_plain_opus_for_those_who_take_it) {
  const auto first = round({{101, kLoud}});
  EXPECT_EQ(to(first, 2).payload_type, kOpusType) << "nothing older belongs to this run";
  const auto second = round({{101, kLoud}});
  const auto red = to(second, 2);
  const auto plain = to(second, 3);
  EXPECT_EQ(red.payload_type, kRedType);
  EXPECT_EQ(plain.payload_type, kOpusType);
  EXPECT_EQ(red.timestamp - to(first, 2).timestamp, 960u);
  const auto payload = node.payload_of(red);
  const auto parsed = codec::parse_red(payload);
  ASSERT_TRUE(parsed.has_value());
  ASSERT_EQ(parsed->count, 2);
  EXPECT_EQ(parsed->blocks[0].payload_type, kOpusType);
  EXPECT_EQ(parsed->blocks[0].timestamp_offset, 960);
  const auto as_buffer = [](core::Bytes b) { return core::Buffer(b.begin(), b.end()); };
  EXPECT_EQ(as_buffer(parsed->blocks[0].data), node.payload_of(to(first, 3)));
  EXPECT_EQ(as_buffer(parsed->newest().data), node.payload_of(plain));
}

TEST_F(RedTest, made_red_does_not_repeat_across_a_loss) {
  round({{101, kLoud}});
  round({{101, kLoud}});
  ++microphones[101].sequence;
  microphones[101].timestamp += 960;
  EXPECT_EQ(to(round({{101, kLoud}}), 2).payload_type, kOpusType);
  EXPECT_EQ(to(round({{101, kLoud}}), 2).payload_type, kRedType);
}

TEST_F(RedTest, is_passed_with_the_receivers_payload_types_and_unwrapped_for_others) {
  MediaPacket p;
  p.source = microphones[101].source;
  p.format = PayloadFormat::Red;
  p.audio_level = rtp::AudioLevel{true, kLoud};
  const core::Buffer older(50, 0x11), newest(70, 0x22);
  const std::array<codec::RedBlock, 2> blocks{codec::RedBlock{120, 960, older},
                                              codec::RedBlock{120, 0, newest}};
  std::array<uint8_t, 500> payload{};
  const size_t size = codec::write_red(payload, blocks);
  for (uint16_t i = 0; i < 2; ++i) {
    node.batch.clear();
    p.sequence_number = i;
    p.timestamp = i * 960u;
    node.feed(p, core::Bytes(payload).first(size));
  }
  const auto out = node.take().packets;
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(node.payload_of(to(out, 3)), newest);
  EXPECT_EQ(to(out, 3).payload_type, kOpusType);
  EXPECT_EQ(to(out, 2).payload_type, kRedType);
  const auto red = node.payload_of(to(out, 2));
  const auto parsed = codec::parse_red(red);
  ASSERT_TRUE(parsed.has_value());
  ASSERT_EQ(parsed->count, 2);
  EXPECT_EQ(parsed->blocks[0].payload_type, kOpusType);
  EXPECT_EQ(parsed->newest().payload_type, kOpusType);
  EXPECT_EQ(core::Buffer(parsed->newest().data.begin(), parsed->newest().data.end()), newest);
  EXPECT_EQ(core::Buffer(parsed->blocks[0].data.begin(), parsed->blocks[0].data.end()), older);
}

TEST_F(RedTest, broken_red_is_dropped_and_counted) {
  MediaPacket p;
  p.source = microphones[101].source;
  p.format = PayloadFormat::Red;
  p.audio_level = rtp::AudioLevel{true, kLoud};
  node.feed(p, core::Buffer{0xff, 0xff, 0xff});
  EXPECT_TRUE(node.take().packets.empty());
  EXPECT_EQ(node.forwarder.counters().dropped_malformed, 1u);
}

// ---- active speaker
// -----------------------------------------------------------------------------------------------

TEST_F(AudioTest, the_speaker_changes_after_two_seconds_of_speech_and_stays_three) {
  meet(4);
  rounds(40, {{101, kLoud}});
  EXPECT_EQ(active_speaker(), 101u);
  rounds(200, {{101, kLoud}});
  rounds(50, {{102, kLoud}});
  rounds(100, {{101, kLoud}});
  EXPECT_EQ(active_speaker(), 101u) << "a second of another's words is no speech";
  rounds(95, {{102, kLoud}});
  EXPECT_EQ(active_speaker(), 101u);
  rounds(30, {{102, kLoud}});
  EXPECT_EQ(active_speaker(), 102u);
  rounds(110, {{103, kLoud}});
  EXPECT_EQ(active_speaker(), 102u) << "three seconds at least";
  rounds(50, {{103, kLoud}});
  EXPECT_EQ(active_speaker(), 103u);
  rounds(300, {{103, kSilent}});
  EXPECT_EQ(active_speaker(), 103u) << "silence keeps the last one";
}

TEST_F(AudioTest, the_speakers_slot_switches_by_itself_and_shows_nobody_himself) {
  meet(3);
  for (uint64_t peer = 1; peer <= 3; ++peer) view(peer, {{SlotUse::Video, 0, GroupId(1), 640, 360, 0}});
  const auto wanted = [&](uint64_t peer) {
    for (const auto& s : node.forwarder.snapshot_slots(receivers[peer - 1])) {
      if (s.use == SlotUse::Video && s.index == 0) return s.wanted.value();
    }
    return 0u;
  };
  rounds(60, {{101, kLoud}});
  EXPECT_EQ(wanted(2), 201u);
  EXPECT_EQ(wanted(3), 201u);
  EXPECT_NE(wanted(1), 201u);
  rounds(300, {{102, kLoud}});
  EXPECT_EQ(wanted(1), 202u);
  EXPECT_EQ(wanted(3), 202u);
  EXPECT_EQ(wanted(2), 201u) << "the speaker sees the one before";
  const auto out = round({{102, kLoud}});
  EXPECT_EQ(slot_of(out, 3, 102), 0) << "and his sound is beside his picture";
  node.forwarder.unbind_source(node.now, SourceNumber(102));
  node.forwarder.unbind_source(node.now, SourceNumber(202));
  EXPECT_EQ(wanted(3), 201u);
}

TEST_F(AudioTest, talkers_are_told_loudest_first) {
  meet(4);
  rounds(30, {{101, kSoft}, {102, kLoud}});
  bind(103, 3, SourceKind::Microphone);
  rounds(1, {{103, 30}});
  const GroupSpeakers* last = nullptr;
  for (const Event& e : node.events) {
    if (const auto* s = std::get_if<GroupSpeakers>(&e)) last = s;
  }
  ASSERT_NE(last, nullptr);
  ASSERT_EQ(last->count, 3);
  EXPECT_EQ(last->sources[0], SourceNumber(102));
}

// ---- lip sync
// -----------------------------------------------------------------------------------------------------

// A viewer computes, from the reports of a pair of slots, when on one clock a sound and a picture were
// captured. Both must give what the sender meant, before and after any switch.
TEST_F(AudioTest, sound_and_picture_of_a_pair_tell_the_same_time) {
  meet(3);
  struct Sender {
    rtp::NtpTime zero;    // his clock when the test begins
    uint32_t audio_zero;  // RTP timestamps at that moment
    uint32_t video_zero;
    Duration video_delay;  // his pictures leave so much later than they were taken
  };
  const std::map<uint64_t, Sender> senders{
      {1, {rtp::NtpTime::from_wall(core::WallTime::from_unix_millis(1'000'000'000'000)), 77, 0xfffffff0, {}}},
      {2,
       {rtp::NtpTime::from_wall(core::WallTime::from_unix_millis(1'900'000'000'000)), 0xffffff00, 5,
        Duration::millis(400)}}};
  const Instant begin = node.now;
  std::map<uint64_t, Vp8Layer> cameras;
  const auto audio_ticks = [&](Instant t) {
    return static_cast<uint32_t>((t - begin).to_micros() * 48 / 1000);
  };
  const auto video_ticks = [&](Instant t) {
    return static_cast<uint32_t>((t - begin).to_micros() * 90 / 1000);
  };

  std::map<uint32_t, rtp::SenderInfo> reports;              // by slot ssrc of receiver 3
  std::map<uint32_t, std::pair<uint32_t, Instant>> latest;  // ssrc → timestamp, true capture time
  std::map<uint32_t, uint32_t> source_of;                   // ssrc → csrc

  const auto run = [&](int milliseconds) {
    for (int ms = 0; ms < milliseconds; ms += 20) {
      for (const auto& [peer, s] : senders) {
        const auto number = static_cast<uint32_t>(peer);
        Microphone& mic = microphones[100 + number];
        mic.timestamp = s.audio_zero + audio_ticks(node.now);
        mic.speak(node, kLoud);
        Vp8Layer& camera = cameras[peer];
        camera.packets_per_frame = 1;
        camera.timestamp = s.video_zero + video_ticks(node.now - s.video_delay);
        const auto handle = node.forwarder.find_source(SourceNumber(200 + number));
        for (const auto& p : make_frame(camera, handle, true, 0)) node.feed(p.packet, p.payload);
        if (ms % 1000 == 500) {
          const rtp::NtpTime ntp = s.zero + (node.now - begin);
          node.forwarder.handle_sender_report(node.now, mic.source, 0,
                                              {1, ntp, s.audio_zero + audio_ticks(node.now), 0, 0});
          node.forwarder.handle_sender_report(node.now, handle, 0,
                                              {2, ntp, s.video_zero + video_ticks(node.now), 0, 0});
        }
      }
      for (const auto& p : node.batch.packets) {
        if (p.receiver != receivers[2]) continue;
        source_of[p.ssrc] = p.csrc;
        latest[p.ssrc] = {p.timestamp,
                          p.is_audio || p.csrc == 201 ? node.now : node.now - Duration::millis(400)};
      }
      node.advance(Duration::millis(20));
      for (const auto& r : node.batch.reports) {
        if (r.receiver == receivers[2]) reports[r.info.ssrc] = r.info;
      }
      node.batch.clear();
    }
  };
  // How far the time that the reports give for the newest packet lies from the true one, on the viewer's
  // clock.
  const auto error_of = [&](uint32_t ssrc, uint32_t rate) {
    EXPECT_TRUE(reports.contains(ssrc));
    const auto ticks = static_cast<int32_t>(latest[ssrc].first - reports[ssrc].rtp_timestamp);
    const rtp::NtpTime told = reports[ssrc].ntp + Duration::micros(int64_t{ticks} * 1'000'000 / rate);
    const rtp::NtpClock clock(Instant(), core::WallTime::from_unix_millis(1'700'000'000'000));
    return told - clock.at(latest[ssrc].second);
  };
  for (int swap = 0; swap < 6; ++swap) {
    const uint32_t shown = swap % 2 == 0 ? 202 : 201;
    view(3, {show(0, shown)});
    run(swap == 0 ? 2000 : 300 + swap * 70);
    const uint32_t audio = 3001, video = 3007;
    ASSERT_EQ(source_of[video], shown);
    ASSERT_EQ(source_of[audio], shown - 100);
    const Duration apart = error_of(audio, 48000) - error_of(video, 90000);
    EXPECT_LE(std::abs(apart.to_micros()), 1000) << "swap " << swap;
  }
}

TEST_F(AudioTest, reports_follow_a_switch_at_once_and_then_each_second) {
  meet(2);
  microphones[101].timestamp = 0;
  round({{101, kLoud}});
  node.forwarder.handle_sender_report(
      node.now, microphones[101].source, 0,
      {1, rtp::NtpTime::from_wall(core::WallTime::from_unix_millis(1'000'000)), 960, 0, 0});
  size_t reports = 0;
  for (int i = 0; i < 50; ++i) {
    microphones[101].speak(node, kLoud);
    node.advance(Duration::millis(20));
    reports += node.take().reports.size();
  }
  EXPECT_GE(reports, 18u);
  EXPECT_LE(reports, 21u);
  reports = 0;
  SlotReport last;
  for (int i = 0; i < 500; ++i) {
    microphones[101].speak(node, kLoud);
    node.advance(Duration::millis(20));
    const auto batch = node.take();
    reports += batch.reports.size();
    if (!batch.reports.empty()) last = batch.reports.back();
  }
  EXPECT_GE(reports, 9u);
  EXPECT_LE(reports, 11u);
  EXPECT_EQ(last.receiver, receivers[1]);
  EXPECT_GT(last.info.packet_count, 500u);
}

}  // namespace
}  // namespace huitang::sfu
