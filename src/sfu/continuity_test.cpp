// A receiver that believes nothing watches every stream through storms of switches, loss, reordering,
// duplicates, layers that come and go, and counters that wrap.
//
// What must hold on each ssrc, in the order of its numbers, for every two neighbours:
//   either both are of one run: number, timestamp, picture id and TL0PICIDX differ exactly as they do at the
//   source (so upstream loss stays visible and nothing else does), or a new run begins: the next number, a
//   key frame (video), a later timestamp, the next picture id and TL0PICIDX.
// And always: the CSRC names whose payload it is; no number leaves twice; mute is mute; nobody gets his own
// sound.
#include <gtest/gtest.h>

#include <algorithm>

#include "sfu/test_bench.h"

namespace huitang::sfu {
namespace {

using namespace testing;

/// Read from the payload that the senders of this file write: 8 bytes of identity at its end.
struct Identity {
  uint32_t source = 0;
  uint8_t layer = 0;
  int64_t number = 0;
  uint32_t timestamp = 0;
  uint16_t picture_id = 0;
  uint8_t tl0 = 0;
  bool is_key_start = false;
};

class World {
 public:
  World(uint64_t seed, bool hands_over) : random_(seed), hands_over_(hands_over) {
    for (uint64_t peer = 1; peer <= kPeers; ++peer) {
      receivers_.push_back(
          *node_->forwarder.add_receiver(node_->now, receiver_config(peer, 3, 4, 1, peer % 2 == 0)));
      node_->forwarder.set_receiver_ready(node_->now, receivers_.back(), true);
      group_.listeners.push_back(PeerId(peer));
      add_sender(static_cast<uint32_t>(10 + peer), peer, SourceKind::Camera);
      add_sender(static_cast<uint32_t>(20 + peer), peer, SourceKind::Microphone);
    }
    add_sender(31, 1, SourceKind::ScreenAudio);
    add_sender(32, 1, SourceKind::Screen);
    group_.group = GroupId(1);
    group_.top_talkers = 2;
    node_->forwarder.set_group(node_->now, group_);
  }

  void step() {
    switch (random_.below(24)) {
      case 0:
      case 1: change_view(); break;
      case 2: toggle_mute(); break;
      case 3: toggle_layer(); break;
      case 4: complain(); break;
      case 5:
        if (random_.below(8) == 0) rebind();
        break;
      case 6:
        if (random_.below(4) == 0) toggle_ready();
        break;
      case 7:
        if (random_.below(4) == 0) restart_sender();
        break;
      case 8: report(); break;
      case 9:
        if (hands_over_ && random_.below(4) == 0) node_ = hand_over(*node_);
        break;
      default: break;
    }
    send_all();
    node_->advance(Duration::millis(1 + random_.below(30)));
    collect();
    ASSERT_TRUE(node_->forwarder.is_consistent());
    answer_requests();
  }
  void check() const {
    for (const auto& [ssrc, packets] : streams_) check_stream(ssrc, packets);
  }
  size_t packets_seen() const {
    size_t n = 0;
    for (const auto& [ssrc, packets] : streams_) n += packets.size();
    return n;
  }
  size_t runs_seen() const { return runs_; }
  size_t retransmitted() const { return rtx_; }

 private:
  static constexpr uint64_t kPeers = 5;
  struct Held {
    MediaPacket packet;
    core::Buffer payload;
    int delay = 0;
  };
  struct SenderLayer {
    bool is_on = true;
    bool key_due = true;
    int64_t number = 0;
    uint32_t timestamp = 0;
    uint16_t picture_id = 0;
    uint8_t tl0 = 0;
    std::map<uint16_t, Identity> sent;  ///< by wire number, the latest
  };
  struct Sender {
    SourceBinding binding;
    SourceHandle handle;
    size_t layers = 1;
    std::array<SenderLayer, 3> layer;
    std::vector<Held> held;
    bool sends_red = false;
  };
  struct Seen {
    Identity identity;
    ForwardedPacket packet;
    std::optional<codec::Vp8Descriptor> descriptor;
  };

