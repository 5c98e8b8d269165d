// A receiver with a budget: what of its pictures goes on, what stops, what is said of it.
#include <gtest/gtest.h>

#include "sfu/test_bench.h"

namespace huitang::sfu {
namespace {

using core::Bitrate;
using namespace testing;

/// One viewer of a camera in three layers, its speaker's sound, and a second camera in one small layer.
struct BudgetTest : ::testing::Test {
  std::unique_ptr<Node> node = std::make_unique<Node>();
  ReceiverIndex viewer;
  SourceHandle camera, other;
  Microphone voice;
  // With the headers: about 150, 500 and 1700 kbit/s at 25 frames a second, and 150.
  std::array<Vp8Layer, 3> layers{
      Vp8Layer{.layer = 0, .width = 320, .height = 180, .sequence = 5, .packets_per_frame = 1, .filler = 680},
      Vp8Layer{
          .layer = 1, .width = 640, .height = 360, .sequence = 60, .packets_per_frame = 3, .filler = 760},
      Vp8Layer{
          .layer = 2, .width = 1280, .height = 720, .sequence = 9, .packets_per_frame = 8, .filler = 1000}};
  Vp8Layer other_layer{.width = 320, .height = 180, .sequence = 7, .packets_per_frame = 1, .filler = 680};
  std::vector<SlotPaused> told;

