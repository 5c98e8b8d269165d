// A worker with several real clients in a call, brought there by real handshakes; then the input speaks: bytes from their
// addresses and from strangers', datagrams of the call repeated and changed, sealed packets of any content from one of
// them, commands, load, time. The worker stays consistent, and as long as a client's own keys were not used against it,
// it still hears the others at the end.
#include <array>
#include <cstdlib>
#include <deque>
#include <memory>
#include <vector>

#include "core/check.h"
#include "peer/test_client.h"
#include "rtp/demux.h"
#include "worker/worker.h"

namespace {

using namespace huitang;
using namespace huitang::worker;
using peer::test::Client;

constexpr size_t kClients = 3;

class Out final : public PacketOut {
 public:
  core::MutableBytes slot(const core::SocketAddress& to, const core::IpAddress&) override {
    to_ = to;
    return room_;
  }
  void commit(size_t size) override {
    if (size != 0) queue.push_back({to_, {room_.begin(), room_.begin() + static_cast<ptrdiff_t>(size)}});
  }
  void flush() override {}
  std::deque<core::Transmit> queue;

 private:
  core::SocketAddress to_;
  std::array<uint8_t, 1472> room_;
};

class Call {
 public:
  Call() : worker_(now_, config(), peer::test::node_identity(), *backend_, random_, out_) {
    for (size_t i = 0; i < kClients; ++i) add_client();
    sfu::GroupConfig group{.group = sfu::GroupId(1)};
    for (size_t i = 0; i < kClients; ++i) group.listeners.emplace_back(id(i).value());
    for (size_t i = 0; i < kClients; ++i)
      HUITANG_CHECK(
          worker_.bind_source(now_, id(i), peer::LineUse::Microphone, microphone(i), sfu::GroupId(1), true));
    worker_.set_group(now_, group);
    for (size_t i = 0; i < kClients; ++i) speak(i);
  }

  void run(core::ByteReader& in) {
    for (int i = 0; i < 200 && !in.failed() && in.remaining() > 0; ++i) {
      step(in);
      turn();
      HUITANG_CHECK(worker_.is_consistent() && worker_.forwarder().is_consistent());
    }
    // Levels are left again, then everybody is heard.
    for (int i = 0; i < 400 && worker_.load().level != LoadLevel::Normal; ++i)
      advance(core::Duration::millis(250), 0);
    if (!is_spoilt_) expect_all_heard();
  }

