// What the senders of pictures are asked to send.
#include <gtest/gtest.h>

#include "sfu/demand_desk.h"
#include "sfu/test_bench.h"

namespace huitang::sfu {
namespace {

using namespace testing;

constexpr Duration kLong = DemandDesk::kUnwantedAfter + DemandDesk::kReviewInterval * 2;

/// Two viewers of a camera that offers three layers.
struct DemandTest : ::testing::Test {
  Node node;
  SourceHandle camera;
  std::array<Vp8Layer, 3> layers{Vp8Layer{.layer = 0, .width = 320, .height = 180, .sequence = 5},
                                 Vp8Layer{.layer = 1, .width = 640, .height = 360, .sequence = 600},
                                 Vp8Layer{.layer = 2, .width = 1280, .height = 720, .sequence = 7000}};

  void SetUp() override {
    for (const uint64_t peer : {1, 2}) {
      const auto viewer = *node.forwarder.add_receiver(node.now, receiver_config(peer));
      node.forwarder.set_receiver_ready(node.now, viewer, true);
    }
    camera = bind(11);
  }
  SourceHandle bind(uint32_t number, SourceKind kind = SourceKind::Camera, uint8_t offered = 3) {
    SourceBinding b = binding(number, 10, kind);
    b.layers = offered;
    return node.forwarder.bind_source(node.now, b);
  }
  void view(std::initializer_list<SlotView> slots, uint64_t peer = 1) {
    ASSERT_TRUE(node.forwarder.set_view(node.now, PeerId(peer), std::vector<SlotView>(slots)));
  }
  /// As the sender obeys: those layers for so long, a key frame at the beginning of each that comes back.
  void send(uint8_t bits, Duration time) {
    const Instant end = node.now + time;
    for (bool key = true; node.now < end; key = false) {
      for (Vp8Layer& l : layers) {
        if ((bits >> l.layer & 1) == 0) continue;
        for (const auto& p : make_frame(l, camera, key)) node.feed(p.packet, p.payload);
      }
      node.advance(Duration::millis(40));
      node.take();
      node.slab.reclaim();
    }
  }
  /// All that was told of the camera since the last call.
  std::vector<int> told(uint32_t number = 11) {
    std::vector<int> list;
    for (const Event& e : node.events) {
      const auto* d = std::get_if<LayerDemand>(&e);
      if (d != nullptr && d->source == SourceNumber(number)) list.push_back(d->layers);
    }
    node.events.clear();
    return list;
  }
  using Told = std::vector<int>;
};

TEST_F(DemandTest, a_new_camera_sends_everything_and_soon_only_the_lowest_that_nobody_watches) {
  node.advance(Duration::millis(100));
  EXPECT_EQ(told(), Told{0b111});
  node.advance(DemandDesk::kUnwantedAfter - Duration::millis(200));
  EXPECT_EQ(told(), Told{});
  node.advance(kLong);
  EXPECT_EQ(told(), Told{0b001});
}

TEST_F(DemandTest, names_the_owner_and_the_kind_and_a_single_layer_always_goes_on) {
  bind(12, SourceKind::Screen, 1);
  bind(13, SourceKind::Microphone, 1);
  node.advance(kLong);
  const auto* d = std::get_if<LayerDemand>(&*std::ranges::find_if(node.events, [](const Event& e) {
    const auto* of = std::get_if<LayerDemand>(&e);
    return of != nullptr && of->source == SourceNumber(12);
  }));
  EXPECT_EQ(d->owner, PeerId(10));
  EXPECT_EQ(d->kind, SourceKind::Screen);
  EXPECT_EQ(d->layers, 1);
  EXPECT_EQ(told(13), Told{}) << "sound has no layers";
}

TEST_F(DemandTest, layers_above_the_largest_view_rest_and_are_asked_for_within_a_tick) {
  view({show(0, 11, 320, 180)});
  view({show(4, 11, 160, 90)}, 2);
  send(0b111, kLong);
  EXPECT_EQ(told(), (Told{0b111, 0b001}));
  EXPECT_EQ(node.forwarder.sizes().resting, 2u);
  EXPECT_TRUE(node.forwarder.snapshot_sources()[0].layers[0].demanded);
  EXPECT_FALSE(node.forwarder.snapshot_sources()[0].layers[1].demanded);
  send(0b001, Duration::seconds(3));
  view({show(4, 11, 1280, 720)}, 2);
  node.advance(Duration::millis(50));
  EXPECT_EQ(told(), Told{0b111}) << "the middle one too: for whose line grows narrow";
  view({show(4, 11, 640, 360)}, 2);
  send(0b111, kLong);
  EXPECT_EQ(told(), Told{0b011});
}

TEST_F(DemandTest, a_view_that_wavers_changes_nothing_at_the_sender) {
  view({show(0, 11, 1280, 720)});
  send(0b111, Duration::seconds(1));
  told();
  for (int i = 0; i < 10; ++i) {
    view({});
    send(0b111, DemandDesk::kUnwantedAfter - Duration::seconds(1));
    view({show(0, 11, 1280, 720)});
    send(0b111, Duration::millis(200));
  }
  EXPECT_EQ(told(), Told{});
}

TEST_F(DemandTest, the_layer_that_comes_back_is_shown_from_its_first_key_frame_on) {
  view({show(0, 11, 320, 180)});
  send(0b111, kLong);
  send(0b001, Duration::seconds(3));
  view({show(0, 11, 1280, 720)});
  send(0b001, Duration::millis(80));
  const auto showing = [this] { return node.forwarder.snapshot_slots(ReceiverIndex(0))[6]; };
  EXPECT_EQ(showing().showing, SourceNumber(11)) << "the small picture goes on meanwhile";
  EXPECT_EQ(showing().layer, 0);
  for (const auto& p : make_frame(layers[2], camera, true)) node.feed(p.packet, p.payload);
  EXPECT_EQ(showing().layer, 2);
}

TEST_F(DemandTest, who_goes_on_sending_everything_loses_nothing) {
  view({show(0, 11, 320, 180)});
  send(0b111, kLong * 2);
  EXPECT_EQ(told(), (Told{0b111, 0b001}));
  node.requests.clear();
  view({show(0, 11, 1280, 720)});
  node.drain();
  EXPECT_EQ(node.key_frame_requests(SourceNumber(11)), 1u)
      << "it flows, so a key frame is all that is wanting";
  send(0b111, Duration::millis(80));
  EXPECT_EQ(node.forwarder.snapshot_slots(ReceiverIndex(0))[6].layer, 2);
}

TEST_F(DemandTest, the_camera_of_who_begins_to_speak_is_asked_for_more) {
  node.forwarder.set_group(node.now, {GroupId(1), {PeerId(1)}, 0, {}});
  bind(22);
  SourceBinding other = binding(23, 20, SourceKind::Camera);
  other.layers = 3;
  node.forwarder.bind_source(node.now, other);
  Microphone voice;
  voice.source = node.forwarder.bind_source(node.now, binding(24, 20, SourceKind::Microphone));
  view({SlotView{SlotUse::Video, 0, GroupId(1), 1280, 720, 0}});
  send(0b111, kLong);
  EXPECT_EQ(told(23), (Told{0b111, 0b001}));
  for (int i = 0; i < 250; ++i) {
    voice.speak(node, 10);
    node.advance(Duration::millis(20));
    node.take();
  }
  EXPECT_EQ(told(23), Told{0b111});
}

TEST_F(DemandTest, a_node_short_of_time_asks_for_the_lowest_only) {
  view({show(0, 11, 1280, 720)});
  send(0b111, Duration::seconds(1));
  told();
  node.forwarder.set_video_service(node.now, VideoService::LowLayers);
  send(0b111, Duration::millis(40));
  send(0b111, kLong);
  EXPECT_EQ(told(), Told{0b001});
  node.forwarder.set_video_service(node.now, VideoService::Full);
  node.advance(Duration::millis(50));
  EXPECT_EQ(told(), Told{0b111});
}

TEST_F(DemandTest, is_told_again_after_a_hand_over_and_to_a_new_owner) {
  view({show(0, 11, 320, 180)});
  send(0b111, kLong);
  EXPECT_EQ(told(), (Told{0b111, 0b001}));
  bind(11);
  node.advance(kLong);
  EXPECT_EQ(told(), Told{}) << "a repeated binding is none";
  const auto successor = hand_over(node);
  successor->advance(Duration::millis(100));
  const auto is_demand = [](const Event& e) { return std::holds_alternative<LayerDemand>(e); };
  ASSERT_EQ(std::ranges::count_if(successor->events, is_demand), 1);
  EXPECT_EQ(std::get<LayerDemand>(*std::ranges::find_if(successor->events, is_demand)).layers, 0b001);
  SourceBinding other = binding(11, 99, SourceKind::Camera);
  other.layers = 3;
  node.forwarder.bind_source(node.now, other);
  node.advance(Duration::millis(100));
  EXPECT_EQ(told(), Told{0b111}) << "a new PeerConnection sends everything at first";
}

TEST_F(DemandTest, what_found_no_room_is_told_later) {
  Node small({.max_events = 1});
  SourceBinding b = binding(11, 10, SourceKind::Camera);
  for (const uint32_t number : {11, 12}) {
    b.number = SourceNumber(number);
    small.forwarder.bind_source(small.now, b);
  }
  small.advance(Duration::seconds(3));
  std::set<uint32_t> told;
  for (const Event& e : small.events)
    if (const auto* d = std::get_if<LayerDemand>(&e)) told.insert(d->source.value());
  EXPECT_EQ(told, (std::set<uint32_t>{11, 12}));
}

}  // namespace
}  // namespace huitang::sfu