  void add_sender(uint32_t number, uint64_t peer, SourceKind kind) {
    Sender s;
    s.binding = binding(number, peer, kind);
    s.handle = node_->forwarder.bind_source(node_->now, s.binding);
    s.layers = kind == SourceKind::Camera ? 3 : 1;
    s.sends_red = kind == SourceKind::Microphone && peer % 2 == 1;
    for (SenderLayer& l : s.layer) {
      l.number = random_.below(2) != 0 ? 65500 : random_.below(65536);
      l.timestamp = random_.below(2) != 0 ? 0xffffff00u : random_.u32();
      l.picture_id = static_cast<uint16_t>(random_.below(2) != 0 ? 0x7ff0 : random_.below(0x8000));
      l.tl0 = static_cast<uint8_t>(random_.u32());
    }
    senders_.push_back(s);
  }

  // ---- what happens
  // -------------------------------------------------------------------------------------------------
  void change_view() {
    const uint64_t peer = 1 + random_.below(kPeers);
    std::vector<SlotView> views;
    for (uint16_t slot = 0; slot < 4; ++slot) {
      SlotView v{SlotUse::Video, slot, {}, 0, 0, 0};
      const uint32_t what = random_.below(8);
      if (what == 0) continue;
      v.show = what == 1 ? decltype(v.show)(GroupId(1)) : SourceNumber(11 + random_.below(kPeers));
      v.width = static_cast<uint16_t>(160u << random_.below(4));
      v.height = static_cast<uint16_t>(v.width * 9 / 16);
      views.push_back(v);
    }
    if (random_.below(2) != 0) views.push_back({SlotUse::Share, 0, SourceNumber(32), 1280, 720, 0});
    ASSERT_TRUE(node_->forwarder.set_view(node_->now, PeerId(peer), views));
  }
  Sender& any_sender() { return senders_[random_.below(static_cast<uint32_t>(senders_.size()))]; }
  void toggle_mute() {
    Sender& s = any_sender();
    s.binding.forwarded = !s.binding.forwarded;
    node_->forwarder.bind_source(node_->now, s.binding);
  }
  void toggle_layer() {
    Sender& s = any_sender();
    SenderLayer& l = s.layer[random_.below(static_cast<uint32_t>(s.layers))];
    l.is_on = !l.is_on;
    l.key_due = true;
  }
  void rebind() {
    Sender& s = any_sender();
    node_->forwarder.unbind_source(node_->now, s.binding.number);
    s.handle = node_->forwarder.bind_source(node_->now, s.binding);
  }
  void toggle_ready() {
    const uint32_t i = random_.below(static_cast<uint32_t>(receivers_.size()));
    node_->forwarder.set_receiver_ready(node_->now, receivers_[i], false);
    node_->advance(Duration::millis(random_.below(200)));
    collect();
    node_->forwarder.set_receiver_ready(node_->now, receivers_[i], true);
  }
  void restart_sender() {
    Sender& s = any_sender();
    for (SenderLayer& l : s.layer) {
      l.number += 20000;
      l.timestamp = random_.u32();
      l.picture_id = static_cast<uint16_t>(random_.below(0x8000));
      l.key_due = true;
    }
    s.held.clear();
  }
  void report() {
    const Sender& s = any_sender();
    const uint8_t layer = static_cast<uint8_t>(random_.below(static_cast<uint32_t>(s.layers)));
    // All of an owner's streams by one clock, as browsers do.
    const auto ntp = rtp::NtpTime::from_wall(core::WallTime::from_unix_millis(
                         1'600'000'000'000 + static_cast<int64_t>(s.binding.owner.value()) * 1'000'000)) +
                     (node_->now - Instant());
    node_->forwarder.handle_sender_report(node_->now, s.handle, layer,
                                          {1, ntp, s.layer[layer].timestamp - random_.below(2) * 50, 0, 0});
  }
  void complain() {
    if (streams_.empty()) return;
    auto it = streams_.begin();
    std::advance(it, random_.below(static_cast<uint32_t>(streams_.size())));
    const uint32_t ssrc = it->first;
    const ReceiverIndex r = it->second.begin()->second.packet.receiver;
    if (random_.below(3) == 0) node_->forwarder.handle_key_frame_ask(node_->now, r, ssrc);
    std::vector<uint16_t> numbers;
    const auto newest = static_cast<uint16_t>(it->second.rbegin()->first);
    for (uint16_t back = 0; back < 40; back = static_cast<uint16_t>(back + 1 + random_.below(8))) {
      numbers.push_back(static_cast<uint16_t>(newest - back + random_.below(3)));
    }
    node_->forwarder.handle_nack(node_->now, r, ssrc, numbers, node_->batch);
  }
  void answer_requests() {
    for (const Request& r : node_->requests) {
      const auto* k = std::get_if<KeyFrameRequest>(&r);
      if (k == nullptr) continue;
      for (Sender& s : senders_) {
        if (s.binding.number == k->source) s.layer[k->layer].key_due = true;
      }
    }
    node_->requests.clear();
    node_->events.clear();
  }

