// The same meeting twice: through one forwarder, and through one that hands over to another at any point. What
// leaves must be the same, number by number.
//
// Allowed to differ, because payloads stay behind: the first frame of a microphone goes without RED's older
// frame, and a retransmission of a packet from before is missed.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "sfu/test_bench.h"

namespace huitang::sfu {
namespace {

using namespace testing;

/// One packet as its receiver gets it.
struct Out {
  ForwardedPacket packet;
  core::Buffer payload;
  bool is_first_of_microphone = false;  ///< since the hand-over
};
struct Recording {
  std::map<std::pair<uint32_t, uint32_t>, std::vector<Out>> streams;  ///< by receiver and ssrc
  std::map<std::pair<uint32_t, uint32_t>, std::vector<int64_t>> rtx;  ///< numbers
  std::map<uint32_t, std::vector<SlotReport>> reports;                ///< by ssrc
  std::vector<Event> events;      ///< without what senders are asked to send: a successor tells it once more
  std::vector<Request> requests;  ///< without those for key frames: a successor asks once more
  std::vector<SourceSnapshot> sources;
  std::vector<SlotSnapshot> slots;
};

/// Deterministic by its seed; nothing that it does depends on what the forwarder puts out.
class Meeting {
 public:
  /// Hands over before that packet of a sender; kNever: one forwarder for all of it.
  static constexpr uint32_t kNever = 0xffffffff;
  Meeting(uint64_t seed, uint32_t hand_over_at) : random_(seed), hand_over_at_(hand_over_at) {
    for (uint64_t peer = 1; peer <= kPeers; ++peer) {
      join(peer);
      add(10 + static_cast<uint32_t>(peer), peer, SourceKind::Camera);
      add(20 + static_cast<uint32_t>(peer), peer, SourceKind::Microphone);
    }
    add(31, 1, SourceKind::Screen);
    add(32, 1, SourceKind::ScreenAudio);
    set_group();
    for (uint64_t peer = 1; peer <= kPeers; ++peer) change_view(peer);
  }
  Recording run(uint32_t steps) {
    for (uint32_t i = 0; i < steps && !::testing::Test::HasFatalFailure(); ++i) {
      act();
      for (Sender& s : senders_) send(s);
      node_->advance(Duration::millis(20));
      collect();
    }
    recording_.sources = node_->forwarder.snapshot_sources();
    for (uint64_t peer = 1; peer <= kPeers; ++peer) {
      for (const SlotSnapshot& s : node_->forwarder.snapshot_slots(receivers_[peer]))
        recording_.slots.push_back(s);
    }
    return std::move(recording_);
  }
  uint32_t packets_sent() const { return sent_; }

 private:
  static constexpr uint64_t kPeers = 5;
  struct Layer {
    Vp8Layer vp8;
    bool is_on = true;
  };
  struct Sender {
    SourceBinding binding;
    SourceHandle handle;
    std::vector<Layer> layers;
    bool is_h264 = false;
    uint8_t level = 127;  ///< of the voice
    bool sent_since = false;
  };

  void join(uint64_t peer) {
    receivers_[peer] =
        *node_->forwarder.add_receiver(node_->now, receiver_config(peer, 3, 4, 1, peer % 2 == 0));
    node_->forwarder.set_receiver_ready(node_->now, receivers_[peer], true);
  }
  void add(uint32_t number, uint64_t owner, SourceKind kind) {
    Sender s{binding(number, owner, kind), {}, {}, owner == 2, 127, false};
    s.handle = node_->forwarder.bind_source(node_->now, s.binding);
    for (uint8_t l = 0; l < (kind == SourceKind::Camera && !s.is_h264 ? 3 : 1); ++l) {
      s.layers.push_back({{.layer = l,
                           .width = static_cast<uint16_t>(160 << l),
                           .height = static_cast<uint16_t>(90 << l),
                           .sequence = static_cast<uint16_t>(65300 + random_.below(400)),
                           .timestamp = random_.below(2) != 0 ? 0xffff0000 : random_.u32(),
                           .picture_id = static_cast<uint16_t>(0x7fe0 + random_.below(32)),
                           .tl0 = 250,
                           .has_long_id = owner != 3},
                          true});
    }
    senders_.push_back(std::move(s));
  }

