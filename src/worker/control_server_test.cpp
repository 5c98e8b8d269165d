// The whole media process without the process: real threads, real sockets on loopback, the control protocol
// over its Unix socket. Run under the thread sanitizer, too.
#include "worker/control_server.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <deque>
#include <functional>
#include <future>
#include <thread>

#include "net/udp_socket.h"
#include "worker/hand_over.h"
#include "worker/take_over.h"
#include "worker/test_client.h"

namespace huitang::worker {
namespace {

using core::Duration;

constexpr Duration kPatience = Duration::seconds(60);
const core::IpAddress kLoopback = core::IpAddress::v4(127, 0, 0, 1);

/// A client with a socket of its own.
struct OnlineClient {
  OnlineClient(uint64_t id, const bot::ClientTransport::Services& services)
      : socket(net::UdpSocket::open({kLoopback, 0}).value()),
        client(net::monotonic_now(), id, socket.local(), services) {}
  void turn() {
    const core::Instant now = net::monotonic_now();
    for (const net::ReceivedDatagram& d : socket.receive()) client.handle_datagram(now, d.from, d.bytes);
    if (const auto due = client.transport().deadline(); due && *due <= now)
      client.transport().handle_deadline(now);
    while (const auto t = client.transport().poll_transmit()) socket.send(t->to, t->bytes);
  }
  void send(const core::Buffer& sealed) { socket.send(*client.transport().destination(), sealed); }
  net::UdpSocket socket;
  TestClient client;
};

class MediaNode : public ::testing::Test {
 protected:
  MediaNode() : path_(::testing::TempDir() + "huitang-control-test-" + std::to_string(::getpid()) + ".sock") {
    const rtp::NtpClock clock(clock_at_, clock_ntp_);
    for (uint32_t i = 0; i < 2; ++i) {
      auto worker =
          WorkerThread::start({.index = i, .bind = {kLoopback, 0}, .public_ips = {kLoopback}, .clock = clock},
                              identity_, [this](uint32_t, const Event& event) {
                                return loop_.try_post([this, event] {
                                  if (control_) control_->handle_worker_event(event);
                                });
                              });
      workers_.push_back(std::move(*worker));
    }
    control_ = std::move(*ControlServer::open(loop_, workers_,
                                              {.socket_path = path_, .build = "test", .node_id = "n"},
                                              [this] { shutdown_asked_ = true; }));
    socket_ = connect();
  }
  ~MediaNode() override {
    socket_.reset();
    control_.reset();
    workers_.clear();
  }

  std::unique_ptr<net::FrameSocket> connect() {
    return std::move(*net::FrameSocket::connect(loop_, path_,
                                                {[this](core::Bytes frame) {
                                                   v1::MediaMessage m;
                                                   ASSERT_TRUE(m.ParseFromArray(
                                                       frame.data(), static_cast<int>(frame.size())));
                                                   inbox_.push_back(std::move(m));
                                                 },
                                                 [this](net::FrameClose) { closed_ = true; }}));
  }

  template <class Done>
  bool run_until(Done done) {
    const core::Instant deadline = net::monotonic_now() + kPatience;
    while (!done() && net::monotonic_now() < deadline) {
      for (auto& client : clients_) client->turn();
      if (each_turn_) each_turn_();
      loop_.run_once(Duration::millis(1));
    }
    return done();
  }

  v1::MediaMessage call(v1::MediaMessage message) {
    const uint64_t id = ++next_id_;
    message.set_id(id);
    const std::string bytes = message.SerializeAsString();
    socket_->send(core::as_bytes(bytes));
    v1::MediaMessage answer;
    EXPECT_TRUE(run_until([&] {
      for (const v1::MediaMessage& m : inbox_)
        if (m.reply_to() == id) {
          answer = m;
          return true;
        }
      return false;
    }));
    return answer;
  }

  void hello() {
    v1::MediaMessage message;
    message.mutable_hello()->set_version_min(1);
    message.mutable_hello()->set_version_max(3);
    const v1::MediaMessage answer = call(message);
    ASSERT_TRUE(answer.has_welcome()) << answer.ShortDebugString();
    EXPECT_EQ(answer.welcome().version(), 2u);
    EXPECT_EQ(answer.welcome().workers(), 2u);
    EXPECT_EQ(answer.welcome().udp_addresses_size(), 2);
  }

