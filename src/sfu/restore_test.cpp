// A forwarder takes over only what one like it can have handed over; after anything else it is as just
// constructed.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "sfu/state_fields.h"
#include "sfu/test_bench.h"

namespace huitang::sfu {
namespace {

using namespace testing;

/// Two viewers of a camera, a share and each other's voices, in the middle of it.
std::unique_ptr<Node> make_meeting() {
  auto node = std::make_unique<Node>();
  std::array<Microphone, 2> voices;
  for (uint32_t peer = 1; peer <= 2; ++peer) {
    const auto r = *node->forwarder.add_receiver(node->now, receiver_config(peer, 2, 2, 1));
    node->forwarder.set_receiver_ready(node->now, r, true);
    voices[peer - 1].source =
        node->forwarder.bind_source(node->now, binding(20 + peer, peer, SourceKind::Microphone));
  }
  const SourceHandle camera = node->forwarder.bind_source(node->now, binding(11, 1, SourceKind::Camera));
  const SourceHandle screen = node->forwarder.bind_source(node->now, binding(12, 1, SourceKind::Screen));
  node->forwarder.bind_source(node->now, binding(13, 2, SourceKind::Camera));
  node->forwarder.bind_source(node->now, binding(14, 1, SourceKind::ScreenAudio));
  node->forwarder.set_group(node->now,
                            {GroupId(1), {PeerId(1), PeerId(2), PeerId(3)}, 2, {SourceNumber(22)}});
  const std::array<SlotView, 3> view{SlotView{SlotUse::Video, 0, GroupId(1), 640, 360, 0}, show(1, 13),
                                     SlotView{SlotUse::Share, 0, SourceNumber(12), 1280, 720, 0}};
  for (uint64_t peer = 1; peer <= 2; ++peer) node->forwarder.set_view(node->now, PeerId(peer), view);
  Vp8Layer low{.layer = 0, .sequence = 65530}, high{.layer = 1, .width = 640, .height = 360, .sequence = 9};
  Vp8Layer shared{.width = 1280, .height = 720, .sequence = 500};
  for (int i = 0; i < 60; ++i) {
    for (Vp8Layer* l : {&low, &high}) {
      auto frame = make_frame(*l, camera, i % 20 == 0);
      if (i == 58) frame.erase(frame.begin() + 1);  // something to ask for
      for (const auto& p : frame) node->feed(p.packet, p.payload);
    }
    for (const auto& p : make_frame(shared, screen, i == 0)) node->feed(p.packet, p.payload);
    for (Microphone& m : voices) m.speak(*node, 20);
    const auto ntp = rtp::NtpTime::from_wall(core::WallTime::from_unix_millis(1'600'000'000'000 + i * 20));
    node->forwarder.handle_sender_report(node->now, camera, 1, {1, ntp, high.timestamp, 0, 0});
    node->advance(Duration::millis(20));
    node->take();
    node->slab.reclaim();
  }
  return node;
}

struct RestoreTest : ::testing::Test {
  std::unique_ptr<Node> meeting = make_meeting();
  ForwarderState state = meeting->forwarder.export_state(meeting->now);

  /// Into a forwarder of these limits; whatever comes of it, that one goes on well.
  bool restores(const ForwarderState& s, ForwarderConfig config = {}) const {
    Node node(config, {.buffers = 64, .buffer_size = 1536},
              rtp::NtpClock(state.clock_instant, state.clock_ntp));
    node.now = meeting->now;
    const bool is_restored = node.forwarder.restore(node.now, s);
    EXPECT_TRUE(node.forwarder.is_consistent());
    if (!is_restored) expect_new(node);
    use(node);
    return is_restored;
  }