  // ---- what people do
  void act() {
    switch (random_.below(16)) {
      case 0: change_view(any_peer()); break;
      case 1: toggle_mute(); break;
      case 2: toggle_layer(); break;
      case 3: complain(); break;
      case 4: report(); break;
      case 5: report(); break;
      case 6: set_group(); break;
      case 7: rarely([&] { blink(); }); break;
      case 8: rarely([&] { rejoin(); }); break;
      case 9: rarely([&] { restart(); }); break;
      case 10: rarely([&] { move(); }); break;
      case 11: rarely([&] { serve_less(); }); break;
      case 12:
        node_->forwarder.set_source_round_trip(any().handle, Duration::millis(random_.below(300)));
        break;
      default: any().level = static_cast<uint8_t>(10 + random_.below(118)); break;
    }
  }
  void rarely(auto what) {
    if (random_.below(3) == 0) what();
  }
  uint64_t any_peer() { return 1 + random_.below(kPeers); }
  Sender& any() { return senders_[random_.below(static_cast<uint32_t>(senders_.size()))]; }
  void set_group() {
    GroupConfig g{GroupId(1), {}, 1 + random_.below(4), {}};
    for (uint64_t peer = 1; peer <= kPeers; ++peer) {
      if (random_.below(8) != 0) g.listeners.push_back(PeerId(peer));
    }
    if (random_.below(3) == 0) g.always_heard.push_back(SourceNumber(21 + random_.below(kPeers)));
    node_->forwarder.set_group(node_->now, g);
    if (random_.below(4) == 0)
      node_->forwarder.set_group(node_->now, {GroupId(2), {PeerId(any_peer())}, 2, {}});
  }
  void change_view(uint64_t peer) {
    std::vector<SlotView> views;
    for (uint16_t slot = 0; slot < 4; ++slot) {
      SlotView v = show(slot, 11 + random_.below(kPeers), static_cast<uint16_t>(160u << random_.below(3)));
      if (random_.below(5) == 0) v.show = GroupId(1);
      if (random_.below(6) != 0) views.push_back(v);
    }
    if (random_.below(2) != 0) views.push_back({SlotUse::Share, 0, SourceNumber(31), 1280, 720, 0});
    node_->forwarder.set_view(node_->now, PeerId(peer), views);
  }
  void toggle_mute() {
    Sender& s = any();
    s.binding.forwarded = !s.binding.forwarded || random_.below(2) != 0;
    node_->forwarder.bind_source(node_->now, s.binding);
  }
  void toggle_layer() {
    Sender& s = any();
    Layer& l = s.layers[random_.below(static_cast<uint32_t>(s.layers.size()))];
    l.is_on = !l.is_on || random_.below(2) != 0;
  }
  /// About the newest numbers of a stream; of whose run, and of what is not there any more.
  void complain() {
    const uint32_t ssrc = static_cast<uint32_t>(any_peer()) * 1000 + 1 + random_.below(8);
    const ReceiverIndex r = receivers_[ssrc / 1000];
    const auto first = static_cast<uint16_t>(random_.u32());
    const auto it = recording_.streams.find({r.value(), ssrc});
    const std::array<uint16_t, 3> numbers{
        first, static_cast<uint16_t>(first + 1),
        it == recording_.streams.end() ? first : static_cast<uint16_t>(it->second.back().packet.sequence)};
    node_->forwarder.handle_nack(node_->now, r, ssrc, numbers, node_->batch);
    node_->forwarder.handle_key_frame_ask(node_->now, r, ssrc);
  }
  void report() {
    const Sender& s = any();
    const uint8_t l = static_cast<uint8_t>(random_.below(static_cast<uint32_t>(s.layers.size())));
    const auto ntp = rtp::NtpTime::from_wall(core::WallTime::from_unix_millis(
                         1'600'000'000'000 + static_cast<int64_t>(s.binding.owner.value()) * 1'000'000)) +
                     (node_->now - Instant()) + Duration::millis(random_.below(20));
    node_->forwarder.handle_sender_report(node_->now, s.handle, l, {1, ntp, s.layers[l].vp8.timestamp, 0, 0});
  }
  void blink() {
    const ReceiverIndex r = receivers_[any_peer()];
    node_->forwarder.set_receiver_ready(node_->now, r, false);
    node_->advance(Duration::millis(random_.below(300)));
    node_->forwarder.set_receiver_ready(node_->now, r, true);
  }
  void rejoin() {
    const uint64_t peer = any_peer();
    node_->forwarder.remove_receiver(node_->now, receivers_[peer]);
    collect();
    std::erase_if(recording_.rtx, [&](const auto& s) { return s.first.second / 1000 == peer; });
    join(peer);
    change_view(peer);
  }
  void restart() {
    for (Layer& l : any().layers) {
      l.vp8.sequence = static_cast<uint16_t>(l.vp8.sequence + 20000);
      l.vp8.timestamp = random_.u32();
    }
  }
  void move() {
    Sender& s = any();
    s.binding.group = GroupId(1 + random_.below(2));
    node_->forwarder.bind_source(node_->now, s.binding);
  }
  void serve_less() {
    node_->forwarder.set_video_service(node_->now, static_cast<VideoService>(random_.below(6) % 4 % 3));
  }