  v1::MediaMessage open_message(OnlineClient& c, uint64_t group) {
    v1::MediaMessage message;
    v1::OpenPeer& open = *message.mutable_open_peer();
    open.set_peer(c.client.id().value());
    open.set_offer(c.client.transport().offer_text());
    open.set_group_hint(group);
    for (const peer::Line& line : c.client.lines()) {
      v1::Line& out = *open.add_lines();
      out.set_mid(line.mid);
      out.set_use(static_cast<v1::LineUse>(line.use));
      out.set_index(line.index);
    }
    return message;
  }

  OnlineClient& add_client(uint64_t group, uint32_t* worker = nullptr) {
    clients_.push_back(std::make_unique<OnlineClient>(clients_.size() + 1, services_));
    OnlineClient& c = *clients_.back();
    const v1::MediaMessage answer = call(open_message(c, group));
    EXPECT_TRUE(answer.has_peer_opened()) << answer.ShortDebugString();
    if (worker != nullptr) *worker = answer.peer_opened().worker();
    EXPECT_TRUE(c.client.transport().handle_answer(net::monotonic_now(), answer.peer_opened().answer()));
    EXPECT_TRUE(run_until([&] { return c.client.transport().can_send(); })) << c.client.transport().failure();
    return c;
  }

  v1::MediaMessage bind(OnlineClient& c, uint32_t source, uint64_t group,
                        v1::LineUse use = v1::LINE_USE_MICROPHONE) {
    v1::MediaMessage message;
    v1::BindSource& b = *message.mutable_bind_source();
    b.set_peer(c.client.id().value());
    b.set_source(source);
    b.set_use(use);
    b.set_group(group);
    b.set_forwarded(true);
    return call(message);
  }

