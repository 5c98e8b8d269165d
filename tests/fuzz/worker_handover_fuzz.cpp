// The state of a worker with two connected peers, media between them, is changed at places of the input's
// choosing (or replaced by it) and given to a fresh worker. It refuses, or it stays consistent through
// datagrams and time. A worker that refused says why; the one that gave the state away is not touched.
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>

#include "peer/test_client.h"
#include "worker/hand_over_codec.h"
#include "worker/worker.h"

namespace {

namespace core = huitang::core;
namespace peer = huitang::peer;
namespace rtp = huitang::rtp;
namespace sfu = huitang::sfu;
namespace v1 = huitang::v1;
namespace worker = huitang::worker;
using core::Duration;
using peer::test::kNode;

void require(bool condition) {
  if (!condition) std::abort();
}

class Queue final : public worker::PacketOut {
 public:
  core::MutableBytes slot(const core::SocketAddress& to, const core::IpAddress&) override {
    to_ = to;
    return room_;
  }
  void commit(size_t size) override {
    if (size == 0 || datagrams.size() >= 10'000) return;
    datagrams.push_back({to_, {room_.begin(), room_.begin() + static_cast<std::ptrdiff_t>(size)}});
  }
  void flush() override {}
  std::vector<core::Transmit> datagrams;

 private:
  core::SocketAddress to_;
  std::array<uint8_t, 1472> room_{};
};

core::Instant start() { return core::Instant::from_nanos(1'000'000'000'000); }

worker::WorkerConfig config() {
  worker::WorkerConfig c;
  c.addresses = {kNode};
  c.clock = rtp::NtpClock(start(), core::WallTime::from_unix_millis(1'700'000'000'000));
  c.slab.buffers = 64;
  c.forwarder.history_packets = 32;
  c.forwarder.max_sources = 16;
  c.forwarder.max_receivers = 16;
  c.forwarder.max_groups = 16;
  return c;
}

/// Two clients of a worker, connected once; what they seal afterwards is kept for every input.
class Meeting {
 public:
  Meeting()
      : backend_(huitang::srtp::make_best_backend()),
        worker_(now_, config(), peer::test::node_identity(), *backend_, random_, out_) {
    for (uint64_t id = 1; id <= 2; ++id) {
      auto& client = *clients_.emplace_back(std::make_unique<peer::test::Client>(now_, random_, *backend_));
      client.reshape({.audio_slots = 1, .video_slots = 2, .share_slots = 1});
      const auto answer = worker_.open_peer(now_, peer::PeerId(id), client.offer_text(), client.lines());
      require(answer.has_value() && client.handle_answer(now_, *answer));
    }
    for (int i = 0; i < 5000 && !(clients_[0]->is_connected() && clients_[1]->is_connected()); ++i) turn();
    const sfu::GroupId group(5);
    require(
        worker_
            .bind_source(now_, peer::PeerId(1), peer::LineUse::Microphone, sfu::SourceNumber(11), group, true)
            .has_value());
    require(
        worker_.bind_source(now_, peer::PeerId(1), peer::LineUse::Camera, sfu::SourceNumber(12), group, true)
            .has_value());
    worker_.set_group(now_, {.group = group, .listeners = {sfu::PeerId(1), sfu::PeerId(2)}});
    const sfu::SlotView view{.show = sfu::SourceNumber(12), .width = 640, .height = 360};
    require(worker_.set_view(now_, peer::PeerId(2), {&view, 1}).has_value());
    for (uint16_t n = 1; n <= 60; ++n) {
      send(sound(n));
      send(picture(n));
      turn();
    }
    require(worker_.counters().packets_sealed > 60);
    v1::WorkerState message;
    worker::write_worker_state(worker_.export_state(now_), message);
    state = message.SerializeAsString();
    for (uint16_t n = 61; n <= 80; ++n) {
      later.push_back(clients_[0]->seal(sound(n)));
      later.push_back(clients_[0]->seal(picture(n)));
    }
  }