  // ---- senders
  // ------------------------------------------------------------------------------------------------------
  void send_all() {
    for (Sender& s : senders_) {
      for (uint8_t l = 0; l < s.layers; ++l) {
        if (s.layer[l].is_on) make(s, l);
      }
      deliver(s);
    }
  }
  void make(Sender& s, uint8_t layer) {
    SenderLayer& l = s.layer[layer];
    const bool video = !is_audio(s.binding.kind);
    const uint32_t count = video ? 1 + random_.below(4) : 1;
    const bool key = video && (std::exchange(l.key_due, false) || random_.below(40) == 0);
    for (uint32_t i = 0; i < count; ++i) {
      Held h;
      h.packet.layer = layer;
      h.packet.source = s.handle;
      h.packet.marker = video && i + 1 == count;
      h.packet.sequence_number = static_cast<uint16_t>(l.number);
      h.packet.timestamp = l.timestamp;
      Identity id{s.binding.number.value(), layer, l.number, l.timestamp, l.picture_id, l.tl0, key && i == 0};
      if (video) {
        h.packet.format = PayloadFormat::Vp8;
        h.payload = {static_cast<uint8_t>(0x80 | (i == 0 ? 0x10 : 0)),
                     0xe0,
                     static_cast<uint8_t>(0x80 | l.picture_id >> 8),
                     static_cast<uint8_t>(l.picture_id),
                     l.tl0,
                     0};
        if (i == 0) h.payload.push_back(key ? 0x10 : 0x11);
        if (i == 0 && key) {
          const uint8_t width = static_cast<uint8_t>(80 << layer), height = static_cast<uint8_t>(45 << layer);
          h.payload.insert(h.payload.end(), {0, 0, 0x9d, 0x01, 0x2a, width, 0, height, 0});
        }
      } else {
        h.packet.format = s.sends_red ? PayloadFormat::Red : PayloadFormat::Opus;
        h.packet.audio_level = rtp::AudioLevel{true, static_cast<uint8_t>(20 + random_.below(60))};
        if (s.sends_red)
          h.payload = {0x80 | 100, 960 >> 6, static_cast<uint8_t>(960 << 2), 4, 100, 1, 2, 3, 4};
      }
      std::array<uint8_t, 8> tail{};
      core::store_u32(tail.data(), id.source);
      tail[4] = layer;
      core::store_u16(tail.data() + 5, static_cast<uint16_t>(l.number));
      tail[7] = id.is_key_start;
      h.payload.insert(h.payload.end(), tail.begin(), tail.end());
      l.sent[static_cast<uint16_t>(l.number)] = id;
      ++l.number;
      const uint32_t fate = random_.below(40);
      if (fate == 0) continue;  // lost for ever
      h.delay = fate == 1 ? static_cast<int>(1 + random_.below(6)) : 0;
      s.held.push_back(h);
      if (fate == 2) {
        h.delay = static_cast<int>(random_.below(4));
        s.held.push_back(h);
      }
    }
    l.timestamp += video ? 3000 : 960;
    l.picture_id = static_cast<uint16_t>((l.picture_id + 1) & 0x7fff);
    ++l.tl0;
  }
  void deliver(Sender& s) {
    std::vector<Held> later;
    for (Held& h : s.held) {
      if (h.delay-- > 0) {
        later.push_back(std::move(h));
        continue;
      }
      const size_t before = node_->batch.packets.size();
      h.packet.source = s.handle;
      node_->feed(h.packet, h.payload);
      if (!s.binding.forwarded) {
        EXPECT_EQ(node_->batch.packets.size(), before) << "closed";
      }
    }
    s.held = std::move(later);
  }

