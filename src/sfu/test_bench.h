// What the tests of this folder share: a node in virtual time, synthetic senders, and a receiver that
// believes nothing.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "codec/red.h"
#include "codec/vp8.h"
#include "core/random.h"
#include "sfu/forwarder.h"
#include "sfu/state.h"

namespace huitang::sfu::testing {

using core::Duration;
using core::Instant;

inline constexpr uint8_t kOpusType = 111;
inline constexpr uint8_t kRedType = 63;
inline constexpr uint8_t kVp8Type = 96;
inline constexpr uint8_t kVp8RtxType = 97;
inline constexpr uint8_t kH264Type = 102;

/// A Forwarder, its slab and its clock. Outputs of all calls gather in `batch`; take() empties it.
struct Node {
  explicit Node(ForwarderConfig config = {},
                PacketSlab::Config slab_config = {.buffers = 20000, .buffer_size = 1536},
                rtp::NtpClock clock = {Instant(), core::WallTime::from_unix_millis(1'700'000'000'000)})
      : slab(slab_config), random(7), forwarder(config, clock, slab, random) {}

  PacketSlab slab;
  core::SeededRandom random;
  Forwarder forwarder;
  Instant now = Instant::from_nanos(10'000'000'000);
  Batch batch;
  std::vector<Request> requests;
  std::vector<Event> events;

  void advance(Duration d) { advance_to(now + d); }
  void advance_to(Instant t) {
    while (true) {
      const auto due = forwarder.deadline();
      if (!due || *due > t) break;
      now = std::max(now, *due);
      forwarder.handle_timeout(now, batch);
      drain();
    }
    now = t;
  }
  void drain() {
    while (auto r = forwarder.poll_request()) requests.push_back(*r);
    while (auto e = forwarder.poll_event()) events.push_back(*e);
  }
  Batch take() {
    Batch b = std::move(batch);
    batch.clear();
    return b;
  }
  /// Copies of what would be on the wire behind the RTP header.
  core::Buffer payload_of(const ForwardedPacket& p) const {
    core::Buffer b(p.prefix.begin(), p.prefix.begin() + p.prefix_size);
    if (p.body.has_buffer()) {
      const core::Bytes body = slab.bytes(p.body);
      b.insert(b.end(), body.begin(), body.end());
    }
    return b;
  }
  /// Presents the packet in a buffer of the slab, as the worker does.
  void feed(MediaPacket packet, core::Bytes payload) {
    const uint32_t buffer = slab.acquire();
    ASSERT_NE(buffer, PayloadRef::kNone);
    std::copy(payload.begin(), payload.end(), slab.buffer(buffer).begin());
    packet.payload = {buffer, 0, static_cast<uint16_t>(payload.size())};
    forwarder.handle_media(now, packet, batch);
    slab.release(buffer);
    drain();
  }
  size_t key_frame_requests(SourceNumber source) const {
    size_t n = 0;
    for (const Request& r : requests) {
      const auto* k = std::get_if<KeyFrameRequest>(&r);
      n += k != nullptr && k->source == source;
    }
    return n;
  }
};

/// A node of another process that goes on where this one stopped, with an empty slab.
inline std::unique_ptr<Node> hand_over(const Node& from, ForwarderConfig config = {}) {
  const ForwarderState state = from.forwarder.export_state(from.now);
  auto to = std::make_unique<Node>(config, PacketSlab::Config{.buffers = 20000, .buffer_size = 1536},
                                   rtp::NtpClock(state.clock_instant, state.clock_ntp));
  to->random = from.random;  // so that what is drawn later can be compared
  to->now = from.now;
  EXPECT_TRUE(to->forwarder.restore(to->now, state));
  EXPECT_TRUE(to->forwarder.is_consistent());
  EXPECT_TRUE(to->forwarder.export_state(to->now) == state) << "what was restored is what was exported";
  return to;
}

/// Slots as a browser has them: `audio` + `video` + `share`, in that order; ssrcs from `base` up.
inline ReceiverConfig receiver_config(uint64_t peer, size_t audio = 6, size_t video = 16, size_t share = 2,
                                      bool takes_red = true) {
  ReceiverConfig c;
  c.peer = PeerId(peer);
  uint32_t ssrc = static_cast<uint32_t>(peer) * 1000;
  const auto add = [&](SlotUse use, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      SlotConfig s;
      s.use = use;
      s.index = static_cast<uint16_t>(i);
      s.ssrc = ++ssrc;
      if (use == SlotUse::Audio) {
        s.payload_types = {kOpusType, takes_red ? kRedType : uint8_t{0}, 0, 0};
      } else {
        s.rtx_ssrc = s.ssrc + 500;
        s.payload_types = {0, 0, kVp8Type, kH264Type};
        s.rtx_payload_types = {0, 0, kVp8RtxType, 0};
      }
      c.slots.push_back(s);
    }
  };
  add(SlotUse::Audio, audio);
  add(SlotUse::Video, video);
  add(SlotUse::Share, share);
  return c;
}

inline SourceBinding binding(uint32_t number, uint64_t owner, SourceKind kind, uint64_t group = 1) {
  return {SourceNumber(number), PeerId(owner), kind, GroupId(group), true};
}
inline SlotView show(uint16_t slot, uint32_t source, uint16_t width = 640, uint16_t height = 360) {
  return {SlotUse::Video, slot, SourceNumber(source), width, height, 0};
}

/// One VP8 layer of a sender.
struct Vp8Layer {
  uint8_t layer = 0;
  uint16_t width = 320;
  uint16_t height = 180;
  uint16_t sequence = 0;
  uint32_t timestamp = 0;
  uint16_t picture_id = 0;
  uint8_t tl0 = 0;
  bool has_long_id = true;
  size_t packets_per_frame = 3;
  size_t filler = 0;  ///< bytes more in each packet
};

struct Vp8Bytes {
  MediaPacket packet;
  core::Buffer payload;
};

/// The packets of the next frame; the layer's numbers move on.
inline std::vector<Vp8Bytes> make_frame(Vp8Layer& l, SourceHandle source, bool key, uint32_t ticks = 3000) {
  std::vector<Vp8Bytes> packets;
  for (size_t i = 0; i < l.packets_per_frame; ++i) {
    Vp8Bytes p;
    p.packet.source = source;
    p.packet.layer = l.layer;
    p.packet.format = PayloadFormat::Vp8;
    p.packet.marker = i + 1 == l.packets_per_frame;
    p.packet.sequence_number = l.sequence++;
    p.packet.timestamp = l.timestamp;
    const uint8_t first = static_cast<uint8_t>(0x80 | (i == 0 ? 0x10 : 0));
    p.payload = {first, 0xe0};  // I, L, T
    if (l.has_long_id) {
      p.payload.push_back(static_cast<uint8_t>(0x80 | (l.picture_id >> 8)));
      p.payload.push_back(static_cast<uint8_t>(l.picture_id));
    } else {
      p.payload.push_back(static_cast<uint8_t>(l.picture_id & 0x7f));
    }
    p.payload.push_back(l.tl0);
    p.payload.push_back(0x00);
    if (i == 0) {
      const uint8_t tag = key ? 0x10 : 0x11;
      p.payload.insert(p.payload.end(), {tag, 0x02, 0x00});
      if (key) {
        p.payload.insert(p.payload.end(),
                         {0x9d, 0x01, 0x2a, static_cast<uint8_t>(l.width), static_cast<uint8_t>(l.width >> 8),
                          static_cast<uint8_t>(l.height), static_cast<uint8_t>(l.height >> 8)});
      }
    }
    // What the decoder would get, recognisable: source, layer, number.
    p.payload.insert(p.payload.end(), {static_cast<uint8_t>(source.number.value()), l.layer,
                                       static_cast<uint8_t>(p.packet.sequence_number >> 8),
                                       static_cast<uint8_t>(p.packet.sequence_number), 0xaa, 0xbb});
    p.payload.resize(p.payload.size() + l.filler);
    packets.push_back(std::move(p));
  }
  l.timestamp += ticks;
  l.picture_id = static_cast<uint16_t>((l.picture_id + 1) & (l.has_long_id ? 0x7fff : 0x7f));
  ++l.tl0;
  return packets;
}

/// A microphone sending Opus frames of 20 ms.
struct Microphone {
  SourceHandle source;
  uint16_t sequence = 100;
  uint32_t timestamp = 5000;
  uint8_t counter = 0;
  size_t size = 80;

  void speak(Node& node, uint8_t level) {
    MediaPacket p;
    p.source = source;
    p.format = PayloadFormat::Opus;
    p.sequence_number = sequence++;
    p.timestamp = timestamp;
    p.audio_level = rtp::AudioLevel{level < 60, level};
    timestamp += 960;
    core::Buffer payload(size, ++counter);
    payload[0] = 0x78;
    node.feed(p, payload);
  }
};

}  // namespace huitang::sfu::testing