 private:
  static void expect_new(Node& node) {
    const ForwarderState rest = node.forwarder.export_state(node.now);
    EXPECT_TRUE(rest.sources.empty() && rest.owners.empty() && rest.receivers.empty() && rest.groups.empty());
    EXPECT_TRUE(rest.counters == ForwarderCounters());
    EXPECT_FALSE(node.forwarder.deadline().has_value());
  }
  /// Media, questions, time and an end.
  static void use(Node& node) {
    Vp8Layer layer{.layer = 1, .sequence = 200};
    const SourceHandle camera = node.forwarder.bind_source(node.now, binding(11, 1, SourceKind::Camera));
    Microphone voice{.source = node.forwarder.bind_source(node.now, binding(21, 1, SourceKind::Microphone))};
    for (int i = 0; i < 3; ++i) {
      for (const auto& p : make_frame(layer, camera, i == 0)) node.feed(p.packet, p.payload);
      voice.speak(node, 30);
      for (uint32_t r = 0; r < 2; ++r) {
        const std::array<uint16_t, 2> numbers{1, static_cast<uint16_t>(layer.sequence)};
        node.forwarder.handle_nack(node.now, ReceiverIndex(r), (r + 1) * 1000 + 3, numbers, node.batch);
        node.forwarder.handle_key_frame_ask(node.now, ReceiverIndex(r), (r + 1) * 1000 + 3);
      }
      node.advance(Duration::millis(60));
      node.take();
      node.slab.reclaim();
    }
    EXPECT_TRUE(node.forwarder.is_consistent());
    node.forwarder.remove_receiver(node.now, ReceiverIndex(0));
    node.forwarder.unbind_source(node.now, SourceNumber(11));
    EXPECT_TRUE(node.forwarder.is_consistent());
  }
};

TEST_F(RestoreTest, what_was_exported_is_restored) { EXPECT_TRUE(restores(state)); }

TEST_F(RestoreTest, an_empty_state_restores_to_an_empty_forwarder) {
  ForwarderState empty;
  empty.clock_instant = state.clock_instant;
  empty.clock_ntp = state.clock_ntp;
  EXPECT_TRUE(restores(empty));
}

TEST_F(RestoreTest, a_forwarder_in_use_is_not_overwritten) {
  EXPECT_FALSE(meeting->forwarder.restore(meeting->now, state));
  EXPECT_EQ(meeting->forwarder.snapshot_sources().size(), 6u);
}

TEST_F(RestoreTest, another_clock_is_refused) {
  state.clock_ntp = state.clock_ntp + Duration::millis(2);
  Node node({}, {.buffers = 64, .buffer_size = 1536},
            rtp::NtpClock(state.clock_instant, state.clock_ntp + Duration::millis(-2)));
  EXPECT_FALSE(node.forwarder.restore(meeting->now, state));
}

TEST_F(RestoreTest, more_than_the_limits_is_refused) {
  EXPECT_FALSE(restores(state, {.max_sources = 5}));
  EXPECT_FALSE(restores(state, {.max_receivers = 1}));
  state.groups.push_back({.id = GroupId(2), .is_set = true});
  EXPECT_TRUE(restores(state));
  EXPECT_FALSE(restores(state, {.max_groups = 1}));
  ReceiverState& receiver = state.receivers[0];
  while (receiver.slots.size() <= kMaxSlots) {
    receiver.slots.push_back({});
    receiver.slots.back().config.ssrc = 50000 + static_cast<uint32_t>(receiver.slots.size());
  }
  EXPECT_FALSE(restores(state));
}

TEST_F(RestoreTest, the_same_twice_is_refused) {
  for (const auto& twice : std::initializer_list<void (*)(ForwarderState&)>{
           [](ForwarderState& s) { s.sources.push_back(s.sources.back()); },
           [](ForwarderState& s) { s.sources[1].binding.number = s.sources[0].binding.number; },
           [](ForwarderState& s) { s.owners.push_back(s.owners.back()); },
           [](ForwarderState& s) { s.receivers.push_back(s.receivers.back()); },
           [](ForwarderState& s) { s.receivers[1].peer = s.receivers[0].peer; },
           [](ForwarderState& s) {
             s.receivers[0].slots[3].config.ssrc = s.receivers[0].slots[2].config.ssrc;
           },
           [](ForwarderState& s) { s.receivers[0].groups.push_back(s.receivers[0].groups[0]); },
           [](ForwarderState& s) { s.groups.push_back(s.groups.back()); },
           [](ForwarderState& s) { s.groups[0].cameras.push_back(s.groups[0].cameras[0]); },
           [](ForwarderState& s) { s.groups[0].talkers.members.push_back(s.groups[0].talkers.members[0]); },
       }) {
    ForwarderState s = state;
    twice(s);
    EXPECT_FALSE(restores(s));
  }
}

TEST_F(RestoreTest, names_of_what_is_not_there_are_refused) {
  for (const auto& dangling : std::initializer_list<void (*)(ForwarderState&)>{
           [](ForwarderState& s) { s.sources.erase(s.sources.begin()); },
           [](ForwarderState& s) { s.owners.pop_back(); },
           [](ForwarderState& s) {
             s.owners.push_back({PeerId(99), {}});
           },
           [](ForwarderState& s) { s.groups.clear(); },
           [](ForwarderState& s) { s.groups[0].cameras[0] = 77; },
           [](ForwarderState& s) { s.groups[0].speaker.speakers = {77}; },
           [](ForwarderState& s) { s.receivers[0].groups[0] = GroupId(9); },
           [](ForwarderState& s) { s.receivers[0].slots[2].target = 77; },
           [](ForwarderState& s) { s.receivers[0].slots[4].current.source = 77; },
           [](ForwarderState& s) { s.receivers[0].slots[4].current.layer = kMaxLayers; },
           [](ForwarderState& s) {
             s.receivers[0].slots[3].waiting = {77, 0};
           },
           [](ForwarderState& s) {
             s.receivers[0].slots[3].waiting = {0, 0};
           },  // a picture's slot, a voice
       }) {
    ForwarderState s = state;
    dangling(s);
    EXPECT_FALSE(restores(s));
  }
}

TEST_F(RestoreTest, numbers_that_would_be_used_again_or_leave_their_range_are_refused) {
  SlotState& share = state.receivers[0].slots[4];
  ASSERT_TRUE(share.current.is_set());
  const SlotState good = share;
  const auto refused = [&](auto spoil) {
    share = good;
    spoil(share);
    return !restores(state);
  };
  EXPECT_TRUE(refused([](SlotState& s) { s.next_sequence = int64_t{1} << 48; }));
  EXPECT_TRUE(refused([](SlotState& s) { s.next_sequence = -1; }));
  EXPECT_TRUE(refused([](SlotState& s) { s.next_rtx_sequence = int64_t{1} << 48; }));
  EXPECT_TRUE(refused([](SlotState& s) { s.next_picture_id = 0x8000; }));
  EXPECT_TRUE(refused([](SlotState& s) { --s.next_sequence; }));
  EXPECT_TRUE(refused([](SlotState& s) { s.runs.clear(); }));
  EXPECT_TRUE(refused([](SlotState& s) { s.runs.back().number = SourceNumber(13); }));
  EXPECT_TRUE(
      refused([](SlotState& s) { s.runs.back().shifts.sequence = std::numeric_limits<int64_t>::min(); }));
  EXPECT_TRUE(refused([](SlotState& s) { s.last_at = Instant::far_future(); }));
}

TEST_F(RestoreTest, values_that_are_none_are_refused) {
  for (const auto& unknown : std::initializer_list<void (*)(ForwarderState&)>{
           [](ForwarderState& s) { s.video_service = static_cast<VideoService>(3); },
           [](ForwarderState& s) { s.sources[0].binding.kind = static_cast<SourceKind>(4); },
           [](ForwarderState& s) { s.sources[2].layers[0].format = static_cast<PayloadFormat>(4); },
           [](ForwarderState& s) { s.receivers[0].slots[0].config.use = static_cast<SlotUse>(3); },
           [](ForwarderState& s) { s.receivers[0].slots[2].shown = static_cast<SlotState::Shown>(3); },
           [](ForwarderState& s) { s.receivers[0].limiter.tokens = std::nan(""); },
           [](ForwarderState& s) { s.groups[0].talkers.members[0].meter.fast = std::nanf(""); },
           [](ForwarderState& s) { s.sources[0].binding.number = SourceNumber(); },
           [](ForwarderState& s) { s.nack_deadline = Instant::far_future(); },
           [](ForwarderState& s) { s.receivers[0].budget = -1; },
           [](ForwarderState& s) { s.sources[2].layers[0].rate = -1; },
           [](ForwarderState& s) { s.receivers[0].slots[2].allotted_layer = kMaxLayers; },
       }) {
    ForwarderState s = state;
    unknown(s);
    EXPECT_FALSE(restores(s));
  }
}

// ---- each field spoiled in turn

/// Counts plain values through visit_fields, and gives the one with the wanted number another value.
struct Spoiler {
  size_t wanted;
  uint32_t how;  ///< which other value
  size_t count = 0;