  void SetUp() override {
    viewer = *node->forwarder.add_receiver(node->now, receiver_config(1));
    node->forwarder.set_receiver_ready(node->now, viewer, true);
    camera = node->forwarder.bind_source(node->now, binding(11, 10, SourceKind::Camera));
    other = node->forwarder.bind_source(node->now, binding(12, 20, SourceKind::Camera));
    voice.source = node->forwarder.bind_source(node->now, binding(13, 10, SourceKind::Microphone));
    node->forwarder.set_group(node->now, {GroupId(1), {PeerId(1)}, 0, {}});
    const std::array<SlotView, 2> view{show(0, 11, 1280, 720), show(1, 12, 320, 180)};
    ASSERT_TRUE(node->forwarder.set_view(node->now, PeerId(1), view));
    send(true);
    send(true);
    run(Duration::seconds(3));
    ASSERT_EQ(shown(0), 2);
    ASSERT_EQ(shown(1), 0);
  }
  /// One frame of everything; gives what left.
  std::vector<ForwardedPacket> send(bool key) {
    for (Vp8Layer& layer : layers) feed(layer, camera, key);
    feed(other_layer, other, key);
    voice.speak(*node, 20);
    node->advance(Duration::millis(20));
    voice.speak(*node, 20);
    node->advance(Duration::millis(20));
    for (const Event& e : node->events)
      if (const auto* paused = std::get_if<SlotPaused>(&e)) told.push_back(*paused);
    node->events.clear();
    node->slab.reclaim();
    return node->take().packets;
  }
  void feed(Vp8Layer& layer, SourceHandle source, bool key) {
    for (const auto& p : make_frame(layer, source, key, 3600)) node->feed(p.packet, p.payload);
  }
  /// Key frames come when they are asked for.
  void run(Duration span) {
    for (const Instant end = node->now + span; node->now < end;) {
      const bool is_asked = std::ranges::any_of(node->requests, is_key_frame_request);
      node->requests.clear();
      send(is_asked);
    }
  }
  static bool is_key_frame_request(const Request& r) { return std::holds_alternative<KeyFrameRequest>(r); }
  void budget(int64_t kbps) {
    node->forwarder.set_receiver_budget(node->now, viewer, Bitrate::kbps(kbps));
    node->drain();
  }
  /// -1: nothing.
  int shown(size_t slot) const {
    const SlotSnapshot s = node->forwarder.snapshot_slots(viewer)[6 + slot];
    return s.showing == SourceNumber() ? -1 : int{s.layer};
  }
  static size_t count(const std::vector<ForwardedPacket>& out, uint32_t source) {
    return static_cast<size_t>(std::ranges::count(out, source, &ForwardedPacket::csrc));
  }
};

TEST_F(BudgetTest, without_a_budget_it_gets_what_the_sizes_need_and_the_demand_says_so) {
  const ReceiverDemand d = node->forwarder.demand(viewer);
  EXPECT_NEAR(static_cast<double>(d.sent.to_bps()), 1'850'000, 150'000);
  EXPECT_EQ(d.next, d.sent);
  EXPECT_EQ(d.wanted, d.sent);
}

TEST_F(BudgetTest, a_budget_that_suffices_changes_nothing) {
  budget(2500);
  run(Duration::seconds(10));
  EXPECT_EQ(shown(0), 2);
  EXPECT_EQ(shown(1), 0);
  EXPECT_TRUE(told.empty());
}

TEST_F(BudgetTest, a_little_less_goes_on_with_the_higher_layer_until_the_key_frame_of_the_lower_one) {
  node->requests.clear();
  budget(1700);
  EXPECT_TRUE(std::ranges::any_of(node->requests, is_key_frame_request)) << "asked for at once";
  EXPECT_EQ(count(send(false), 11), 8u);
  EXPECT_EQ(count(send(true), 11), 3u);
  EXPECT_EQ(shown(0), 1);
}

TEST_F(BudgetTest, a_key_frame_that_does_not_come_is_not_waited_for_for_long) {
  budget(1700);
  for (int i = 0; i < 11; ++i) EXPECT_EQ(count(send(false), 11), 8u);
  for (int i = 0; i < 4; ++i) send(false);
  EXPECT_EQ(count(send(false), 11), 0u);
  EXPECT_EQ(count(send(true), 11), 3u);
}

TEST_F(BudgetTest, far_over_the_budget_the_higher_layer_stops_at_once) {
  node->requests.clear();
  budget(400);
  EXPECT_TRUE(std::ranges::any_of(node->requests, is_key_frame_request));
  const auto out = send(false);
  EXPECT_EQ(count(out, 11), 0u);
  EXPECT_EQ(count(out, 12), 1u);
  EXPECT_EQ(count(out, 13), 2u) << "sound is not part of it";
  EXPECT_EQ(count(send(true), 11), 1u);
  EXPECT_EQ(shown(0), 0);
}

TEST_F(BudgetTest, comes_back_a_step_at_a_time_when_there_is_room) {
  budget(400);
  run(Duration::seconds(1));
  EXPECT_EQ(shown(0), 0);
  budget(5000);
  run(Duration::millis(800));
  EXPECT_EQ(shown(0), 0);
  run(Duration::millis(700));
  EXPECT_EQ(shown(0), 1);
  run(Duration::millis(1300));
  EXPECT_EQ(shown(0), 2);
}

TEST_F(BudgetTest, what_does_not_fit_is_paused_says_so_and_keeps_its_sound_on_its_slot) {
  const auto sound = [](const std::vector<ForwardedPacket>& out) {
    return *std::ranges::find(out, 13u, &ForwardedPacket::csrc);
  };
  const ForwardedPacket before = sound(send(false));
  budget(100);
  const auto out = send(false);
  EXPECT_EQ(count(out, 11) + count(out, 12), 0u);
  EXPECT_EQ(sound(out).ssrc, before.ssrc);
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].peer, PeerId(1));
  EXPECT_EQ(told[0].use, SlotUse::Video);
  EXPECT_EQ(told[0].index, 0);
  EXPECT_EQ(told[0].source, SourceNumber(11));
  EXPECT_EQ(told[1].source, SourceNumber(12));
  run(Duration::seconds(5));
  EXPECT_EQ(told.size(), 2u) << "once";

  budget(220);
  run(Duration::seconds(2));
  EXPECT_EQ(shown(0), 0);
  EXPECT_EQ(shown(1), -1);
  ASSERT_EQ(told.size(), 3u);
  EXPECT_EQ(told[2].index, 0);
  EXPECT_EQ(told[2].source, SourceNumber());
}

TEST_F(BudgetTest, a_paused_slot_that_is_to_show_nothing_is_paused_no_more) {
  budget(220);
  run(Duration::seconds(1));
  ASSERT_EQ(told.size(), 1u);
  const std::array<SlotView, 1> view{show(0, 11, 1280, 720)};
  ASSERT_TRUE(node->forwarder.set_view(node->now, PeerId(1), view));
  node->drain();
  send(false);
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[1].index, 1);
  EXPECT_EQ(told[1].source, SourceNumber());
}

