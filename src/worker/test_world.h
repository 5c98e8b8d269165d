// A Worker and real clients in virtual time, on a network that is a queue. For the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "worker/test_client.h"
#include "worker/worker.h"

namespace huitang::worker {

using core::Duration;
using core::Instant;

inline const core::SocketAddress kNode{core::IpAddress::v4(192, 0, 2, 1), 5000};
inline constexpr Instant kStart = Instant::from_nanos(1'000'000'000'000);
inline constexpr uint32_t kMicrophone = 11, kCamera = 12;

class QueueOut final : public PacketOut {
 public:
  core::MutableBytes slot(const core::SocketAddress& to, const core::IpAddress& local) override {
    local_ = local;
    to_ = to;
    return room_;
  }
  void commit(size_t size) override {
    if (size != 0) from.insert(local_);
    if (size != 0) queue.push_back({to_, {room_.begin(), room_.begin() + static_cast<std::ptrdiff_t>(size)}});
  }
  void flush() override {}
  std::deque<core::Transmit> queue;
  std::set<core::IpAddress> from;  ///< local addresses used

 private:
  core::IpAddress local_;
  core::SocketAddress to_;
  std::array<uint8_t, 1472> room_;
};

class WorkerWithClients : public ::testing::Test {
 protected:
  /// `node_backend`: a faulty one shows that a test would notice.
  explicit WorkerWithClients(std::unique_ptr<srtp::Backend> node_backend = srtp::make_best_backend())
      : node_backend_(std::move(node_backend)) {}

  WorkerConfig config() const {
    WorkerConfig c;
    c.addresses = {kNode};
    c.clock = rtp::NtpClock(kStart, core::WallTime::from_unix_millis(1'700'000'000'000));
    c.slab.buffers = 2048;
    c.forwarder.history_packets = 1024;
    return c;
  }

