// Bytes of strangers and of eavesdroppers against a running call (RELIABILITY.md R13, R16, R17). A call's
// datagrams are recorded, then repeated, changed and sent from elsewhere while time stands still: nothing may
// leave, and nothing that media or state rests on may be another afterwards. Each checker is shown a node
// with the fault that it is for.
#include <algorithm>
#include <cstdlib>

#include "dtls/test_support.h"
#include "rtp/demux.h"
#include "stun/message.h"
#include "worker/test_world.h"

namespace huitang::worker {
namespace {

using core::SocketAddress;

/// Many more in the long form of the tests.
size_t tries(size_t quick) { return std::getenv("HUITANG_DEEP") != nullptr ? quick * 50 : quick; }

SocketAddress stranger(uint32_t n) {
  return {core::IpAddress::v4(203, static_cast<uint8_t>(n >> 16), static_cast<uint8_t>(n >> 8),
                              static_cast<uint8_t>(n)),
          static_cast<uint16_t>(1024 + n % 60'000)};
}

/// All that authentic datagrams change, as text, so that a difference can be read.
std::string footprint(const Worker& worker) {
  auto peers = worker.snapshot_peers();
  std::ranges::sort(peers, {}, [](auto& p) { return p.id; });
  std::string out;
  const auto add = [&out](const char* name, uint64_t value) {
    out.append(name).append("=").append(std::to_string(value)).append(" ");
  };
  for (const peer::Peer::Snapshot& p : peers) {
    add("\npeer", p.id.value());
    add("state", static_cast<uint64_t>(p.state));
    add("offers", p.offers);
    if (p.destination) out.append(core::to_string(*p.destination)).append(" ");
    out.append(p.ice.ufrag).append(p.ice.is_restarting ? " restarting " : " ");
    for (const auto& a : p.ice.addresses) out.append(core::to_string(a.address)).append(" ");
    for (const auto& s : p.streams) add("ssrc", s.ssrc);
    add("checks", p.ice.counters.checks);
    add("stun_errors", p.ice.counters.errors_sent);
    add("rtp_in", p.counters.rtp_in);
    add("rtcp_in", p.counters.rtcp_in);
    add("rtx_in", p.counters.retransmissions_in);
    add("opened", p.srtp ? p.srtp->opened : 0);
    add("recorded", p.feedback.packets + p.feedback.duplicates + p.feedback.jumps);
    add("dtls", p.dtls ? static_cast<uint64_t>(p.dtls->state) + 1 : 0);
    add("out", p.counters.packets_out);
  }
  const sfu::ForwarderCounters& f = worker.forwarder().counters();
  add("\nmedia_in", f.packets_in);
  add("media_out", f.packets_out);
  add("nacks", f.nacks_in);
  add("asks", f.key_frame_asks);
  add("unbound", worker.counters().unbound_media);
  for (const sfu::SourceSnapshot& s : worker.forwarder().snapshot_sources())
    for (const auto& layer : s.layers) add("layer", layer.packets);
  return out;
}

struct Recorded {
  SocketAddress from;
  core::Buffer bytes;
};

class CallUnderAttack : public WorkerWithClients {
 protected:
  using WorkerWithClients::WorkerWithClients;
  void SetUp() override {
    tap_ = [this](const SocketAddress& from, const core::Buffer& bytes) { tape_.push_back({from, bytes}); };
    speaker_ = &add_client();
    listener_ = &add_client();
    publish(*speaker_);
    show_camera(*listener_);
    send_media(*speaker_, Duration::seconds(2));
    send_listeners_rtcp();
    run(Duration::millis(50));
    tap_ = nullptr;
    worker_.handle_turn(now_);
    out_.queue.clear();
  }
  /// A NACK and a key frame request: what a forger would like to have.
  void send_listeners_rtcp() {
    const SeenPacket seen = *std::ranges::find(listener_->seen(), kCamera, &SeenPacket::csrc);
    std::array<uint8_t, 200> room;
    rtp::CompoundWriter writer(room);
    writer.add_nack(1, seen.ssrc, std::span(&seen.sequence_number, 1));
    writer.add_pli(1, seen.ssrc);
    to_worker(listener_->address(), listener_->seal_rtcp(writer.written()));
  }
  std::vector<Recorded> recorded(rtp::PacketClass kind) const {
    std::vector<Recorded> out;
    std::ranges::copy_if(tape_, std::back_inserter(out),
                         [&](const Recorded& r) { return rtp::classify(r.bytes) == kind; });
    return out;
  }
  std::vector<Recorded> recorded_media() const {
    auto out = recorded(rtp::PacketClass::Rtp);
    for (Recorded& r : recorded(rtp::PacketClass::Rtcp)) out.push_back(std::move(r));
    return out;
  }
  /// Gives the worker what `attack` sends and a turn, all at one instant; what it did in return, empty for
  /// nothing.
  template <class Attack>
  std::string harm_of(Attack attack) {
    const std::string before = footprint(worker_);
    attack();
    worker_.handle_turn(now_);
    std::string harm;
    if (!out_.queue.empty()) harm = std::to_string(out_.queue.size()) + " datagrams left; ";
    out_.queue.clear();
    if (const std::string after = footprint(worker_); after != before) harm += before + "\nbecame" + after;
    EXPECT_TRUE(worker_.is_consistent());
    return harm;
  }
  /// The call goes on, without a gap in what the listener gets.
  void expect_call_goes_on() {
    listener_->seen().clear();
    send_media(*speaker_, Duration::seconds(1));
    EXPECT_GT(listener_->count_of(kMicrophone), 40u);
    EXPECT_GT(listener_->count_of(kCamera), 80u);
    std::map<uint32_t, uint16_t> last;
    for (const SeenPacket& p : listener_->seen()) {
      EXPECT_TRUE(p.intact);
      if (const auto it = last.find(p.ssrc); it != last.end()) {
        EXPECT_EQ(static_cast<uint16_t>(it->second + 1), p.sequence_number);
      }
      last[p.ssrc] = p.sequence_number;
    }
  }
  core::Buffer random_bytes(size_t size) {
    core::Buffer out(size);
    for (uint8_t& b : out) b = static_cast<uint8_t>(random_.u32());
    return out;
  }
  /// What an eavesdropper can make of a packet: bits turned, a number that is still to come, another stream,
  /// a part of it.
  core::Buffer forge(core::Buffer b) {
    switch (random_.below(5)) {
      case 0:
        b[12 + random_.below(static_cast<uint32_t>(b.size() - 12))] ^=
            static_cast<uint8_t>(1 + random_.below(255));
        break;
      case 1:
        core::store_u16(&b[2], static_cast<uint16_t>(core::load_u16(&b[2]) + 1 + random_.below(2000)));
        break;
      case 2: core::store_u32(&b[8], random_.u32()); break;
      case 3: b.resize(1 + random_.below(static_cast<uint32_t>(b.size() - 1))); break;
      default: core::store_u32(&b[4], core::load_u32(&b[4]) + 1 + random_.below(100'000)); break;
    }
    return b;
  }
  std::string harm_of_forgeries(size_t count) {
    const auto media = recorded_media();
    return harm_of([&] {
      for (size_t i = 0; i < count; ++i) {
        const Recorded& r = media[random_.below(static_cast<uint32_t>(media.size()))];
        to_worker(r.from, forge(r.bytes));
      }
    });
  }

  std::vector<Recorded> tape_;
  TestClient* speaker_ = nullptr;
  TestClient* listener_ = nullptr;
};

// ---- R16

TEST_F(CallUnderAttack, a_whole_call_repeated_is_forwarded_to_nobody_and_changes_nothing) {
  const auto media = recorded_media();
  ASSERT_GT(media.size(), 300u);
  EXPECT_EQ(harm_of([&] {
              for (const Recorded& r : media) to_worker(r.from, r.bytes);
            }),
            "");
  uint64_t replayed = 0;
  for (const auto& p : worker_.snapshot_peers()) replayed += p.srtp->replayed;
  EXPECT_EQ(replayed, media.size()) << "each was known for what it is";
  expect_call_goes_on();
}

TEST_F(CallUnderAttack, forged_packets_are_forwarded_to_nobody_and_change_nothing) {
  EXPECT_EQ(harm_of_forgeries(tries(20'000)), "");
  expect_call_goes_on();
}

TEST_F(CallUnderAttack, packets_of_one_peer_sent_from_anothers_address_are_not_taken) {
  EXPECT_EQ(harm_of([&] {
              for (const Recorded& r : recorded_media())
                to_worker(r.from == speaker_->address() ? listener_->address() : speaker_->address(),
                          r.bytes);
              to_worker(listener_->address(), speaker_->seal(audio_.next(now_), "0", {}));
            }),
            "");
  send_media(*speaker_, Duration::seconds(1));  // repairs the number that came from elsewhere
  expect_call_goes_on();
}

/// Ciphers that decrypt without looking at the tag: the fault of which the forgeries are to be the proof.
class LenientAead final : public srtp::Aead {
 public:
  explicit LenientAead(std::unique_ptr<srtp::Aead> real) : real_(std::move(real)) {}
  void seal(const Iv& iv, core::Bytes aad, core::Bytes plain, uint8_t* out) override {
    real_->seal(iv, aad, plain, out);
  }
  bool open(const Iv& iv, core::Bytes aad, core::MutableBytes sealed) override {
    real_->open(iv, aad, sealed);
    return true;
  }

 private:
  std::unique_ptr<srtp::Aead> real_;
};
class LenientBackend final : public srtp::Backend {
 public:
  srtp::BackendKind kind() const override { return real_->kind(); }
  const char* name() const override { return "lenient"; }
  std::unique_ptr<srtp::Aead> make_aead(core::Bytes key) override {
    return std::make_unique<LenientAead>(real_->make_aead(key));
  }
  std::unique_ptr<srtp::CounterMac> make_counter_mac(core::Bytes key, core::Bytes auth_key) override {
    return real_->make_counter_mac(key, auth_key);
  }

 private:
  std::unique_ptr<srtp::Backend> real_ = srtp::make_best_backend();
};

class CallOfALenientNode : public CallUnderAttack {
 protected:
  CallOfALenientNode() : CallUnderAttack(std::make_unique<LenientBackend>()) {}
};

TEST_F(CallOfALenientNode, is_found_out_by_the_forgeries) { EXPECT_NE(harm_of_forgeries(200), ""); }

// ---- R17 and R13

/// STUN as a stranger can make it who knows both fragments, but no password.
core::Buffer unauthentic_check(core::Random& random, std::string_view local, std::string_view remote) {
  std::array<uint8_t, 300> room;
  stun::TransactionId transaction;
  for (uint8_t& b : transaction) b = static_cast<uint8_t>(random.u32());
  const auto kind = static_cast<stun::MessageClass>(random.below(4));
  stun::MessageWriter writer(room, {random.below(4) != 0 ? stun::MessageClass::Request : kind, transaction});
  writer.username(local, remote);
  if (random.below(2) == 0) writer.priority(random.u32());
  if (random.below(2) == 0) writer.use_candidate();
  if (random.below(4) == 0) writer.ice_controlled(random.u64());
  if (random.below(2) == 0) writer.ice_controlling(random.u64());
  const std::array<uint8_t, 4> wrong{1, 2, 3, static_cast<uint8_t>(random.u32())};
  const core::Bytes written = random.below(2) == 0 ? writer.finish(wrong) : writer.finish_without_integrity();
  return {written.begin(), written.end()};
}

TEST_F(CallUnderAttack, checks_without_the_password_get_no_answer_whoever_seems_to_send_them) {
  const auto peers = worker_.snapshot_peers();
  const auto username_of = [](const Recorded& r) {
    return std::string(stun::MessageView::parse(r.bytes)->username.value_or(""));
  };
  const std::string name = username_of(recorded(rtp::PacketClass::Stun).front());
  const size_t colon = name.find(':');
  EXPECT_EQ(harm_of([&] {
              for (uint32_t i = 0; i < tries(20'000); ++i) {
                core::Buffer check =
                    unauthentic_check(random_, name.substr(0, colon), name.substr(colon + 1));
                if (i % 7 == 0) check.resize(random_.below(static_cast<uint32_t>(check.size())) + 1);
                to_worker(i % 3 == 0 ? speaker_->address() : stranger(i), std::move(check));
              }
            }),
            "");
  expect_call_goes_on();
}

TEST_F(CallUnderAttack, a_check_that_was_overheard_proves_no_other_address) {
  const auto checks = recorded(rtp::PacketClass::Stun);
  ASSERT_GT(checks.size(), 1u);
  EXPECT_EQ(harm_of([&] {
              uint32_t n = 0;
              for (const Recorded& r : checks) to_worker(stranger(++n), r.bytes);
            }),
            "");
  expect_call_goes_on();
}

TEST_F(CallUnderAttack, a_flood_from_a_hundred_thousand_addresses_is_counted_and_nothing_else) {
  const core::Buffer hello = recorded(rtp::PacketClass::Dtls).front().bytes;
  ASSERT_TRUE(dtls::test::is_client_hello(hello));
  const uint64_t before = worker_.counters().unattributed;
  const auto count = static_cast<uint32_t>(tries(100'000));
  EXPECT_EQ(harm_of([&] {
              for (uint32_t i = 0; i < count; ++i) {
                switch (i % 4) {
                  case 0: to_worker(stranger(i), hello); break;
                  case 1: to_worker(stranger(i), random_bytes(1 + random_.below(200))); break;
                  case 2: to_worker(stranger(i), unauthentic_check(random_, "nobody", "none")); break;
                  default:
                    to_worker(stranger(i), tape_[i % tape_.size()].bytes.size() > 100
                                               ? random_bytes(1200)
                                               : core::Buffer{22, 254, 253});
                }
              }
            }),
            "");
  EXPECT_EQ(worker_.counters().unattributed, before + count);
  expect_call_goes_on();
}

TEST_F(CallUnderAttack, handshakes_from_addresses_that_no_check_has_proven_reach_nobody) {
  // The listener's own first flight and everything after it, from elsewhere.
  EXPECT_EQ(harm_of([&] {
              uint32_t n = 0;
              for (const Recorded& r : recorded(rtp::PacketClass::Dtls)) to_worker(stranger(++n), r.bytes);
            }),
            "");
  // Again from its own address: OpenSSL drops what belongs to a handshake that is over.
  const auto states = [&] {
    std::vector<peer::PeerState> out;
    for (const auto& p : worker_.snapshot_peers()) out.push_back(p.state);
    return out;
  };
  const auto before = states();
  for (const Recorded& r : recorded(rtp::PacketClass::Dtls)) to_worker(r.from, r.bytes);
  worker_.handle_turn(now_);
  out_.queue.clear();
  EXPECT_EQ(states(), before);
  expect_call_goes_on();
}

/// Bytes in and out by address. The promise: to an address that has proven nothing, no more leaves than came.
class Balance {
 public:
  void in(const SocketAddress& from, size_t bytes) { rows_[from].in += bytes; }
  void out(const SocketAddress& to, size_t bytes) { rows_[to].out += bytes; }
  void prove(const SocketAddress& address) { rows_[address].is_proven = true; }
  size_t violations() const {
    return static_cast<size_t>(std::ranges::count_if(
        rows_, [](const auto& row) { return !row.second.is_proven && row.second.out > row.second.in; }));
  }

 private:
  struct Row {
    size_t in = 0, out = 0;
    bool is_proven = false;
  };
  std::map<SocketAddress, Row> rows_;
};

TEST_F(CallUnderAttack, to_an_address_that_has_proven_nothing_no_more_leaves_than_came_from_it) {
  Balance balance;
  for (const auto& client : clients_) balance.prove(client->address());
  const core::Buffer hello = recorded(rtp::PacketClass::Dtls).front().bytes;
  for (uint32_t i = 0; i < 5000; ++i) {
    const core::Buffer bytes = i % 2 == 0 ? hello : unauthentic_check(random_, "abcd", "efgh");
    balance.in(stranger(i), bytes.size());
    to_worker(stranger(i), bytes);
    if (i % 100 == 0) worker_.handle_turn(now_);
  }
  worker_.handle_turn(now_);
  for (const core::Transmit& t : out_.queue) balance.out(t.to, t.bytes.size());
  EXPECT_EQ(balance.violations(), 0u);

  // A node that greets whoever sends STUN, as many do, answers 32 bytes and more to 20.
  Balance polite;
  std::array<uint8_t, 100> room;
  stun::MessageWriter writer(room, {stun::MessageClass::SuccessResponse, {}});
  writer.xor_mapped_address(stranger(1));
  polite.in(stranger(1), stun::kHeaderSize);
  polite.out(stranger(1), writer.finish_without_integrity().size());
  EXPECT_EQ(polite.violations(), 1u) << "the fault that the balance is for";
}

TEST_F(CallUnderAttack, an_honest_client_connects_through_fragments_in_any_order_among_strangers) {
  const core::Buffer foreign_hello = recorded(rtp::PacketClass::Dtls).front().bytes;
  size_t order = 0, cut = 0;
  path_ = [&](core::Buffer datagram) {
    if (!dtls::test::is_client_hello(datagram)) return std::vector<core::Buffer>{std::move(datagram)};
    ++cut;
    std::vector<core::Buffer> pieces = dtls::test::cut_client_hello(datagram, 4);
    for (size_t i = 0; i < order; ++i) std::ranges::next_permutation(pieces);
    pieces.push_back(pieces.front());
    uint32_t n = 0;
    for (const core::Buffer& piece : dtls::test::cut_client_hello(foreign_hello, 3)) {
      to_worker(stranger(++n), piece);
      to_worker(stranger(++n), pieces.front());
    }
    return pieces;
  };
  for (order = 0; order < 24; ++order) {
    const Instant began = now_;
    add_client();
    EXPECT_LE(now_ - began, Duration::seconds(3)) << "virtual time: no retransmission was needed";
  }
  EXPECT_EQ(cut, 24u);
}

}  // namespace
}  // namespace huitang::worker