  template <class T>
  void operator()(int, T& field) {
    visit(field);
  }

 private:
  template <class T>
  void visit(T& v) {
    if constexpr (std::is_same_v<T, bool>) {
      if (is_due()) v = !v;
    } else if constexpr (std::is_enum_v<T>) {
      if (is_due()) v = static_cast<T>(how % 2 == 0 ? 0xff : static_cast<int>(v) + 1);
    } else if constexpr (std::is_arithmetic_v<T>) {
      if (is_due()) v = other(v);
    } else if constexpr (std::is_same_v<T, core::Instant>) {
      if (is_due()) v = core::Instant::from_nanos(other(v.to_nanos()));
    } else if constexpr (std::is_same_v<T, core::Duration>) {
      if (is_due()) v = core::Duration::nanos(other(v.to_nanos()));
    } else if constexpr (std::is_same_v<T, rtp::NtpTime>) {
      if (is_due()) v = rtp::NtpTime::from_bits(other(v.bits()));
    } else if constexpr (requires { typename T::rep; }) {
      if (is_due()) v = T(other(v.value()));
    } else if constexpr (requires { v.has_value(); }) {
      if (is_due()) {
        v = v ? T() : T(typename T::value_type());
      } else if (v) {
        visit(*v);
      }
    } else if constexpr (requires { v.pop_back(); }) {
      if (is_due()) {
        how % 2 == 0 && !v.empty() ? v.pop_back()
                                   : v.push_back(v.empty() ? typename T::value_type() : v.back());
      }
      for (auto& x : v) visit(x);
    } else if constexpr (requires { v.fill(v[0]); }) {
      for (auto& x : v) visit(x);
    } else {
      visit_fields(*this, v);
    }
  }
  bool is_due() { return count++ == wanted; }
  template <class T>
  T other(T v) const {
    switch (how % 5) {
      case 0: return std::numeric_limits<T>::max();
      case 1: return std::numeric_limits<T>::lowest();
      case 2: return static_cast<T>(v + (v < std::numeric_limits<T>::max() ? 1 : 0));
      case 3: return static_cast<T>(v - (v > std::numeric_limits<T>::lowest() ? 1 : 0));
      default: return static_cast<T>(std::numeric_limits<T>::max() / 2);
    }
  }
};

TEST_F(RestoreTest, whatever_field_is_wrong_it_is_refused_or_harmless) {
  Spoiler counting{SIZE_MAX, 0};
  counting(0, state);
  ASSERT_GT(counting.count, 500u);
  size_t refused = 0;
  // Every third of the many, so that it does not take long; which, differs with the value.
  for (uint32_t how = 0; how < 5; ++how) {
    for (size_t i = how % 3; i < counting.count; i += 3) {
      SCOPED_TRACE(::testing::Message() << "value " << i << " spoiled by way " << how);
      ForwarderState s = state;
      Spoiler spoiler{i, how};
      spoiler(0, s);
      refused += !restores(s);
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(refused, 300u);
}

}  // namespace
}  // namespace huitang::sfu
