// A worker that goes on in another process: through the bytes of the message, with real clients.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "worker/hand_over_channel.h"
#include "worker/hand_over_codec.h"
#include "worker/index_ledger.h"
#include "worker/test_world.h"

namespace huitang::worker {
namespace {

class WorkerHandedOver : public WorkerWithClients {
 protected:
  WorkerHandedOver() {
    drop_ = [this](const core::Transmit& t) {
      ledger_.note(t);
      return false;
    };
  }

  std::string give() {
    worker_.handle_turn(now_);
    deliver();
    v1::WorkerState message;
    write_worker_state(worker_.export_state(now_), message);
    return message.SerializeAsString();
  }
  /// English complaint; empty when a fresh worker went on with it.
  std::string take(const std::string& bytes) {
    v1::WorkerState message;
    if (!message.ParseFromString(bytes)) return "no message";
    auto state = read_worker_state(message);
    if (!state) return state.error();
    held_.reset();
    held_.emplace(now_, config(), identity_, *backend_, random_, out_);
    const auto done = worker_.restore(now_, std::move(*state));
    return done ? "" : done.error();
  }
  void hand_over() { ASSERT_EQ(take(give()), ""); }

  /// Numbers of each stream that `client` saw, each one after the other.
  void expect_no_gap(TestClient& client) {
    std::map<uint32_t, uint16_t> last;
    for (const SeenPacket& p : client.seen()) {
      const auto it = last.find(p.ssrc);
      if (it != last.end()) {
        EXPECT_EQ(static_cast<uint16_t>(it->second + 1), p.sequence_number);
      }
      last[p.ssrc] = p.sequence_number;
    }
    EXPECT_GE(last.size(), 2u);
  }