  core::Instant now() const { return now_; }
  static core::SocketAddress address_of(size_t client) {
    return {core::IpAddress::v4(10, 0, 0, static_cast<uint8_t>(client + 1)), 40'000};
  }
  std::string state;
  std::vector<core::Buffer> later;  ///< of client 0, for the worker that takes over

 private:
  using Packet = peer::test::Client::Packet;
  static Packet sound(uint16_t n) {
    Packet p;
    p.number = n;
    p.timestamp = n * 960U;
    p.mid = "0";
    p.level = rtp::AudioLevel{true, 20};
    p.transport_number = static_cast<uint16_t>(2 * n);
    return p;
  }
  static Packet picture(uint16_t n) {
    Packet p;
    p.ssrc = peer::test::kCameraSsrc;
    p.payload_type = huitang::sdp::kOfferVp8;
    p.number = n;
    p.timestamp = n * 3000U;
    p.mid = "1";
    p.rid = "q";
    p.transport_number = static_cast<uint16_t>(2 * n + 1);
    // VP8 descriptor with picture id, then a key frame's header (RFC 7741 section 4.2, RFC 6386 section 9.1).
    static constexpr char kFrame[] = "\x90\x80\x01\x10\x02\x00\x9d\x01\x2a\x80\x02\x68\x01pixels";
    p.payload.assign(kFrame, sizeof kFrame - 1);
    p.payload[2] = static_cast<char>(n & 0x7f);
    return p;
  }
  void send(const Packet& packet) { to_worker(0, clients_[0]->seal(packet)); }
  void to_worker(size_t client, core::Buffer bytes) {
    const worker::Datagram datagram{address_of(client), {}, bytes};
    worker_.handle_datagrams(now_, {&datagram, 1});
  }
  void turn() {
    worker_.handle_turn(now_);
    for (core::Transmit& t : std::exchange(out_.datagrams, {}))
      for (size_t i = 0; i < clients_.size(); ++i)
        if (t.to == address_of(i)) clients_[i]->handle_datagram(now_, kNode, t.bytes);
    for (size_t i = 0; i < clients_.size(); ++i) {
      auto& client = *clients_[i];
      client.handle_deadline(now_);
      while (auto t = client.ice.poll_transmit()) to_worker(i, std::move(t->bytes));
      while (client.dtls && client.ice.destination()) {
        auto bytes = client.dtls->poll_transmit();
        if (!bytes) break;
        to_worker(i, std::move(*bytes));
      }
    }
    now_ += Duration::millis(5);
  }

  core::Instant now_ = start();
  core::SeededRandom random_{7};
  std::unique_ptr<huitang::srtp::Backend> backend_;
  Queue out_;
  worker::Worker worker_;
  std::vector<std::unique_ptr<peer::test::Client>> clients_;
};

/// The input is a list of edits: place (3 bytes), kind, value; or, with a first byte of 255, a state itself.
std::string edited(const std::string& state, core::ByteReader in) {
  if (in.remaining() != 0 && in.rest()[0] == 255) return std::string(core::as_text(in.rest().subspan(1)));
  std::string out = state;
  while (in.remaining() >= 5 && !out.empty()) {
    const size_t at = in.u24() % out.size();
    const uint8_t kind = in.u8(), value = in.u8();
    switch (kind % 4) {
      case 0: out[at] = static_cast<char>(value); break;
      case 1: out.resize(at); break;
      case 2: out.erase(at, value); break;
      default: out.insert(at, 1, static_cast<char>(value)); break;
    }
  }
  return out;
}

void try_state(const Meeting& meeting, const std::string& bytes) {
  v1::WorkerState message;
  if (!message.ParseFromString(bytes)) return;
  auto state = worker::read_worker_state(message);
  if (!state) return require(!state.error().empty());
  core::SeededRandom random(1);
  const auto backend = huitang::srtp::make_best_backend();
  Queue out;
  core::Instant now = meeting.now();
  worker::Worker fresh(now, config(), peer::test::node_identity(), *backend, random, out);
  const auto done = fresh.restore(now, std::move(*state));
  if (!done) return require(!done.error().empty());
  require(fresh.is_consistent());
  for (core::Buffer datagram : meeting.later) {
    const worker::Datagram one{Meeting::address_of(0), {}, datagram};
    fresh.handle_datagrams(now, {&one, 1});
    fresh.handle_turn(now);
    while (fresh.poll_event()) {
    }
    require(fresh.is_consistent());
    now += Duration::millis(20);
  }
  fresh.handle_turn(now + Duration::seconds(60));
  worker::write_worker_state(fresh.export_state(now + Duration::seconds(60)), message);
  fresh.close_peer(now + Duration::seconds(61), peer::PeerId(1));
  require(fresh.is_consistent());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  [[maybe_unused]] static const auto quiet = google::protobuf::SetLogHandler(nullptr);
  static const Meeting meeting;
  try_state(meeting, edited(meeting.state, core::ByteReader(core::Bytes(data, size))));
  return 0;
}