  const core::Instant clock_at_ = net::monotonic_now();
  const rtp::NtpTime clock_ntp_ = rtp::NtpTime::from_wall(net::wall_now());
  std::string path_;
  dtls::Identity identity_ = dtls::Identity::generate(net::wall_now());
  dtls::Identity client_identity_ = dtls::Identity::generate(net::wall_now());
  core::SeededRandom random_{7};
  std::unique_ptr<srtp::Backend> backend_ = srtp::make_best_backend();
  bot::ClientTransport::Services services_{client_identity_, *backend_, random_};
  net::EventLoop loop_;
  std::vector<std::unique_ptr<WorkerThread>> workers_;
  std::unique_ptr<ControlServer> control_;
  std::unique_ptr<net::FrameSocket> socket_;
  std::deque<v1::MediaMessage> inbox_;
  std::vector<std::unique_ptr<OnlineClient>> clients_;
  std::function<void()> each_turn_;  ///< while anything is waited for
  uint64_t next_id_ = 0;
  bool closed_ = false;
  bool shutdown_asked_ = false;
};

TEST_F(MediaNode, sound_of_one_reaches_another_through_real_sockets_and_threads) {
  hello();
  uint32_t first_worker = 9, second_worker = 9;
  OnlineClient& speaker = add_client(1, &first_worker);
  OnlineClient& listener = add_client(1, &second_worker);
  EXPECT_EQ(first_worker, second_worker) << "peers of one group share a worker";
  EXPECT_TRUE(bind(speaker, 42, 1).has_done());
  v1::MediaMessage group;
  group.mutable_set_group()->set_group(1);
  group.mutable_set_group()->add_listeners(1);
  group.mutable_set_group()->add_listeners(2);
  EXPECT_TRUE(call(group).has_done());
  bot::SyntheticAudio audio({.ssrc = 5, .payload_type = sdp::kOfferOpus});
  EXPECT_TRUE(run_until([&] {
    speaker.send(speaker.client.seal(audio.next(net::monotonic_now()), "0", {}));
    return listener.client.count_of(42) >= 20;
  }));
  const auto saw = [this](auto has) { return std::any_of(inbox_.begin(), inbox_.end(), has); };
  EXPECT_TRUE(saw([](const v1::MediaMessage& m) {
    return m.has_peer_state() && m.peer_state().peer() == 2 &&
           m.peer_state().state() == v1::PEER_STATE_CONNECTED;
  }));
  EXPECT_TRUE(run_until([&] {
    return saw([](const v1::MediaMessage& m) { return m.has_health() && m.health().peers() == 2; });
  }));

  v1::MediaMessage ask;
  ask.mutable_get_snapshot();
  const v1::MediaMessage answer = call(ask);
  ASSERT_TRUE(answer.has_snapshot());
  EXPECT_EQ(answer.snapshot().peers_size(), 2);
  EXPECT_EQ(answer.snapshot().sources_size(), 1);
  EXPECT_EQ(answer.snapshot().groups_size(), 1);
  EXPECT_EQ(answer.snapshot().peers(0).srtp_profile(), "SRTP_AEAD_AES_128_GCM");
}

TEST_F(MediaNode, what_is_watched_of_a_camera_is_told_and_stands_in_the_snapshot) {
  hello();
  OnlineClient& owner = add_client(1);
  EXPECT_TRUE(bind(owner, 43, 1, v1::LINE_USE_CAMERA).has_done());
  EXPECT_TRUE(run_until([this] {
    return std::any_of(inbox_.begin(), inbox_.end(), [](const v1::MediaMessage& m) {
      return m.has_layer_demand() && m.layer_demand().source() == 43 && m.layer_demand().peer() == 1 &&
             m.layer_demand().use() == v1::LINE_USE_CAMERA && m.layer_demand().layers() == 7;
    });
  })) << "a new camera of three layers sends all of them at first";
  v1::MediaMessage ask;
  ask.mutable_get_snapshot();
  const v1::MediaMessage answer = call(ask);
  ASSERT_EQ(answer.snapshot().demands_size(), 1);
  EXPECT_EQ(answer.snapshot().demands(0).source(), 43u);
  EXPECT_TRUE(bind(owner, 43, 1, v1::LINE_USE_CAMERA).has_done());
  EXPECT_EQ(call(ask).snapshot().demands_size(), 1) << "a repeated binding forgets nothing";
}

TEST_F(MediaNode, groups_are_spread_over_workers_and_a_peer_on_the_wrong_one_is_a_conflict) {
  hello();
  uint32_t first = 9, second = 9;
  add_client(1, &first);
  OnlineClient& other = add_client(2, &second);
  EXPECT_NE(first, second);
  EXPECT_TRUE(bind(*clients_[0], 1, 1).has_done());
  const v1::MediaMessage refused = bind(other, 2, 1);
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code(), v1::REFUSAL_CODE_CONFLICT);
}

TEST_F(MediaNode, requests_before_a_hello_and_broken_frames_are_refused_and_the_connection_lives) {
  v1::MediaMessage early;
  early.mutable_get_snapshot();
  EXPECT_TRUE(call(early).has_error());
  socket_->send(core::as_bytes("\xff\xff\xff not protobuf"));
  EXPECT_TRUE(run_until([&] { return inbox_.size() >= 2; }));
  EXPECT_TRUE(inbox_.back().has_error());
  hello();
  EXPECT_FALSE(closed_);
}

TEST_F(MediaNode, an_unknown_version_range_is_refused_in_words) {
  v1::MediaMessage message;
  message.mutable_hello()->set_version_min(7);
  message.mutable_hello()->set_version_max(9);
  const v1::MediaMessage answer = call(message);
  ASSERT_TRUE(answer.has_error());
  EXPECT_NE(answer.error().detail().find("version"), std::string::npos);
}

TEST_F(MediaNode, a_bad_offer_is_refused_and_the_peer_is_not_kept) {
  hello();
  v1::MediaMessage message;
  message.mutable_open_peer()->set_peer(5);
  message.mutable_open_peer()->set_offer("this is no SDP");
  const v1::MediaMessage answer = call(message);
  ASSERT_TRUE(answer.has_error());
  EXPECT_EQ(answer.error().code(), v1::REFUSAL_CODE_BAD_SDP);
  v1::MediaMessage ask;
  ask.mutable_get_snapshot();
  EXPECT_EQ(call(ask).snapshot().peers_size(), 0);
}

TEST_F(MediaNode, a_closed_peer_is_gone_and_closing_it_again_is_no_error) {
  hello();
  add_client(1);
  v1::MediaMessage close;
  close.mutable_close_peer()->set_peer(1);
  EXPECT_TRUE(call(close).has_done());
  EXPECT_TRUE(call(close).has_done());
  EXPECT_TRUE(
      run_until([&] { return clients_[0]->client.transport().state() == bot::TransportState::Failed; }));
}

TEST_F(MediaNode, tells_what_happened_to_a_peer_and_how_loaded_its_workers_are) {
  hello();
  add_client(1);
  add_client(2);
  v1::MediaMessage ask;
  ask.mutable_get_peer_log()->set_peer(2);
  const v1::MediaMessage one = call(ask);
  ASSERT_TRUE(one.has_peer_log()) << one.ShortDebugString();
  ASSERT_EQ(one.peer_log().peers_size(), 1);
  const v1::PeerLogRow& row = one.peer_log().peers(0);
  EXPECT_EQ(row.peer(), 2u);
  ASSERT_GT(row.entries_size(), 3);
  EXPECT_EQ(row.entries(0).what(), "offer");
  for (int i = 1; i < row.entries_size(); ++i)
    EXPECT_LE(row.entries(i).age_milliseconds(), row.entries(i - 1).age_milliseconds());
  ask.mutable_get_peer_log()->set_peer(0);
  EXPECT_EQ(call(ask).peer_log().peers_size(), 4) << "both peers, and each worker's own";
  EXPECT_TRUE(run_until([&] {
    return std::ranges::any_of(
        inbox_, [](const v1::MediaMessage& m) { return m.has_health() && m.health().loads_size() == 2; });
  }));
}

// Threads of both workers, of the control side and commands of every kind at once: for the thread sanitizer.
TEST_F(MediaNode, peers_come_and_go_while_others_speak_and_mutes_and_views_change) {
  hello();
  const int rounds = std::getenv("HUITANG_DEEP") != nullptr ? 300 : 12;
  std::vector<std::unique_ptr<bot::SyntheticAudio>> voices;
  std::vector<OnlineClient*> inside;
  each_turn_ = [&] {
    for (size_t i = 0; i < inside.size(); ++i)
      if (inside[i]->client.transport().can_send())
        inside[i]->send(inside[i]->client.seal(voices[i]->next(net::monotonic_now()), "0", {}));
  };
  const auto source_of = [](const OnlineClient& c) {
    return static_cast<uint32_t>(100 + c.client.id().value());
  };
  const auto group_of = [](const OnlineClient& c) { return 1 + c.client.id().value() % 2; };
  for (int round = 0; round < rounds; ++round) {
    OnlineClient& fresh = add_client(1 + (clients_.size() + 1) % 2);
    inside.push_back(&fresh);
    voices.push_back(std::make_unique<bot::SyntheticAudio>(
        bot::SyntheticAudio::Config{.ssrc = 5, .payload_type = sdp::kOfferOpus}));
    EXPECT_TRUE(bind(fresh, source_of(fresh), group_of(fresh)).has_done());
    v1::MediaMessage message;
    message.mutable_set_group()->set_group(group_of(fresh));
    for (const OnlineClient* c : inside)
      if (group_of(*c) == group_of(fresh)) message.mutable_set_group()->add_listeners(c->client.id().value());
    EXPECT_TRUE(call(message).has_done());
    message.mutable_bind_source()->set_peer(fresh.client.id().value());
    message.mutable_bind_source()->set_source(source_of(fresh));
    message.mutable_bind_source()->set_use(v1::LINE_USE_MICROPHONE);
    message.mutable_bind_source()->set_group(group_of(fresh));
    message.mutable_bind_source()->set_forwarded(round % 3 != 0);
    EXPECT_TRUE(call(message).has_done());
    message.mutable_set_peer_view()->set_peer(fresh.client.id().value());
    v1::PeerSlot& slot = *message.mutable_set_peer_view()->add_slots();
    slot.set_use(v1::LINE_USE_VIDEO_SLOT);
    slot.set_speaker_of_group(group_of(fresh));
    EXPECT_TRUE(call(message).has_done());
    message.mutable_get_snapshot();
    EXPECT_EQ(static_cast<size_t>(call(message).snapshot().peers_size()), inside.size());
    message.mutable_get_peer_log()->set_peer(0);
    EXPECT_TRUE(call(message).has_peer_log());
    if (inside.size() <= 5) continue;
    message.mutable_close_peer()->set_peer(inside.front()->client.id().value());
    EXPECT_TRUE(call(message).has_done());
    inside.erase(inside.begin());
    voices.erase(voices.begin());
  }
  each_turn_ = nullptr;
  EXPECT_FALSE(closed_);
}

TEST_F(MediaNode, two_clients_may_be_connected_and_both_hear_events) {
  hello();
  const auto second = connect();
  const std::string bytes = [] {
    v1::MediaMessage message;
    message.set_id(1000);
    message.mutable_hello()->set_version_min(1);
    message.mutable_hello()->set_version_max(1);
    return message.SerializeAsString();
  }();
  second->send(core::as_bytes(bytes));
  add_client(1);
  const auto connected = [this] {
    return std::count_if(inbox_.begin(), inbox_.end(), [](const v1::MediaMessage& m) {
      return m.has_peer_state() && m.peer_state().state() == v1::PEER_STATE_CONNECTED;
    });
  };
  EXPECT_TRUE(run_until([&] { return connected() == 2; }));
}

TEST_F(MediaNode, shutdown_is_answered_before_the_process_ends) {
  hello();
  v1::MediaMessage message;
  message.mutable_shutdown();
  EXPECT_TRUE(call(message).has_done());
  EXPECT_TRUE(shutdown_asked_);
}

TEST_F(MediaNode, requests_wait_while_it_is_held_and_are_answered_afterwards) {
  hello();
  bool quiet = false;
  control_->hold([&] { quiet = true; });
  ASSERT_TRUE(run_until([&] { return quiet; }));
  v1::MediaMessage ask;
  ask.set_id(77);
  ask.mutable_get_snapshot();
  const std::string bytes = ask.SerializeAsString();
  socket_->send(core::as_bytes(bytes));
  const auto answered = [this] {
    return std::ranges::any_of(inbox_, [](const v1::MediaMessage& m) { return m.reply_to() == 77; });
  };
  for (int i = 0; i < 30; ++i) loop_.run_once(Duration::millis(1));
  EXPECT_FALSE(answered());
  control_->go_on();
  EXPECT_TRUE(run_until(answered));
}

TEST_F(MediaNode, a_hand_over_is_refused_where_nobody_can_do_it) {
  hello();
  v1::MediaMessage ask;
  ask.mutable_hand_over();
  EXPECT_TRUE(call(ask).has_error());
}

TEST_F(MediaNode, reads_no_more_requests_than_its_workers_may_owe_and_loses_none) {
  hello();
  std::atomic<bool> is_stuck{true};
  for (auto& worker : workers_) worker->post([&](core::Instant, Worker&) { is_stuck.wait(true); });
  constexpr size_t kAsked = ControlServer::kMaxInFlight + 1000;
  v1::MediaMessage message;
  message.mutable_get_peer_log()->set_peer(1);  // one question for each worker
  const uint64_t first = next_id_ + 1;
  for (size_t i = 0; i < kAsked; ++i) {
    message.set_id(++next_id_);
    ASSERT_TRUE(socket_->send(core::as_bytes(message.SerializeAsString())));
  }
  EXPECT_TRUE(run_until([&] { return control_->in_flight() >= ControlServer::kMaxInFlight; }));
  for (int i = 0; i < 50; ++i) loop_.run_once(Duration());
  EXPECT_LE(control_->in_flight(), ControlServer::kMaxInFlight + workers_.size());
  is_stuck = false;
  is_stuck.notify_all();
  EXPECT_TRUE(run_until([&] { return !inbox_.empty() && inbox_.back().reply_to() == next_id_; }));
  uint64_t next = first;  // events of the node stand between the answers
  for (const v1::MediaMessage& answer : inbox_) next += answer.reply_to() == next ? 1 : 0;
  EXPECT_EQ(next, first + kAsked) << "an answer is missing or out of order";
}

/// The process that takes over, as far as it matters here: on a thread, with workers of its own.
class Successor {
 public:
  explicit Successor(net::UniqueFd channel)
      : thread_([this, fd = channel.release()] { run(net::UniqueFd(fd)); }) {}
  ~Successor() {
    thread_.join();
    workers_.clear();
  }
  bool is_running() const { return is_running_; }
  size_t peers() const { return peers_; }
  uint64_t packets_in() {
    std::promise<uint64_t> promise;
    workers_[0]->post(
        [&](core::Instant, Worker&) { promise.set_value(workers_[0]->figures().socket_in.datagrams_in); });
    return promise.get_future().get();
  }

