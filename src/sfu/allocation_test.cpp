// Nothing on the way of a packet asks for memory once the tables are warm.
#include <gtest/gtest.h>

#include "sfu/allocation_count.h"
#include "sfu/test_bench.h"

namespace huitang::sfu {
namespace {

using namespace testing;

TEST(AllocationTest, forwarding_a_hundred_thousand_packets_allocates_nothing) {
  Node node;
  GroupConfig group{GroupId(1), {}, 0, {}};
  for (uint64_t peer = 1; peer <= 20; ++peer) {
    const auto r = *node.forwarder.add_receiver(node.now, receiver_config(peer, 6, 16, 2, peer % 2 == 0));
    node.forwarder.set_receiver_ready(node.now, r, true);
    const std::array<SlotView, 2> views{show(0, 11), show(1, 12)};
    node.forwarder.set_view(node.now, PeerId(peer), views);
    group.listeners.push_back(PeerId(peer));
  }
  node.forwarder.set_group(node.now, group);
  std::array<Vp8Layer, 2> layers;
  const std::array<SourceHandle, 2> cameras{
      node.forwarder.bind_source(node.now, binding(11, 100, SourceKind::Camera)),
      node.forwarder.bind_source(node.now, binding(12, 101, SourceKind::Camera))};
  std::array<MediaPacket, 6> voices;
  for (uint32_t i = 0; i < voices.size(); ++i) {
    voices[i].source = node.forwarder.bind_source(node.now, binding(21 + i, 1 + i, SourceKind::Microphone));
    voices[i].format = PayloadFormat::Opus;
  }
  const core::Buffer opus(100, 0x78);
  std::array<std::vector<Vp8Bytes>, 2> frames;

  const auto feed = [&](const MediaPacket& packet, core::Bytes payload) {
    MediaPacket p = packet;
    const uint32_t buffer = node.slab.acquire();
    std::copy(payload.begin(), payload.end(), node.slab.buffer(buffer).begin());
    p.payload = {buffer, 0, static_cast<uint16_t>(payload.size())};
    node.forwarder.handle_media(node.now, p, node.batch);
    node.slab.release(buffer);
  };
  size_t forwarded = 0;
  size_t allocated = 0;
  const auto round = [&](int i) {
    for (size_t s = 0; s < 2; ++s)
      frames[s] = make_frame(layers[s], cameras[s], i % 30 == 0);  // allocates; not counted
    if (i % 10 == 9) layers[0].sequence = static_cast<uint16_t>(layers[0].sequence + 2);  // loss, so NACKs
    const size_t before = allocation_count();
    // Estimates that come and go: pictures are paused and come back.
    for (uint32_t r = 15; r < 20; ++r)
      node.forwarder.set_receiver_budget(node.now, ReceiverIndex(r),
                                         core::Bitrate::kbps(20 + (i / 50 + r) % 7 * 60));
    for (const auto& frame : frames) {
      for (const Vp8Bytes& p : frame) feed(p.packet, p.payload);
    }
    for (uint32_t v = 0; v < voices.size(); ++v) {
      MediaPacket& p = voices[v];
      ++p.sequence_number;
      p.timestamp += 960;
      p.audio_level =
          rtp::AudioLevel{true, static_cast<uint8_t>(20 + (i / 40 + v) % 6 * 12)};  // talkers change
      feed(p, opus);
    }
    const std::array<uint16_t, 3> lost{static_cast<uint16_t>(i), static_cast<uint16_t>(i + 1), 7};
    node.forwarder.handle_nack(node.now, ReceiverIndex(3), 4007, lost, node.batch);
    node.now += Duration::millis(20);
    if (const auto due = node.forwarder.deadline(); due && *due <= node.now) {
      node.forwarder.handle_timeout(node.now, node.batch);
    }
    while (node.forwarder.poll_request()) {
    }
    while (node.forwarder.poll_event()) {
    }
    allocated += allocation_count() - before;
    forwarded += node.batch.packets.size();
    node.batch.clear();
    node.slab.reclaim();
  };
  for (int i = 0; i < 300; ++i) round(i);
  forwarded = allocated = 0;
  for (int i = 300; i < 1300; ++i) round(i);
  EXPECT_GT(forwarded, 100'000u);
  EXPECT_EQ(allocated, 0u);
  EXPECT_GT(allocation_count(), 0u) << "the count counts";
}

}  // namespace
}  // namespace huitang::sfu