  TestClient& add_client() {
    const auto id = static_cast<uint64_t>(clients_.size() + 1);
    const core::SocketAddress address{core::IpAddress::v4(198, 51, 100, static_cast<uint8_t>(id)), 40'000};
    clients_.push_back(std::make_unique<TestClient>(now_, id, address, services_));
    TestClient& client = *clients_.back();
    const auto answer = worker_.open_peer(now_, client.id(), client.transport().offer_text(), client.lines());
    EXPECT_TRUE(answer) << answer.error().detail;
    const auto done = client.transport().handle_answer(now_, *answer);
    EXPECT_TRUE(done) << done.error();
    run(Duration::seconds(2), [&] { return client.transport().can_send(); });
    EXPECT_TRUE(client.transport().can_send()) << client.transport().failure();
    return client;
  }

  /// Binds microphone and camera of a client in group 1, heard and seen by all.
  void publish(TestClient& client, bool forwarded = true) {
    ASSERT_TRUE(worker_.bind_source(now_, client.id(), peer::LineUse::Microphone,
                                    sfu::SourceNumber(kMicrophone), sfu::GroupId(1), forwarded));
    ASSERT_TRUE(worker_.bind_source(now_, client.id(), peer::LineUse::Camera, sfu::SourceNumber(kCamera),
                                    sfu::GroupId(1), forwarded));
    sfu::GroupConfig group{.group = sfu::GroupId(1)};
    for (const auto& c : clients_) group.listeners.emplace_back(c->id().value());
    worker_.set_group(now_, group);
  }
  void show_camera(TestClient& client) {
    const sfu::SlotView view{.show = sfu::SourceNumber(kCamera), .width = 1280, .height = 720};
    ASSERT_TRUE(worker_.set_view(now_, client.id(), {&view, 1}));
  }

  void to_worker(const core::SocketAddress& from, core::Buffer bytes) {
    if (tap_) tap_(from, bytes);
    const Datagram datagram{from, local_address_, bytes};
    worker_.handle_datagrams(now_, {&datagram, 1});
  }

  /// Carries datagrams both ways and runs timers, millisecond by millisecond.
  template <class Done>
  void run(Duration span, Done done) {
    const Instant until = now_ + span;
    while (now_ < until && !done()) {
      worker_.handle_turn(now_);
      deliver();
      for (auto& client : clients_) {
        if (const auto due = client->transport().deadline(); due && *due <= now_)
          client->transport().handle_deadline(now_);
        while (auto transmit = client->transport().poll_transmit())
          for (core::Buffer& datagram : on_its_way(std::move(transmit->bytes)))
            to_worker(client->address(), std::move(datagram));
      }
      now_ += Duration::millis(1);
    }
    worker_.handle_turn(now_);
    deliver();
  }
  void run(Duration span) {
    run(span, [] { return false; });
  }
  std::vector<core::Buffer> on_its_way(core::Buffer datagram) const {
    if (path_) return path_(std::move(datagram));
    return {std::move(datagram)};
  }
  void deliver() {
    while (!out_.queue.empty()) {
      core::Transmit t = std::move(out_.queue.front());
      out_.queue.pop_front();
      if (drop_ && drop_(t)) continue;
      for (auto& client : clients_)
        if (client->address() == t.to) client->handle_datagram(now_, kNode, t.bytes);
    }
  }

  /// Sound and pictures for `span`, as a browser sends them.
  void send_media(TestClient& client, Duration span) {
    const Instant until = now_ + span;
    for (Instant next_frame = now_; now_ < until;) {
      if (client.plis() != answered_plis_) video_.request_key_frame();
      answered_plis_ = client.plis();
      if (next_frame <= now_) send_sender_report(client);
      to_worker(client.address(), client.seal(audio_.next(now_), "0", {}));
      if (next_frame <= now_) {
        for (const auto& packet : video_.next_frame(now_))
          to_worker(client.address(), client.seal(packet, "1", "f"));
        next_frame += Duration::millis(33);
      }
      run(Duration::millis(20));
    }
  }

  void send_sender_report(TestClient& client) {
    std::array<uint8_t, 200> room;
    rtp::CompoundWriter writer(room);
    const auto wall =
        rtp::NtpTime::from_wall(core::WallTime::from_unix_millis(1'700'000'000'000)) + (now_ - kStart);
    writer.add_sender_report({.ssrc = 1001, .ntp = wall, .rtp_timestamp = 48'000});
    to_worker(client.address(), client.seal_rtcp(writer.written()));
  }

  Instant now_ = kStart;
  core::SeededRandom random_{1};
  dtls::Identity identity_ = dtls::Identity::generate(core::WallTime::from_unix_millis(1'700'000'000'000));
  dtls::Identity client_identity_ =
      dtls::Identity::generate(core::WallTime::from_unix_millis(1'700'000'000'000));
  std::unique_ptr<srtp::Backend> backend_ = srtp::make_best_backend();
  bot::ClientTransport::Services services_{client_identity_, *backend_, random_};
  QueueOut out_;
  core::IpAddress local_address_;  ///< as the socket reports it
  std::function<bool(const core::Transmit&)> drop_;
  /// Sees every datagram that the worker gets.
  std::function<void(const core::SocketAddress&, const core::Buffer&)> tap_;
  /// What the path makes of a control datagram of a client: several, none, others.
  std::function<std::vector<core::Buffer>(core::Buffer)> path_;
  std::unique_ptr<srtp::Backend> node_backend_;
  std::optional<Worker> held_{std::in_place, now_, config(), identity_, *node_backend_, random_, out_};
  Worker& worker_ = *held_;  ///< what held_ holds, also after another took its place
  std::vector<std::unique_ptr<TestClient>> clients_;
  bot::SyntheticVideo video_{{.ssrc = 2001, .payload_type = sdp::kOfferVp8, .frame_bytes = 5000}};
  bot::SyntheticAudio audio_{{.ssrc = 1001, .payload_type = sdp::kOfferOpus}};
  size_t answered_plis_ = 0;
};

}  // namespace huitang::worker