  // ---- media
  void send(Sender& s) {
    for (Layer& l : s.layers) {
      if (!l.is_on) continue;
      if (is_audio(s.binding.kind)) {
        speak(s, l);
      } else {
        show_frame(s, l);
      }
    }
  }
  void show_frame(Sender& s, Layer& l) {
    const bool is_key = random_.below(12) == 0;
    const bool swaps = random_.below(8) == 0;
    std::vector<Vp8Bytes> frame = make_frame(l.vp8, s.handle, is_key);
    if (swaps) std::swap(frame[1], frame[2]);
    for (size_t i = 0; i < frame.size(); ++i) {
      if (random_.below(30) == 0) continue;  // lost
      if (s.is_h264) {
        const bool is_start = is_key && (frame[i].payload[0] & 0x10) != 0;
        frame[i].packet.format = PayloadFormat::H264;
        frame[i].payload = is_start ? core::Buffer{0x78, 0, 4, 0x67, 0x42, 0xc0, 0x1e, 0, 2, 0x65, 0x88}
                                    : core::Buffer{0x41, 0x9a, 1, 2};
      }
      feed(s, frame[i].packet, frame[i].payload);
    }
  }
  void speak(Sender& s, Layer& l) {
    MediaPacket p;
    p.source = s.handle;
    p.format = s.binding.owner.value() % 2 == 1 ? PayloadFormat::Red : PayloadFormat::Opus;
    p.sequence_number = l.vp8.sequence++;
    p.timestamp = l.vp8.timestamp;
    l.vp8.timestamp += 960;
    p.audio_level = rtp::AudioLevel{s.level < 60, s.level};
    core::Buffer payload;
    if (p.format == PayloadFormat::Red)
      payload = {0x80 | 100, 960 >> 6, static_cast<uint8_t>(960 << 2), 4, 100, 1, 2, 3, 4};
    payload.resize(payload.size() + 40, static_cast<uint8_t>(p.sequence_number));
    if (random_.below(30) != 0) feed(s, p, payload);
  }
  void feed(Sender& s, const MediaPacket& p, core::Bytes payload) {
    if (sent_++ == hand_over_at_) {
      collect();
      node_ = hand_over(*node_);
      for (Sender& other : senders_) other.sent_since = false;
    }
    node_->feed(p, payload);
    collect(!std::exchange(s.sent_since, true));
    ASSERT_TRUE(node_->forwarder.is_consistent());
  }