TEST_F(BudgetTest, without_a_budget_again_all_is_as_before) {
  budget(100);
  run(Duration::seconds(1));
  node->forwarder.set_receiver_budget(node->now, viewer, std::nullopt);
  run(Duration::seconds(1));
  EXPECT_EQ(shown(0), 2);
  EXPECT_EQ(shown(1), 0);
  ASSERT_EQ(told.size(), 4u);
}

TEST_F(BudgetTest, key_frames_and_a_trembling_estimate_do_not_move_it) {
  budget(2350);
  run(Duration::seconds(12));
  const uint64_t switches = node->forwarder.counters().switches;
  for (int i = 0; i < 500; ++i) {
    budget(2350 + static_cast<int64_t>(node->random.below(230)) - 115);
    for (size_t k = 0; k < layers.size(); ++k) layers[k].filler += i % 100 == 50 ? 400 : 0;
    send(i % 100 == 50);
    for (size_t k = 0; k < layers.size(); ++k) layers[k].filler -= i % 100 == 50 ? 400 : 0;
  }
  EXPECT_EQ(node->forwarder.counters().switches, switches);
}

TEST_F(BudgetTest, a_layer_that_becomes_dearer_than_the_budget_is_left) {
  budget(2500);
  run(Duration::seconds(2));
  layers[2].packets_per_frame = 14;
  run(Duration::seconds(3));
  EXPECT_EQ(shown(0), 1);
}

TEST_F(BudgetTest, a_tile_made_large_gets_its_layer_without_waiting) {
  const std::array<SlotView, 2> tiles{show(0, 11, 320, 180), show(1, 12, 320, 180)};
  ASSERT_TRUE(node->forwarder.set_view(node->now, PeerId(1), tiles));
  budget(3000);
  run(Duration::seconds(1));
  EXPECT_EQ(shown(0), 0);
  const std::array<SlotView, 2> large{show(0, 11, 1280, 720), show(1, 12, 320, 180)};
  ASSERT_TRUE(node->forwarder.set_view(node->now, PeerId(1), large));
  node->drain();
  run(Duration::millis(100));
  EXPECT_EQ(shown(0), 2);
}

TEST_F(BudgetTest, the_demand_names_the_budget_that_the_next_step_needs) {
  budget(1000);
  run(Duration::seconds(1));
  ReceiverDemand d = node->forwarder.demand(viewer);
  EXPECT_NEAR(static_cast<double>(d.sent.to_bps()), 650'000, 60'000);
  EXPECT_NEAR(static_cast<double>(d.next.to_bps()), 1'850'000 * 1.2, 180'000);
  EXPECT_NEAR(static_cast<double>(d.wanted.to_bps()), 1'850'000, 150'000);
  node->forwarder.set_receiver_budget(node->now, viewer, d.next * 1.01);
  run(Duration::seconds(2));
  EXPECT_EQ(shown(0), 2);
  d = node->forwarder.demand(viewer);
  EXPECT_EQ(d.next, d.sent);
}

TEST_F(BudgetTest, few_pictures_by_load_and_by_budget_go_together) {
  budget(1000);
  node->forwarder.set_video_service(node->now, VideoService::Paused);
  auto out = send(true);
  EXPECT_EQ(count(out, 11) + count(out, 12), 0u);
  EXPECT_TRUE(told.empty()) << "not for want of bandwidth";
  node->forwarder.set_video_service(node->now, VideoService::LowLayers);
  run(Duration::seconds(3));
  EXPECT_EQ(shown(0), 0);
  node->forwarder.set_video_service(node->now, VideoService::Full);
  run(Duration::seconds(3));
  EXPECT_EQ(shown(0), 1);
}

TEST_F(BudgetTest, a_successor_goes_on_within_the_budget_and_says_again_what_is_paused) {
  budget(220);
  run(Duration::seconds(2));
  ASSERT_EQ(shown(0), 0);
  ASSERT_EQ(told.size(), 1u) << "the second camera";
  node = hand_over(*node);
  run(Duration::seconds(5));
  EXPECT_EQ(shown(0), 0);
  EXPECT_EQ(shown(1), -1);
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[1].source, SourceNumber(12));
  budget(3000);
  run(Duration::seconds(4));
  EXPECT_EQ(shown(0), 2);
  EXPECT_EQ(shown(1), 0);
  EXPECT_EQ(told.size(), 3u);
}

}  // namespace
}  // namespace huitang::sfu
