// A Worker and real clients in virtual time, on a network that is a queue.
#include "worker/test_world.h"

namespace huitang::worker {
namespace {

TEST_F(WorkerWithClients, one_hears_and_sees_another_under_the_sources_number) {
  TestClient& speaker = add_client();
  TestClient& listener = add_client();
  publish(speaker);
  show_camera(listener);
  send_media(speaker, Duration::seconds(2));
  EXPECT_GT(listener.count_of(kMicrophone), 80u);
  EXPECT_GT(listener.count_of(kCamera), 200u);
  EXPECT_TRUE(std::all_of(listener.seen().begin(), listener.seen().end(), [](auto& p) { return p.intact; }));
  EXPECT_GT(listener.sender_reports(), 1u);
  EXPECT_GT(speaker.receiver_reports(), 0u);
  EXPECT_EQ(speaker.seen().size(), 0u) << "nobody hears or sees himself";
}

TEST_F(WorkerWithClients, numbers_of_each_stream_have_no_gap_without_loss) {
  TestClient& speaker = add_client();
  TestClient& listener = add_client();
  publish(speaker);
  show_camera(listener);
  send_media(speaker, Duration::seconds(3));
  std::map<uint32_t, uint16_t> last;
  for (const SeenPacket& p : listener.seen()) {
    const auto it = last.find(p.ssrc);
    if (it != last.end()) {
      EXPECT_EQ(static_cast<uint16_t>(it->second + 1), p.sequence_number);
    }
    last[p.ssrc] = p.sequence_number;
  }
  EXPECT_GE(last.size(), 2u);
}

TEST_F(WorkerWithClients, a_mute_stops_everything_at_once_though_the_client_goes_on) {
  TestClient& speaker = add_client();
  TestClient& listener = add_client();
  publish(speaker);
  show_camera(listener);
  send_media(speaker, Duration::seconds(1));
  publish(speaker, false);
  listener.seen().clear();
  send_media(speaker, Duration::seconds(1));
  EXPECT_EQ(listener.seen().size(), 0u);
  publish(speaker, true);
  send_media(speaker, Duration::seconds(1));
  EXPECT_GT(listener.count_of(kMicrophone), 20u);
  EXPECT_GT(listener.count_of(kCamera), 50u);
}

TEST_F(WorkerWithClients, what_a_receiver_asks_for_again_comes_on_the_rtx_stream) {
  TestClient& speaker = add_client();
  TestClient& listener = add_client();
  publish(speaker);
  show_camera(listener);
  send_media(speaker, Duration::seconds(1));
  const SeenPacket lost = *std::find_if(listener.seen().rbegin(), listener.seen().rend(),
                                        [](auto& p) { return p.csrc == kCamera; });
  listener.seen().clear();
  std::array<uint8_t, 200> room;
  rtp::CompoundWriter writer(room);
  ASSERT_EQ(writer.add_nack(1, lost.ssrc, std::span(&lost.sequence_number, 1)), 1u);
  to_worker(listener.address(), listener.seal_rtcp(writer.written()));
  run(Duration::millis(20));
  const auto rtx = std::find_if(listener.seen().begin(), listener.seen().end(),
                                [](auto& p) { return p.payload_type == sdp::kOfferVp8Rtx; });
  ASSERT_NE(rtx, listener.seen().end());
  EXPECT_TRUE(rtx->intact);
  EXPECT_NE(rtx->ssrc, lost.ssrc);
}

TEST_F(WorkerWithClients, bytes_from_an_address_without_a_check_change_nothing) {
  TestClient& speaker = add_client();
  TestClient& listener = add_client();
  publish(speaker);
  show_camera(listener);
  send_media(speaker, Duration::seconds(1));
  const uint64_t before = worker_.counters().unattributed;
  listener.seen().clear();
  // The speaker's own, rightly sealed packets, but from elsewhere.
  const core::SocketAddress stranger{core::IpAddress::v4(203, 0, 113, 7), 1234};
  for (int i = 0; i < 10; ++i) to_worker(stranger, speaker.seal(audio_.next(now_), "0", {}));
  run(Duration::millis(20));
  EXPECT_EQ(listener.seen().size(), 0u);
  EXPECT_EQ(worker_.counters().unattributed, before + 10);
}

TEST_F(WorkerWithClients, a_peer_that_is_closed_in_the_middle_leaves_the_others_alone) {
  TestClient& speaker = add_client();
  TestClient& first = add_client();
  TestClient& second = add_client();
  publish(speaker);
  show_camera(first);
  show_camera(second);
  send_media(speaker, Duration::seconds(1));
  worker_.close_peer(now_, first.id());
  run(Duration::millis(50));
  EXPECT_EQ(first.transport().state(), bot::TransportState::Failed) << "it is told by close_notify";
  second.seen().clear();
  send_media(speaker, Duration::seconds(1));
  EXPECT_GT(second.count_of(kCamera), 100u);
  EXPECT_EQ(worker_.peer_count(), 2u);
  EXPECT_TRUE(worker_.is_consistent());
}

TEST_F(WorkerWithClients, whoever_closes_a_peer_hears_nothing_of_it_any_more) {
  TestClient& closed = add_client();
  TestClient& other = add_client();
  while (worker_.poll_event()) {
  }
  worker_.close_peer(now_, other.id());
  worker_.close_peer(now_, closed.id());
  run(Duration::millis(50));
  while (const auto event = worker_.poll_event()) {
    EXPECT_FALSE(std::holds_alternative<PeerStateEvent>(*event));
  }
}

TEST_F(WorkerWithClients, closing_the_owner_of_a_source_ends_the_source) {
  TestClient& speaker = add_client();
  TestClient& listener = add_client();
  publish(speaker);
  show_camera(listener);
  send_media(speaker, Duration::seconds(1));
  worker_.close_peer(now_, speaker.id());
  run(Duration::millis(50));
  EXPECT_FALSE(worker_.forwarder().find_source(sfu::SourceNumber(kCamera)).is_valid());
  TestClient& next = add_client();
  publish(next);  // the same numbers, another owner
  answered_plis_ = 0;
  listener.seen().clear();
  bot::SyntheticVideo video({.ssrc = 77, .payload_type = sdp::kOfferVp8});
  for (const auto& packet : video.next_frame(now_)) to_worker(next.address(), next.seal(packet, "1", "f"));
  run(Duration::millis(50));
  EXPECT_GT(listener.count_of(kCamera), 0u);
}

TEST_F(WorkerWithClients, everything_leaves_from_the_address_the_client_talks_to) {
  local_address_ = core::IpAddress::v4(10, 0, 0, 9);
  TestClient& speaker = add_client();
  TestClient& listener = add_client();
  publish(speaker);
  show_camera(listener);
  send_media(speaker, Duration::seconds(1));
  EXPECT_EQ(out_.from, std::set<core::IpAddress>{local_address_});
}

TEST_F(WorkerWithClients, a_broken_offer_is_refused_with_a_reason_and_leaves_no_peer) {
  const auto answer = worker_.open_peer(now_, peer::PeerId(9), "v=0\r\nnonsense\r\n", {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, CommandErrorCode::BadOffer);
  EXPECT_FALSE(answer.error().detail.empty());
  EXPECT_EQ(worker_.peer_count(), 0u);
}

TEST_F(WorkerWithClients, commands_for_unknown_peers_and_lines_are_refused) {
  const auto unknown = worker_.bind_source(now_, peer::PeerId(5), peer::LineUse::Camera, sfu::SourceNumber(1),
                                           sfu::GroupId(1), true);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, CommandErrorCode::NoSuchPeer);
  EXPECT_FALSE(worker_.set_view(now_, peer::PeerId(5), {}));
  TestClient& client = add_client();
  const auto slot = worker_.bind_source(now_, client.id(), peer::LineUse::VideoSlot, sfu::SourceNumber(1),
                                        sfu::GroupId(1), true);
  ASSERT_FALSE(slot);
  EXPECT_EQ(slot.error().code, CommandErrorCode::NoSuchLine);
}

TEST_F(WorkerWithClients, the_speaker_slot_follows_who_speaks_without_any_command) {
  TestClient& a = add_client();
  TestClient& b = add_client();
  TestClient& viewer = add_client();
  const auto bind = [&](TestClient& c, uint32_t base) {
    ASSERT_TRUE(worker_.bind_source(now_, c.id(), peer::LineUse::Microphone, sfu::SourceNumber(base),
                                    sfu::GroupId(1), true));
    ASSERT_TRUE(worker_.bind_source(now_, c.id(), peer::LineUse::Camera, sfu::SourceNumber(base + 1),
                                    sfu::GroupId(1), true));
  };
  bind(a, 100);
  bind(b, 200);
  sfu::GroupConfig group{.group = sfu::GroupId(1)};
  for (const auto& c : clients_) group.listeners.emplace_back(c->id().value());
  worker_.set_group(now_, group);
  const sfu::SlotView view{.show = sfu::GroupId(1), .width = 1280, .height = 720};
  ASSERT_TRUE(worker_.set_view(now_, viewer.id(), {&view, 1}));
  bot::SyntheticVideo video_a({.ssrc = 1, .payload_type = sdp::kOfferVp8}),
      video_b({.ssrc = 2, .payload_type = sdp::kOfferVp8});
  bot::SyntheticAudio audio_a({.ssrc = 3, .payload_type = sdp::kOfferOpus}),
      audio_b({.ssrc = 4, .payload_type = sdp::kOfferOpus});
  const auto speak = [&](bool a_speaks, Duration span) {
    const Instant until = now_ + span;
    for (int i = 0; now_ < until; ++i) {
      if (a_speaks)
        to_worker(a.address(), a.seal(audio_a.next(now_), "0", {}));
      else
        to_worker(b.address(), b.seal(audio_b.next(now_), "0", {}));
      if (i % 2 == 0) {
        video_a.request_key_frame();
        video_b.request_key_frame();
        for (const auto& p : video_a.next_frame(now_)) to_worker(a.address(), a.seal(p, "1", "f"));
        for (const auto& p : video_b.next_frame(now_)) to_worker(b.address(), b.seal(p, "1", "f"));
      }
      run(Duration::millis(20));
    }
  };
  speak(true, Duration::seconds(6));
  viewer.seen().clear();
  speak(true, Duration::seconds(1));
  EXPECT_GT(viewer.count_of(101), 0u);
  EXPECT_EQ(viewer.count_of(201), 0u);
  speak(false, Duration::seconds(8));
  viewer.seen().clear();
  speak(false, Duration::seconds(1));
  EXPECT_GT(viewer.count_of(201), 0u);
  EXPECT_EQ(viewer.count_of(101), 0u);
}

}  // namespace
}  // namespace huitang::worker