  // ---- what the receivers see
  // ---------------------------------------------------------------------------------------
  void collect() {
    for (const ForwardedPacket& p : node_->batch.packets) collect(p);
    node_->batch.clear();
    node_->slab.reclaim();
  }
  void collect(const ForwardedPacket& p) {
    const core::Buffer payload = node_->payload_of(p);
    ASSERT_GE(payload.size(), 8u);
    const uint8_t* tail = payload.data() + payload.size() - 8;
    const Sender* sender = nullptr;
    for (const Sender& s : senders_) {
      if (s.binding.number.value() == core::load_u32(tail)) sender = &s;
    }
    ASSERT_NE(sender, nullptr);
    const auto& sent = sender->layer[tail[4]].sent;
    const auto found = sent.find(core::load_u16(tail + 5));
    ASSERT_NE(found, sent.end());
    const Identity& id = found->second;
    EXPECT_EQ(p.csrc, id.source) << "the CSRC names the payload's source";
    if (p.is_audio) {
      EXPECT_NE(sender->binding.owner.value(), p.ssrc / 1000) << "nobody hears himself";
      check_audio_form(p, payload);
    }
    if (p.is_rtx) {
      check_rtx(p, payload);
      return;
    }
    Seen seen{id, p, std::nullopt};
    if (!p.is_audio) {
      const auto parsed = codec::parse_vp8(payload);
      ASSERT_TRUE(parsed.has_value());
      seen.descriptor = parsed->descriptor;
    }
    EXPECT_TRUE(streams_[p.ssrc].emplace(p.sequence, seen).second) << "a number left twice: " << p.sequence;
    payloads_[{p.ssrc, static_cast<uint16_t>(p.sequence)}] = payload;
  }
  void check_audio_form(const ForwardedPacket& p, core::Bytes payload) {
    if (p.payload_type == kOpusType) return;
    EXPECT_EQ(p.payload_type, kRedType);
    EXPECT_EQ(p.ssrc / 1000 % 2, 0u) << "RED to one who does not take it";
    const auto red = codec::parse_red(payload);
    ASSERT_TRUE(red.has_value());
    for (size_t i = 0; i < red->count; ++i) EXPECT_EQ(red->blocks[i].payload_type, kOpusType);
  }
  void check_rtx(const ForwardedPacket& p, const core::Buffer& payload) {
    ++rtx_;
    EXPECT_TRUE(rtx_numbers_.emplace(p.ssrc, p.sequence).second);
    const auto original = payloads_.find({p.ssrc - 500, core::load_u16(payload.data())});
    // Lost upstream at first, come later than the run's end: then the receiver sees it by RTX only.
    if (original == payloads_.end()) return;
    EXPECT_EQ(core::Buffer(payload.begin() + 2, payload.end()), original->second);
  }
  void check_stream(uint32_t ssrc, const std::map<int64_t, Seen>& packets) const {
    const Seen* before = nullptr;
    for (const auto& [number, seen] : packets) {
      if (before == nullptr || !is_same_run(*before, seen)) {
        ++runs_;
        if (before != nullptr) expect_new_run(ssrc, *before, seen);
        const bool begins_well = seen.packet.is_audio ? seen.packet.marker : seen.identity.is_key_start;
        EXPECT_TRUE(begins_well) << ssrc << " begins without a key frame or mark";
      }
      before = &seen;
    }
  }
  static bool is_same_run(const Seen& a, const Seen& b) {
    if (a.identity.source != b.identity.source || a.identity.layer != b.identity.layer) return false;
    if (b.packet.sequence - a.packet.sequence != b.identity.number - a.identity.number) return false;
    if (b.packet.timestamp - a.packet.timestamp != b.identity.timestamp - a.identity.timestamp) return false;
    if (!a.descriptor) return true;
    const auto pid = [](const Seen& s) {
      return static_cast<uint16_t>(*s.descriptor->picture_id - s.identity.picture_id) & 0x7fff;
    };
    const auto tl0 = [](const Seen& s) {
      return static_cast<uint8_t>(*s.descriptor->tl0_picture_index - s.identity.tl0);
    };
    return pid(a) == pid(b) && tl0(a) == tl0(b);
  }
  static void expect_new_run(uint32_t ssrc, const Seen& a, const Seen& b) {
    EXPECT_EQ(b.packet.sequence, a.packet.sequence + 1) << ssrc;
    const auto step = static_cast<int32_t>(b.packet.timestamp - a.packet.timestamp);
    EXPECT_GT(step, 0) << ssrc << " goes back in time";
    EXPECT_LT(step, 90000 * 60) << ssrc << " leaps";
    if (!a.descriptor) return;
    EXPECT_EQ(*b.descriptor->picture_id, (*a.descriptor->picture_id + 1) & 0x7fff) << ssrc;
    EXPECT_EQ(*b.descriptor->tl0_picture_index, static_cast<uint8_t>(*a.descriptor->tl0_picture_index + 1))
        << ssrc;
  }