 private:
  void run(net::UniqueFd channel) {
    TakeOver take_over(std::move(channel));
    auto inherited = take_over.greet("successor");
    ASSERT_TRUE(inherited) << inherited.error();
    identity_.emplace(std::move(inherited->identity));
    for (uint32_t i = 0; i < inherited->sockets.size(); ++i) {
      WorkerThreadConfig config{.index = i, .bind = {kLoopback, 0}, .public_ips = {kLoopback}};
      config.clock = rtp::NtpClock(inherited->clock_at, inherited->clock_ntp);
      auto worker = WorkerThread::adopt(config, std::move(inherited->sockets[i]), *identity_,
                                        [](uint32_t, const Event&) { return true; });
      ASSERT_TRUE(worker);
      workers_.push_back(std::move(*worker));
    }
    const auto rows = take_over.take_state(workers_);
    ASSERT_TRUE(rows) << rows.error();
    peers_ = rows->peers.size();
    ASSERT_TRUE(take_over.await_go(peers_));
    for (auto& worker : workers_) worker->start();
    is_running_ = true;
  }

  std::optional<dtls::Identity> identity_;
  std::vector<std::unique_ptr<WorkerThread>> workers_;
  std::atomic<size_t> peers_{0};
  std::atomic<bool> is_running_{false};
  std::thread thread_;
};

TEST_F(MediaNode, hands_over_to_another_set_of_threads_while_sound_flows_through_real_sockets) {
  hello();
  add_client(1);
  add_client(1);
  ASSERT_TRUE(bind(*clients_[0], 42, 1).has_done());
  v1::MediaMessage group;
  group.mutable_set_group()->set_group(1);
  for (const uint64_t peer : {1, 2}) group.mutable_set_group()->add_listeners(peer);
  ASSERT_TRUE(call(group).has_done());
  bot::SyntheticAudio audio({.ssrc = 5, .payload_type = sdp::kOfferOpus});
  const auto hear = [&](size_t packets) {
    TestClient& listener = clients_[1]->client;
    const size_t before = listener.count_of(42);
    return run_until([&] {
      clients_[0]->send(clients_[0]->client.seal(audio.next(net::monotonic_now()), "0", {}));
      return listener.count_of(42) >= before + packets;
    });
  };
  ASSERT_TRUE(hear(30));

  HandOverChannel::Pair pair = HandOverChannel::make_pair();
  Successor successor(std::move(pair.theirs));
  HandOverConfig config;
  config.welcome.set_identity_pem(identity_.to_pem());
  config.welcome.set_clock_at(clock_at_.to_nanos());
  config.welcome.set_clock_ntp(clock_ntp_.bits());
  std::optional<HandOverOutcome> outcome;
  HandOver hand_over(loop_, workers_, *control_, std::move(config),
                     [&](const HandOverOutcome& o) { outcome = o; });
  hand_over.start_with(std::move(pair.ours), 0);
  ASSERT_TRUE(run_until([&] { return outcome.has_value(); }));
  ASSERT_EQ(outcome->refusal, "");
  EXPECT_EQ(outcome->peers, 2u);
  EXPECT_EQ(outcome->build, "successor");
  ASSERT_TRUE(run_until([&] { return successor.is_running(); }));
  const uint64_t packets_in = successor.packets_in();
  ASSERT_TRUE(hear(100));
  EXPECT_GT(successor.packets_in(), packets_in + 50);
  for (const auto& client : clients_) EXPECT_EQ(client->client.transport().counters().dropped_in, 0u);
  std::map<uint32_t, uint16_t> last;
  for (const SeenPacket& p : clients_[1]->client.seen()) {
    if (last.contains(p.ssrc)) {
      EXPECT_EQ(static_cast<uint16_t>(last[p.ssrc] + 1), p.sequence_number);
    }
    last[p.ssrc] = p.sequence_number;
  }
}

TEST_F(MediaNode, goes_on_as_before_when_its_successor_vanishes) {
  hello();
  add_client(1);
  HandOverChannel::Pair pair = HandOverChannel::make_pair();
  std::optional<HandOverOutcome> outcome;
  HandOver hand_over(loop_, workers_, *control_, {}, [&](const HandOverOutcome& o) { outcome = o; });
  hand_over.start_with(std::move(pair.ours), 0);
  HandOverChannel successor(std::move(pair.theirs), HandOverChannel::kMaxStateFrame);
  v1::HandOverMessage message;
  message.mutable_hello()->set_version_min(1);
  message.mutable_hello()->set_version_max(5);
  ASSERT_TRUE(successor.send(message, Duration::seconds(1)));
  ASSERT_TRUE(run_until([&] { return successor.poll().has_value() && *successor.poll() == std::nullopt; }));
  message.mutable_refused()->set_reason("not today");
  ASSERT_TRUE(successor.send(message, Duration::seconds(1)));
  ASSERT_TRUE(run_until([&] { return outcome.has_value(); }));
  EXPECT_NE(outcome->refusal.find("not today"), std::string::npos);
  v1::MediaMessage ask;
  ask.mutable_get_snapshot();
  EXPECT_EQ(call(ask).snapshot().peers_size(), 1);
}

}  // namespace
}  // namespace huitang::worker