  void collect(bool is_first = false) {
    for (const ForwardedPacket& p : node_->batch.packets) {
      if (p.is_rtx) {
        recording_.rtx[{p.receiver.value(), p.ssrc}].push_back(p.sequence);
      } else {
        recording_.streams[{p.receiver.value(), p.ssrc}].push_back(
            {p, node_->payload_of(p), is_first && p.is_audio});
      }
    }
    for (const SlotReport& r : node_->batch.reports) recording_.reports[r.info.ssrc].push_back(r);
    std::ranges::copy_if(node_->events, std::back_inserter(recording_.events),
                         [](const Event& e) { return !std::holds_alternative<LayerDemand>(e); });
    std::ranges::copy_if(node_->requests, std::back_inserter(recording_.requests),
                         [](const Request& r) { return !std::holds_alternative<KeyFrameRequest>(r); });
    node_->events.clear();
    node_->requests.clear();
    node_->batch.clear();
    node_->slab.reclaim();
  }

  std::unique_ptr<Node> node_ = std::make_unique<Node>();
  core::SeededRandom random_;
  uint32_t hand_over_at_;
  uint32_t sent_ = 0;
  std::map<uint64_t, ReceiverIndex> receivers_;
  std::vector<Sender> senders_;
  Recording recording_;
};

// ---- comparing

void expect_same(const Out& a, const Out& b) {
  EXPECT_EQ(a.packet.sequence, b.packet.sequence);
  EXPECT_EQ(a.packet.timestamp, b.packet.timestamp);
  EXPECT_EQ(a.packet.csrc, b.packet.csrc);
  EXPECT_EQ(a.packet.slot, b.packet.slot);
  EXPECT_EQ(a.packet.marker, b.packet.marker);
  EXPECT_EQ(a.packet.has_audio_level, b.packet.has_audio_level);
  if (b.is_first_of_microphone && a.packet.payload_type != b.packet.payload_type) {
    EXPECT_EQ(b.packet.payload_type, kOpusType) << "only RED's older frame may be missing";
    EXPECT_TRUE(std::ranges::equal(b.payload, std::span(a.payload).last(b.payload.size())));
    return;
  }
  EXPECT_EQ(a.packet.payload_type, b.packet.payload_type);
  EXPECT_EQ(a.payload, b.payload) << "picture id and TL0PICIDX among it";
}

void expect_same(const SlotReport& a, const SlotReport& b) {
  EXPECT_EQ(a.receiver, b.receiver);
  EXPECT_EQ(a.slot, b.slot);
  EXPECT_EQ(a.info.ssrc, b.info.ssrc);
  EXPECT_LE(std::abs((a.info.ntp - b.info.ntp).to_nanos()), 1000) << "no leap of the clock";
  EXPECT_LE(std::abs(static_cast<int32_t>(a.info.rtp_timestamp - b.info.rtp_timestamp)), 1);
  EXPECT_EQ(a.info.packet_count, b.info.packet_count);
  EXPECT_EQ(a.info.octet_count, b.info.octet_count);
}

void expect_same(const Event& a, const Event& b) {
  ASSERT_EQ(a.index(), b.index());
  if (const auto* speakers = std::get_if<GroupSpeakers>(&a)) {
    EXPECT_TRUE(*speakers == std::get<GroupSpeakers>(b));
    return;
  }
  EXPECT_EQ(std::get<SourceFlow>(a).source, std::get<SourceFlow>(b).source);
  EXPECT_EQ(std::get<SourceFlow>(a).layers, std::get<SourceFlow>(b).layers);
}

void expect_same(const Request& a, const Request& b) {
  ASSERT_EQ(a.index(), b.index());
  if (const auto* nack = std::get_if<UpstreamNack>(&a)) {
    EXPECT_EQ(nack->source, std::get<UpstreamNack>(b).source);
    EXPECT_EQ(nack->count, std::get<UpstreamNack>(b).count);
    EXPECT_EQ(nack->numbers, std::get<UpstreamNack>(b).numbers);
  }
}

void expect_same(const SlotSnapshot& a, const SlotSnapshot& b) {
  EXPECT_EQ(a.wanted, b.wanted);
  EXPECT_EQ(a.showing, b.showing);
  EXPECT_EQ(a.layer, b.layer);
  EXPECT_EQ(a.packets, b.packets);
}

void expect_same(const SourceSnapshot& a, const SourceSnapshot& b) {
  EXPECT_TRUE(a.binding == b.binding);
  EXPECT_EQ(a.flowing_layers, b.flowing_layers);
  for (size_t l = 0; l < kMaxLayers; ++l) {
    EXPECT_EQ(a.layers[l].width, b.layers[l].width);
    EXPECT_EQ(a.layers[l].bytes, b.layers[l].bytes);
    EXPECT_EQ(a.layers[l].forwarded_to, b.layers[l].forwarded_to);
    EXPECT_EQ(a.layers[l].waiting, b.layers[l].waiting);
  }
}

template <class T>
void expect_all_same(const std::vector<T>& a, const std::vector<T>& b, const std::string& what) {
  SCOPED_TRACE(what);
  EXPECT_EQ(a.size(), b.size());
  for (size_t i = 0; i < std::min(a.size(), b.size()) && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE(i);
    expect_same(a[i], b[i]);
  }
}

class HandOverTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(HandOverTest, a_successor_puts_out_what_its_predecessor_would_have) {
  constexpr uint32_t kSteps = 300;
  Meeting whole(GetParam(), Meeting::kNever);
  const Recording expected = whole.run(kSteps);
  core::SeededRandom random(GetParam() * 1000 + 1);
  for (int i = 0; i < 2; ++i) {
    const uint32_t at = random.below(whole.packets_sent());
    SCOPED_TRACE(::testing::Message() << "seed " << GetParam() << ", handed over before packet " << at
                                      << " of " << whole.packets_sent());
    const Recording seen = Meeting(GetParam(), at).run(kSteps);
    ASSERT_EQ(expected.streams.size(), seen.streams.size());
    for (const auto& [key, packets] : expected.streams) {
      ASSERT_TRUE(seen.streams.contains(key));
      expect_all_same(packets, seen.streams.at(key), "ssrc " + std::to_string(key.second));
    }
    for (const auto& [key, numbers] : seen.rtx) {
      for (size_t k = 1; k < numbers.size(); ++k)
        EXPECT_EQ(numbers[k], numbers[k - 1] + 1) << "RTX " << key.second;
    }
    EXPECT_EQ(expected.reports.size(), seen.reports.size());
    for (const auto& [ssrc, reports] : expected.reports) {
      ASSERT_TRUE(seen.reports.contains(ssrc));
      expect_all_same(reports, seen.reports.at(ssrc), "sender reports of " + std::to_string(ssrc));
    }
    expect_all_same(expected.events, seen.events, "events");
    expect_all_same(expected.requests, seen.requests, "requests");
    expect_all_same(expected.sources, seen.sources, "sources");
    expect_all_same(expected.slots, seen.slots, "slots");
    if (HasFailure()) return;
  }
  size_t packets = 0;
  for (const auto& [key, stream] : expected.streams) packets += stream.size();
  EXPECT_GT(packets, 5000u);
  EXPECT_GT(expected.reports.size(), 10u);
  EXPECT_FALSE(expected.rtx.empty());
}

INSTANTIATE_TEST_SUITE_P(Seeds, HandOverTest, ::testing::Range<uint64_t>(1, 7));

// ---- what is special right after

struct AfterHandOverTest : ::testing::Test {
  std::unique_ptr<Node> node = std::make_unique<Node>();
  ReceiverIndex viewer;
  SourceHandle camera;
  Vp8Layer layer{.sequence = 65000, .timestamp = 9, .picture_id = 7};