  IndexLedger ledger_;
};

TEST_F(WorkerHandedOver, goes_on_for_every_client_without_a_gap_and_without_an_index_used_twice) {
  TestClient& speaker = add_client();
  TestClient& listener = add_client();
  TestClient& other = add_client();
  publish(speaker);
  show_camera(listener);
  show_camera(other);
  send_media(speaker, Duration::seconds(2));
  const size_t plis = speaker.plis();
  for (int round = 0; round < 4; ++round) {
    const size_t sound = listener.count_of(kMicrophone), pictures = listener.count_of(kCamera);
    const size_t sender_reports = listener.sender_reports(), receiver_reports = speaker.receiver_reports();
    hand_over();
    send_media(speaker, Duration::seconds(2));
    EXPECT_GE(listener.count_of(kMicrophone), sound + 99);
    EXPECT_GE(listener.count_of(kCamera), pictures + 200);
    EXPECT_GT(listener.sender_reports(), sender_reports);
    EXPECT_GT(speaker.receiver_reports(), receiver_reports);
  }
  for (TestClient* client : {&listener, &other}) {
    expect_no_gap(*client);
    EXPECT_TRUE(std::ranges::all_of(client->seen(), [](auto& p) { return p.intact; }));
    EXPECT_EQ(client->transport().counters().dropped_in, 0u);
    EXPECT_EQ(client->transport().state(), bot::TransportState::Connected);
  }
  EXPECT_EQ(speaker.plis(), plis) << "no key frame is needed";
  EXPECT_EQ(ledger_.reused(), 0u);
  EXPECT_GT(ledger_.entries(), 1000u);
  EXPECT_EQ(worker_.counters().unattributed, 0u);
}

TEST_F(WorkerHandedOver, an_old_state_is_found_by_the_ledger_and_by_the_clients) {
  // The fault that must never happen, planted: a process that sends after it gave its state away.
  TestClient& speaker = add_client();
  TestClient& listener = add_client();
  publish(speaker);
  show_camera(listener);
  send_media(speaker, Duration::seconds(1));
  const std::string old = give();
  send_media(speaker, Duration::seconds(1));
  ASSERT_EQ(ledger_.reused(), 0u);
  ASSERT_EQ(take(old), "");
  send_media(speaker, Duration::millis(500));
  EXPECT_GT(ledger_.reused(), 20u);
  EXPECT_GT(listener.transport().counters().dropped_in + speaker.transport().counters().dropped_in, 20u)
      << "replays for an honest receiver";
}

TEST_F(WorkerHandedOver, keeps_consent_counters_and_who_speaks) {
  TestClient& speaker = add_client();
  add_client();
  publish(speaker);
  send_media(speaker, Duration::seconds(2));
  const auto before = worker_.snapshot_peers();
  const uint64_t sealed = worker_.counters().packets_sealed;
  hand_over();
  while (worker_.poll_event()) FAIL() << "nothing changed, so nothing is told";
  const auto after = worker_.snapshot_peers();
  ASSERT_EQ(after.size(), before.size());
  for (const auto& b : before) {
    const auto a = std::ranges::find_if(after, [&](const auto& s) { return s.id == b.id; });
    ASSERT_NE(a, after.end());
    EXPECT_EQ(a->state, peer::PeerState::Connected);
    EXPECT_EQ(a->counters.packets_in, b.counters.packets_in);
    EXPECT_EQ(a->srtp->opened, b.srtp->opened);
    EXPECT_EQ(a->streams, b.streams);
  }
  EXPECT_EQ(worker_.counters().packets_sealed, sealed);
  run(Duration::seconds(120));  // many rounds of consent
  for (const auto& peer : worker_.snapshot_peers()) EXPECT_EQ(peer.state, peer::PeerState::Connected);
}

TEST_F(WorkerHandedOver, obeys_all_commands_afterwards) {
  TestClient& speaker = add_client();
  TestClient& listener = add_client();
  publish(speaker);
  send_media(speaker, Duration::seconds(1));
  hand_over();
  show_camera(listener);
  send_media(speaker, Duration::seconds(1));
  EXPECT_GT(listener.count_of(kCamera), 50u) << "a new view";
  TestClient& late = add_client();
  publish(speaker);
  send_media(speaker, Duration::seconds(1));
  EXPECT_GT(late.count_of(kMicrophone), 30u) << "a peer opened by the new process";
  publish(speaker, false);
  run(Duration::millis(100));
  listener.seen().clear();
  send_media(speaker, Duration::seconds(1));
  EXPECT_EQ(listener.seen().size(), 0u) << "a mute";
  worker_.close_peer(now_, speaker.id());
  EXPECT_EQ(worker_.peer_count(), 2u);
  EXPECT_EQ(ledger_.reused(), 0u);
}

TEST_F(WorkerHandedOver, leaves_a_peer_within_its_handshake_behind_and_nothing_of_it) {
  TestClient& speaker = add_client();
  TestClient& listener = add_client();
  publish(speaker);
  send_media(speaker, Duration::seconds(2));
  ASSERT_FALSE(worker_.has_open_handshake(now_));
  TestClient stranger(now_, 9, {core::IpAddress::v4(198, 51, 100, 9), 40'000}, services_);
  const auto answer =
      worker_.open_peer(now_, stranger.id(), stranger.transport().offer_text(), stranger.lines());
  ASSERT_TRUE(answer);
  ASSERT_TRUE(worker_.bind_source(now_, stranger.id(), peer::LineUse::Microphone, sfu::SourceNumber(99),
                                  sfu::GroupId(1), true));
  ASSERT_TRUE(stranger.transport().handle_answer(now_, *answer));
  for (int i = 0; i < 2000 && !worker_.has_open_handshake(now_); ++i) {
    run(Duration::millis(1));
    if (const auto due = stranger.transport().deadline(); due && *due <= now_)
      stranger.transport().handle_deadline(now_);
    while (auto transmit = stranger.transport().poll_transmit())
      to_worker(stranger.address(), std::move(transmit->bytes));
    worker_.handle_turn(now_);
    for (core::Transmit& t : out_.queue)
      if (t.to == stranger.address()) stranger.handle_datagram(now_, kNode, t.bytes);
  }
  ASSERT_TRUE(worker_.has_open_handshake(now_));
  hand_over();
  EXPECT_EQ(worker_.peer_count(), 2u);
  EXPECT_FALSE(worker_.forwarder().find_receiver(sfu::PeerId(9)));
  EXPECT_FALSE(worker_.forwarder().find_source(sfu::SourceNumber(99)).is_valid());
  send_media(speaker, Duration::seconds(1));
  EXPECT_GT(listener.count_of(kMicrophone), 90u);
  EXPECT_EQ(ledger_.reused(), 0u);
}

TEST_F(WorkerHandedOver, gives_up_nothing_to_a_state_that_is_broken) {
  TestClient& speaker = add_client();
  TestClient& listener = add_client();
  publish(speaker);
  send_media(speaker, Duration::seconds(1));
  const std::string good = give();
  const auto is_refused = [&](auto spoil) {
    v1::WorkerState message;
    if (!message.ParseFromString(good)) return false;
    spoil(message);
    auto state = read_worker_state(message);
    if (!state) return true;
    QueueOut nowhere;
    Worker fresh(now_, config(), identity_, *backend_, random_, nowhere);
    return !fresh.restore(now_, std::move(*state));
  };
  EXPECT_FALSE(is_refused([](auto&) {}));
  EXPECT_TRUE(is_refused([](auto& m) { m.mutable_forwarder()->resize(m.forwarder().size() / 2); }));
  EXPECT_TRUE(is_refused([](auto& m) { m.clear_forwarder(); }));
  EXPECT_TRUE(is_refused([](auto& m) { *m.add_peers() = m.peers(0); }));
  EXPECT_TRUE(
      is_refused([](auto& m) { m.mutable_peers(0)->mutable_opener()->mutable_key()->set_profile(3); }));
  EXPECT_TRUE(is_refused([](auto& m) { m.mutable_peers(0)->mutable_sealer()->mutable_key()->clear_salt(); }));
  EXPECT_TRUE(is_refused([](auto& m) { m.mutable_peers(0)->mutable_inbound()->RemoveLast(); }));
  EXPECT_TRUE(is_refused([](auto& m) { m.mutable_peers(0)->set_next_report(INT64_MAX); }));
  EXPECT_TRUE(is_refused([](auto& m) { m.mutable_peers(0)->set_peer(77); })) << "no receiver of that name";
  // All of this happened beside the worker, which did not notice.
  send_media(speaker, Duration::seconds(1));
  EXPECT_GT(listener.count_of(kMicrophone), 90u);
  EXPECT_EQ(ledger_.reused(), 0u);
}

TEST(HandOverChannel, carries_descriptors_and_refuses_what_was_altered_on_its_way) {
  auto pair = HandOverChannel::make_pair();
  const int raw = pair.ours.get();
  HandOverChannel from(std::move(pair.ours), HandOverChannel::kMaxSmallFrame);
  HandOverChannel to(std::move(pair.theirs), HandOverChannel::kMaxSmallFrame);
  v1::HandOverMessage message;
  message.mutable_hello()->set_build("a build");
  const int standard[] = {0, 1};
  ASSERT_TRUE(from.send(message, Duration::seconds(1), standard));
  const auto got = to.receive(Duration::seconds(1));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->hello().build(), "a build");
  EXPECT_EQ(to.take_descriptors().size(), 2u);
  const auto nothing = to.poll();
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(*nothing);

  ASSERT_TRUE(from.send(message, Duration::seconds(1)));
  core::Buffer bytes(64);
  bytes.resize(static_cast<size_t>(::recv(to.fd(), bytes.data(), bytes.size(), 0)));
  bytes.back() ^= 1;
  ASSERT_EQ(::send(raw, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  EXPECT_FALSE(to.receive(Duration::seconds(1)));
}

}  // namespace
}  // namespace huitang::worker