  std::unique_ptr<Node> node_ = std::make_unique<Node>();
  core::SeededRandom random_;
  bool hands_over_;
  GroupConfig group_;
  std::vector<ReceiverIndex> receivers_;
  std::vector<Sender> senders_;
  std::map<uint32_t, std::map<int64_t, Seen>> streams_;
  std::map<std::pair<uint32_t, uint16_t>, core::Buffer> payloads_;
  std::set<std::pair<uint32_t, int64_t>> rtx_numbers_;
  mutable size_t runs_ = 0;
  size_t rtx_ = 0;
};

class ContinuityTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(ContinuityTest, every_stream_is_continuous_whatever_happens) {
  SCOPED_TRACE(::testing::Message() << "seed " << GetParam());
  World world(GetParam(), false);
  for (int i = 0; i < 1500 && !HasFatalFailure(); ++i) world.step();
  world.check();
  EXPECT_GT(world.packets_seen(), 10000u);
  EXPECT_GT(world.runs_seen(), 200u);
  EXPECT_GT(world.retransmitted(), 20u);
}

// Each time by a forwarder that never saw what came before (state.h).
TEST_P(ContinuityTest, every_stream_is_continuous_though_other_processes_take_over) {
  SCOPED_TRACE(::testing::Message() << "seed " << GetParam());
  World world(GetParam(), true);
  for (int i = 0; i < 400 && !HasFatalFailure(); ++i) world.step();
  world.check();
  EXPECT_GT(world.packets_seen(), 2500u);
  EXPECT_GT(world.runs_seen(), 50u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ContinuityTest, ::testing::Range<uint64_t>(1, 21));

}  // namespace
}  // namespace huitang::sfu