  void SetUp() override {
    viewer = *node->forwarder.add_receiver(node->now, receiver_config(1, 2, 2, 0));
    node->forwarder.set_receiver_ready(node->now, viewer, true);
    camera = node->forwarder.bind_source(node->now, binding(11, 10, SourceKind::Camera));
    const std::array<SlotView, 1> view{show(0, 11)};
    node->forwarder.set_view(node->now, PeerId(1), view);
  }
  Batch send(bool key) {
    for (const auto& p : make_frame(layer, camera, key)) node->feed(p.packet, p.payload);
    return node->take();
  }
};

TEST_F(AfterHandOverTest, a_slot_that_waited_asks_for_its_key_frame_again_at_once) {
  send(false);
  node->advance(Duration::millis(100));
  ASSERT_EQ(node->key_frame_requests(SourceNumber(11)), 1u);
  node = hand_over(*node);
  node->advance(Duration::millis(50));
  EXPECT_EQ(node->key_frame_requests(SourceNumber(11)), 1u);
  EXPECT_EQ(send(true).packets.size(), 3u);
}

TEST_F(AfterHandOverTest, a_packet_from_before_is_missed_and_one_from_after_is_sent_again) {
  const Batch before = send(true);
  ASSERT_EQ(before.packets.size(), 3u);
  node = hand_over(*node);
  const Batch after = send(false);
  const uint32_t ssrc = after.packets[0].ssrc;
  const auto ask = [&](int64_t number) {
    const std::array<uint16_t, 1> numbers{static_cast<uint16_t>(number)};
    node->forwarder.handle_nack(node->now, viewer, ssrc, numbers, node->batch);
    return node->take().packets.size();
  };
  EXPECT_EQ(ask(before.packets[1].sequence), 0u);
  EXPECT_EQ(node->forwarder.counters().nacks_missed, 1u);
  EXPECT_EQ(ask(after.packets[1].sequence), 1u);
}

TEST_F(AfterHandOverTest, what_came_before_is_still_a_duplicate) {
  const Vp8Layer start = layer;
  send(true);
  node = hand_over(*node);
  layer = start;
  EXPECT_TRUE(send(true).packets.empty());
  EXPECT_EQ(node->forwarder.counters().dropped_duplicate, 3u);
}

TEST_F(AfterHandOverTest, a_restored_forwarder_leaves_nothing_behind_when_it_goes) {
  send(true);
  auto next = hand_over(*node);
  node = std::move(next);
  send(false);
  node->forwarder.unbind_source(node->now, SourceNumber(11));
  node->forwarder.remove_receiver(node->now, viewer);
  node->advance(Duration::seconds(3));
  const ForwarderState rest = node->forwarder.export_state(node->now);
  EXPECT_TRUE(rest.sources.empty() && rest.owners.empty() && rest.receivers.empty() && rest.groups.empty());
  node->slab.reclaim();
  EXPECT_EQ(node->slab.in_use(), 0u);
}

TEST(HandOverSize, two_hundred_receivers_with_24_slots_each_are_exported_and_restored) {
  Node node;
  GroupConfig group{GroupId(1), {}, 4, {}};
  for (uint32_t peer = 1; peer <= 200; ++peer) {
    const auto r = *node.forwarder.add_receiver(node.now, receiver_config(peer));
    node.forwarder.set_receiver_ready(node.now, r, true);
    node.forwarder.bind_source(node.now, binding(1000 + peer, peer, SourceKind::Camera));
    node.forwarder.bind_source(node.now, binding(2000 + peer, peer, SourceKind::Microphone));
    group.listeners.push_back(PeerId(peer));
  }
  node.forwarder.set_group(node.now, group);
  for (uint32_t peer = 1; peer <= 200; ++peer) {
    std::vector<SlotView> views;
    for (uint16_t slot = 0; slot < 16; ++slot) views.push_back(show(slot, 1001 + (peer + slot) % 200));
    node.forwarder.set_view(node.now, PeerId(peer), views);
    Vp8Layer layer;
    for (const auto& p : make_frame(layer, node.forwarder.find_source(SourceNumber(1000 + peer)), true))
      node.feed(p.packet, p.payload);
  }
  const auto started = std::chrono::steady_clock::now();
  const ForwarderState state = node.forwarder.export_state(node.now);
  const auto exported = std::chrono::steady_clock::now();
  Node next({}, {.buffers = 100, .buffer_size = 1536}, rtp::NtpClock(state.clock_instant, state.clock_ntp));
  ASSERT_TRUE(next.forwarder.restore(node.now, state));
  const auto restored = std::chrono::steady_clock::now();
  EXPECT_EQ(state.receivers.size(), 200u);
  EXPECT_EQ(state.receivers[7].slots.size(), 24u);
  const auto us = [](auto d) {
    return static_cast<int>(std::chrono::duration_cast<std::chrono::microseconds>(d).count());
  };
  RecordProperty("export_us", us(exported - started));
  RecordProperty("restore_us", us(restored - exported));
}

}  // namespace
}  // namespace huitang::sfu