 private:
  static WorkerConfig config() {
    WorkerConfig c;
    c.addresses = {peer::test::kNode};
    c.clock = rtp::NtpClock(core::Instant::from_nanos(1'000'000'000),
                            core::WallTime::from_unix_millis(1'700'000'000'000));
    c.slab = {.buffers = 256, .buffer_size = 1536};
    c.forwarder.history_packets = 64;
    c.max_peers = kClients + 2;
    return c;
  }
  static core::Bytes some(core::ByteReader& in) { return in.take(std::min<size_t>(in.u8(), in.remaining())); }
  static peer::PeerId id(size_t i) { return peer::PeerId(i + 1); }
  static sfu::SourceNumber microphone(size_t i) { return sfu::SourceNumber(static_cast<uint32_t>(100 + i)); }
  static core::SocketAddress address(size_t i) {
    return {core::IpAddress::v4(10, 0, 0, static_cast<uint8_t>(7 + i)), 40000};
  }

  void add_client() {
    const size_t i = clients_.size();
    clients_.push_back(std::make_unique<Client>(now_, random_, *backend_));
    clients_[i]->reshape({.audio_slots = 2, .video_slots = 1, .share_slots = 1});
    const auto answer = worker_.open_peer(now_, id(i), clients_[i]->offer_text(), clients_[i]->lines());
    HUITANG_CHECK(answer && clients_[i]->handle_answer(now_, *answer));
    for (int n = 0; n < 500 && !clients_[i]->is_connected(); ++n) advance(core::Duration::millis(5), 0);
    HUITANG_CHECK(clients_[i]->is_connected());
  }
  void give(const core::SocketAddress& from, core::Buffer bytes, Ingress ingress = Ingress::Full) {
    const Datagram datagram{from, {}, bytes};
    worker_.handle_datagrams(now_, {&datagram, 1}, ingress);
  }
  void from_client(size_t i, core::Buffer bytes) {
    if (tape_.size() < 400) tape_.emplace_back(i, bytes);
    give(address(i), std::move(bytes));
  }
  void turn() {
    worker_.handle_turn(now_);
    while (worker_.poll_event()) {
    }
    while (!out_.queue.empty()) {
      core::Transmit t = std::move(out_.queue.front());
      out_.queue.pop_front();
      for (size_t i = 0; i < clients_.size(); ++i)
        if (address(i) == t.to) clients_[i]->handle_datagram(now_, peer::test::kNode, std::move(t.bytes));
    }
    for (size_t i = 0; i < clients_.size(); ++i) {
      Client& c = *clients_[i];
      if (const auto due = c.deadline(); due && *due <= now_) c.handle_deadline(now_);
      while (auto t = c.ice.poll_transmit()) from_client(i, std::move(t->bytes));
      while (c.dtls && c.ice.destination()) {
        auto flight = c.dtls->poll_transmit();
        if (!flight) break;
        from_client(i, std::move(*flight));
      }
    }
  }
  void advance(core::Duration span, double load) {
    now_ += span;
    totals_.cpu += core::Duration::seconds_f(span.to_seconds() * load);
    if (now_ >= worker_.load_deadline()) worker_.handle_load(now_, totals_);
    turn();
  }
  core::Buffer sound(size_t i) {
    Client::Packet p;
    p.number = static_cast<uint16_t>(++numbers_[i]);
    p.timestamp = static_cast<uint32_t>(numbers_[i]) * 960;
    p.level = rtp::AudioLevel{true, 10};
    p.mid = "0";
    return clients_[i]->seal(p);
  }
  void speak(size_t i) {
    from_client(i, sound(i));
    turn();
  }
  void expect_all_heard() {
    for (size_t from = 0; from < kClients; ++from) {
      std::array<size_t, kClients> before{};
      for (size_t i = 0; i < kClients; ++i) before[i] = clients_[i]->rtp_in.size();
      for (int n = 0; n < 60; ++n) {
        speak(from);
        advance(core::Duration::millis(20), 0);
      }
      for (size_t i = 0; i < kClients; ++i)
        HUITANG_CHECK(i == from || clients_[i]->rtp_in.size() > before[i]);
    }
  }

  void step(core::ByteReader& in) {
    const uint8_t what = in.u8();
    const size_t who = (what >> 4) % kClients;
    switch (what % 10) {
      case 0: {
        const core::Bytes bytes = some(in);
        return give(address(who), {bytes.begin(), bytes.end()},
                    (what & 0x80) != 0 ? Ingress::Urgent : Ingress::Full);
      }
      case 1: {
        const core::Bytes bytes = some(in);
        return give(peer::test::kStranger, {bytes.begin(), bytes.end()});
      }
      case 2:
      case 3: return repeated(in, who);
      case 4: return speak(who);
      case 5: return sealed(in, who);
      case 6: return advance(core::Duration::millis(in.u8() * 8), in.u8() / 255.0);
      case 7: return view(in, who);
      case 8: {
        const bool forwarded = (in.u8() & 1) != 0;
        static_cast<void>(worker_.bind_source(now_, id(who), peer::LineUse::Microphone, microphone(who),
                                              sfu::GroupId(1), forwarded));
        turn();
        static_cast<void>(worker_.bind_source(now_, id(who), peer::LineUse::Microphone, microphone(who),
                                              sfu::GroupId(1), true));
        return;
      }
      default: {
        const core::Bytes bytes = some(in);
        HUITANG_CHECK(!worker_.open_peer(now_, peer::PeerId(50), core::as_text(bytes), {}));
      }
    }
  }
  /// A datagram of the call, from its sender or from elsewhere, whole or changed.
  void repeated(core::ByteReader& in, size_t who) {
    const auto& [owner, original] = tape_[in.u16() % tape_.size()];
    core::Buffer bytes = original;
    for (size_t n = in.u8() % 4; n > 0 && !bytes.empty(); --n) bytes[in.u16() % bytes.size()] = in.u8();
    const bool is_check = rtp::classify(bytes) == rtp::PacketClass::Stun;
    // A check that still has its integrity proves the address it comes from, wherever that is; those stay at home. And
    // before the end of their handshake nothing of DTLS is authentic.
    const bool from_home = is_check || in.u8() % 2 == 0;
    give(from_home ? address(owner) : who == owner ? peer::test::kStranger : address(who), std::move(bytes));
  }
  /// A client that turns against the node: its own hearing is not promised any more.
  void sealed(core::ByteReader& in, size_t who) {
    const core::Bytes bytes = some(in);
    if (bytes.size() < 12) return;
    is_spoilt_ = true;
    core::Buffer clear(bytes.begin(), bytes.end());
    clear[0] = static_cast<uint8_t>(0x80 | (clear[0] & 0x3f));
    if ((clear[2] & 1) != 0) {
      clear[1] = static_cast<uint8_t>(192 + clear[1] % 32);
      return give(address(who), clients_[who]->seal_rtcp(clear));
    }
    const auto view = rtp::parse_protected_packet(clear);
    if (!view) return;
    core::store_u16(&clear[2], static_cast<uint16_t>(++numbers_[who]));
    core::Buffer out(clear.size() + srtp::kMaxRtpOverhead);
    const core::Bytes whole(clear);
    out.resize(clients_[who]->sealer->seal_rtp(numbers_[who], whole.first(view->header_size),
                                               whole.subspan(view->header_size), out));
    give(address(who), std::move(out));
  }
  void view(core::ByteReader& in, size_t who) {
    std::vector<sfu::SlotView> slots;
    for (size_t n = in.u8() % 4; n > 0; --n) {
      sfu::SlotView v{static_cast<sfu::SlotUse>(1 + in.u8() % 2), in.u8(), {}, in.u16(), in.u16(), 0};
      v.show = (in.u8() & 1) != 0 ? decltype(v.show)(sfu::GroupId(in.u8() % 3)) : sfu::SourceNumber(in.u8());
      slots.push_back(v);
    }
    static_cast<void>(worker_.set_view(now_, id(who), slots));
  }

  core::Instant now_ = core::Instant::from_nanos(1'000'000'000);
  core::SeededRandom random_{5};
  std::unique_ptr<srtp::Backend> backend_ = srtp::make_best_backend();
  Out out_;
  Worker worker_;
  LoadTotals totals_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::array<uint64_t, kClients> numbers_{};
  std::vector<std::pair<size_t, core::Buffer>> tape_;
  bool is_spoilt_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 4096) return 0;
  core::ByteReader in({data, size});
  Call call;
  call.run(in);
  return 0;
}
