// What a worker short of time takes from the pictures, and that the sound does not notice.
#include <gtest/gtest.h>

#include "sfu/test_bench.h"

namespace huitang::sfu {
namespace {

using namespace testing;

/// One viewer of a camera in two layers and of a share; a microphone of the camera's owner.
struct VideoServiceTest : ::testing::Test {
  Node node;
  ReceiverIndex viewer;
  SourceHandle camera, screen;
  Microphone voice;
  std::array<Vp8Layer, 2> layers{Vp8Layer{.layer = 0, .width = 320, .height = 180, .sequence = 5},
                                 Vp8Layer{.layer = 1, .width = 640, .height = 360, .sequence = 600}};
  Vp8Layer screen_layer{.width = 1280, .height = 720, .sequence = 70};

  void SetUp() override {
    viewer = *node.forwarder.add_receiver(node.now, receiver_config(1));
    node.forwarder.set_receiver_ready(node.now, viewer, true);
    camera = node.forwarder.bind_source(node.now, binding(11, 10, SourceKind::Camera));
    screen = node.forwarder.bind_source(node.now, binding(12, 10, SourceKind::Screen));
    voice.source = node.forwarder.bind_source(node.now, binding(13, 10, SourceKind::Microphone));
    node.forwarder.set_group(node.now, {GroupId(1), {PeerId(1)}, 0, {}});
    const std::array<SlotView, 2> view{show(0, 11, 640, 360),
                                       SlotView{SlotUse::Share, 0, SourceNumber(12), 1280, 720, 0}};
    ASSERT_TRUE(node.forwarder.set_view(node.now, PeerId(1), view));
    send(true);
    send(true);
  }
  /// One frame of everything; gives what left.
  std::vector<ForwardedPacket> send(bool key) {
    for (Vp8Layer& layer : layers)
      for (const auto& p : make_frame(layer, camera, key)) node.feed(p.packet, p.payload);
    for (const auto& p : make_frame(screen_layer, screen, key)) node.feed(p.packet, p.payload);
    voice.speak(node, 20);
    node.advance(Duration::millis(20));
    return node.take().packets;
  }
  static size_t count(const std::vector<ForwardedPacket>& out, uint32_t source) {
    return static_cast<size_t>(std::ranges::count(out, source, &ForwardedPacket::csrc));
  }
  int shown_layer() const {
    const SlotSnapshot slot = node.forwarder.snapshot_slots(viewer)[6];
    return slot.showing == SourceNumber(11) ? int{slot.layer} : -1;
  }
};

TEST_F(VideoServiceTest, low_layers_only_takes_the_lowest_that_flows_with_its_next_key_frame) {
  EXPECT_EQ(shown_layer(), 1);
  node.forwarder.set_video_service(node.now, VideoService::LowLayers);
  EXPECT_EQ(count(send(false), 11), 3u) << "a living picture until the key frame of the lower layer";
  send(true);
  EXPECT_EQ(shown_layer(), 0);
  node.forwarder.set_video_service(node.now, VideoService::Full);
  send(true);
  EXPECT_EQ(shown_layer(), 1);
}

TEST_F(VideoServiceTest, paused_pictures_stop_at_once_while_sound_and_share_go_on) {
  node.forwarder.set_video_service(node.now, VideoService::Paused);
  const auto out = send(true);
  EXPECT_EQ(count(out, 11), 0u);
  EXPECT_EQ(count(out, 12), 3u);
  EXPECT_EQ(count(out, 13), 1u);
  EXPECT_TRUE(node.forwarder.is_consistent());
}

TEST_F(VideoServiceTest, the_sound_stays_on_its_slot_and_its_numbers_have_no_gap) {
  const auto sound = [](const std::vector<ForwardedPacket>& out) {
    return *std::ranges::find(out, 13u, &ForwardedPacket::csrc);
  };
  ForwardedPacket last = sound(send(false));
  for (const VideoService service : {VideoService::Paused, VideoService::LowLayers, VideoService::Full}) {
    node.forwarder.set_video_service(node.now, service);
    for (int i = 0; i < 60; ++i) {
      const ForwardedPacket next = sound(send(false));
      EXPECT_EQ(next.ssrc, last.ssrc);
      EXPECT_EQ(next.sequence, last.sequence + 1);
      last = next;
    }
  }
}

TEST_F(VideoServiceTest, pictures_come_back_with_a_key_frame_that_is_asked_for) {
  node.forwarder.set_video_service(node.now, VideoService::Paused);
  for (int i = 0; i < 100; ++i) send(false);
  node.requests.clear();
  node.forwarder.set_video_service(node.now, VideoService::Full);
  node.drain();
  EXPECT_GE(node.key_frame_requests(SourceNumber(11)), 1u);
  EXPECT_EQ(count(send(false), 11), 0u);
  EXPECT_EQ(count(send(true), 11), 3u);
}

TEST_F(VideoServiceTest, a_view_that_changes_meanwhile_is_kept_for_later) {
  node.forwarder.set_video_service(node.now, VideoService::Paused);
  const std::array<SlotView, 1> view{show(3, 11, 640, 360)};
  ASSERT_TRUE(node.forwarder.set_view(node.now, PeerId(1), view));
  EXPECT_EQ(count(send(true), 11), 0u);
  node.forwarder.set_video_service(node.now, VideoService::Full);
  EXPECT_EQ(count(send(true), 11), 3u);
  EXPECT_EQ(node.forwarder.snapshot_slots(viewer)[9].showing, SourceNumber(11));
}

TEST_F(VideoServiceTest, each_layer_that_a_slot_begins_to_carry_is_told) {
  std::vector<SlotShows> told;
  while (auto shows = node.forwarder.poll_shows()) told.push_back(*shows);
  ASSERT_FALSE(told.empty());
  const SlotShows& last =
      *std::ranges::find(told.rbegin(), told.rend(), SourceNumber(11), &SlotShows::source);
  EXPECT_EQ(last.receiver, viewer);
  EXPECT_EQ(last.layer, 1);
  EXPECT_TRUE(std::ranges::none_of(told, [](const SlotShows& s) { return s.use == SlotUse::Audio; }));
}

}  // namespace
}  // namespace huitang::sfu
