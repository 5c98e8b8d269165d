// A peer is brought to Connected through a real ICE and DTLS handshake; then the input speaks: datagrams as
// they are from the client's address or a stranger's, properly sealed RTP and RTCP with contents of its
// choosing, offers with bytes changed, checks, datagrams of the session repeated and changed, time. The peer
// stays consistent, a stranger never gets anything through, offers that are refused change nothing, and a client
// that did nothing wrong itself gets its media through in the end, whatever came under its address.
#include <cstdlib>
#include <memory>

#include "peer/test_client.h"
#include "rtp/demux.h"

namespace {

namespace core = huitang::core;
namespace peer = huitang::peer;
namespace rtp = huitang::rtp;
using peer::test::kClient;
using peer::test::kStranger;

void require(bool condition) {
  if (!condition) std::abort();
}

class Session {
 public:
  explicit Session(size_t datagrams_of_handshake) : world_(1) {
    world_.client.reshape(
        {.audio_slots = 1, .video_slots = 2, .share_slots = 1});  // a short description: fast runs
    require(world_.negotiate());
    // Some inputs meet the peer in the middle of the handshake.
    for (size_t i = 0; i < datagrams_of_handshake && !world_.peer.can_send(); ++i) {
      world_.run(core::Duration::millis(5));
    }
  }

  void run(core::ByteReader& in) {
    while (!in.failed() && in.remaining() > 0) {
      step(in);
      world_.flush();
      require(world_.peer.is_consistent());
    }
    if (!is_spoilt_) expect_media_gets_through();
  }

 private:
  static core::Bytes some(core::ByteReader& in) { return in.take(std::min<size_t>(in.u8(), in.remaining())); }
  static core::Buffer copy(core::Bytes b) { return {b.begin(), b.end()}; }

  void step(core::ByteReader& in) {
    switch (in.u8() % 11) {
      case 0: return from_home(some(in));
      case 1: return from_stranger(some(in));
      case 2: return sealed_rtp(in);
      case 3: return sealed_rtcp(some(in));
      case 4: return changed_offer(in);
      case 5: return world_.run(core::Duration::millis(in.u16() % 4000));
      case 6: return restart();
      case 7: return described_packet(in);
      case 8: return lines(in);
      case 9: return repeated(in);
      default: return good_sound();
    }
  }

  // Until its end nothing of a handshake is authentic, so whoever can use the client's address can break it.
  void from_home(core::Bytes bytes) {
    is_spoilt_ = is_spoilt_ || !world_.peer.can_send();
    raw(kClient, bytes);
  }

  // What the client or an earlier step sent, whole or changed, from its address or from elsewhere.
  void repeated(core::ByteReader& in) {
    if (world_.tape.empty()) return;
    core::Buffer datagram = world_.tape[in.u16() % world_.tape.size()];
    const core::Buffer original = datagram;
    for (size_t n = in.u8() % 4; n > 0 && !datagram.empty(); --n)
      datagram[in.u16() % datagram.size()] = in.u8();
    if (in.u8() % 8 == 0 && !datagram.empty()) datagram.resize(in.u8() % datagram.size());
    // A check with its integrity proves the address that it comes from; repeating it there is no attack on this.
    const bool stays_home = rtp::classify(datagram) == rtp::PacketClass::Stun || in.u8() % 2 == 0;
    if (!stays_home) return from_stranger(datagram);
    if (datagram != original) is_spoilt_ = is_spoilt_ || !world_.peer.can_send();
    raw(kClient, datagram);
  }

  core::Buffer sound() {
    peer::test::Client::Packet p;
    p.ssrc = kGoodSsrc;
    p.number = ++good_number_;
    p.timestamp = good_number_ * 960u;
    p.mid = "0";
    return world_.client.seal(p);
  }
  void good_sound() {
    if (!world_.client.sealer || !world_.peer.can_send()) return;
    core::Buffer datagram = sound();
    if (world_.tape.size() < peer::test::World::kMaxTape) world_.tape.push_back(datagram);
    world_.receive(kClient, datagram);
  }

  void expect_media_gets_through() {
    for (int i = 0; i < 4000 && !(world_.client.is_connected() && world_.peer.can_send()); ++i)
      world_.run(core::Duration::millis(10));
    require(world_.client.is_connected() && world_.peer.can_send());
    core::Buffer datagram = sound();
    const auto received = world_.receive(kClient, datagram);
    const auto* media = std::get_if<peer::ReceivedRtp>(&received);
    require(media != nullptr && media->use == peer::LineUse::Microphone);
  }

  void raw(const core::SocketAddress& from, core::Bytes bytes) {
    core::Buffer datagram = copy(bytes);
    world_.receive(from, datagram);
  }

  void from_stranger(core::Bytes bytes) {
    const auto before = world_.peer.snapshot();
    core::Buffer datagram = copy(bytes);
    require(std::holds_alternative<std::monostate>(world_.receive(kStranger, datagram)));
    if (world_.client.sealer) {
      datagram = world_.client.seal({.number = ++number_});
      require(std::holds_alternative<std::monostate>(world_.receive(kStranger, datagram)));
    }
    const auto after = world_.peer.snapshot();
    require(after.state == before.state && after.destination == before.destination);
    require(after.counters.rtp_in == before.counters.rtp_in &&
            after.counters.rtcp_in == before.counters.rtcp_in);
    require(!world_.peer.poll_transmit());
  }

  // An authentic packet around arbitrary bytes: what a hostile client could send.
  void sealed_rtp(core::ByteReader& in) {
    is_spoilt_ = true;
    if (!world_.client.sealer) return;
    core::Buffer clear = copy(some(in));
    if (clear.size() < rtp::kFixedHeaderSize) return;
    clear[0] = static_cast<uint8_t>(0x80 | (clear[0] & 0x3f));
    const auto view = rtp::parse_protected_packet(clear);
    if (!view) return;
    core::store_u16(&clear[2], ++number_);
    core::Buffer out(clear.size() + huitang::srtp::kMaxRtpOverhead);
    const core::Bytes bytes(clear);
    out.resize(world_.client.sealer->seal_rtp(number_, bytes.first(view->header_size),
                                              bytes.subspan(view->header_size), out));
    check(world_.receive(kClient, out), out);
  }

  void described_packet(core::ByteReader& in) {
    is_spoilt_ = true;
    if (!world_.client.sealer) return;
    static constexpr uint8_t kTypes[] = {111, 63, 96, 97, 102, 103, 0};
    static const char* const kNames[] = {"", "0", "1", "2", "3", "q", "h", "f", "4", "zz"};
    peer::test::Client::Packet p;
    p.ssrc = 1000 + in.u8() % 8 + (in.u8() % 4) * 1000;
    p.payload_type = kTypes[in.u8() % 7];
    p.number = ++number_;
    p.mid = kNames[in.u8() % 10];
    p.rid = kNames[in.u8() % 10];
    p.repaired_rid = kNames[in.u8() % 10];
    if (in.u8() % 2 != 0) p.transport_number = in.u16();
    p.payload = core::as_text(some(in));
    p.padding = in.u8() % 2 != 0 ? uint8_t{0} : in.u8();
    core::Buffer datagram = world_.client.seal(p);
    check(world_.receive(kClient, datagram), datagram);
  }

  void sealed_rtcp(core::Bytes bytes) {
    is_spoilt_ = true;
    if (!world_.client.sealer || bytes.size() < 8) return;
    core::Buffer packet = copy(bytes);
    packet[0] = static_cast<uint8_t>(0x80 | (packet[0] & 0x3f));
    packet[1] = static_cast<uint8_t>(192 + packet[1] % 32);
    core::Buffer datagram = world_.client.seal_rtcp(packet);
    check(world_.receive(kClient, datagram), datagram);
  }

  // What comes out lies inside the datagram and names a line that exists.
  void check(const peer::Received& received, const core::Buffer& datagram) {
    core::Bytes inside;
    if (const auto* media = std::get_if<peer::ReceivedRtp>(&received)) {
      require(media->source < world_.peer.sources().size());
      require(media->layer < world_.peer.sources()[media->source].layer_count());
      inside = media->packet.bytes;
    }
    if (const auto* control = std::get_if<peer::ReceivedRtcp>(&received)) inside = control->packets;
    if (inside.empty()) return;
    require(inside.data() >= datagram.data() &&
            inside.data() + inside.size() <= datagram.data() + datagram.size());
  }

  void changed_offer(core::ByteReader& in) {
    std::string offer = world_.client.offer_text();
    const size_t at = (static_cast<size_t>(in.u16()) * 7) % offer.size();
    const std::string_view with = core::as_text(some(in));
    const size_t length = std::min<size_t>(in.u8(), offer.size() - at);
    offer.replace(at, length, with);
    offer_and_check(offer, world_.client.lines());
  }

  void lines(core::ByteReader& in) {
    auto lines = world_.client.lines();
    auto& line = lines[in.u8() % lines.size()];
    switch (in.u8() % 4) {
      case 0: line.use = static_cast<peer::LineUse>(in.u8() % 10); break;
      case 1: line.index = in.u8(); break;
      case 2: line.mid = core::as_text(some(in)); break;
      default: lines.resize(in.u8() % lines.size()); break;
    }
    offer_and_check(world_.client.offer_text(), lines);
  }

  void offer_and_check(const std::string& offer, const std::vector<peer::Line>& lines) {
    const auto before = world_.peer.snapshot();
    const auto answer = world_.peer.handle_offer(world_.now, offer, lines);
    if (answer) {
      is_spoilt_ = true;  // its lines are no longer those that it thinks
      return;
    }
    const auto after = world_.peer.snapshot();
    require(after.offers == before.offers && after.lines == before.lines &&
            after.ice.ufrag == before.ice.ufrag);
    require(after.state == before.state && after.streams == before.streams);
  }

  void restart() {
    world_.client.ice.restart(world_.now);
    is_spoilt_ = !world_.negotiate() || is_spoilt_;
  }

  peer::test::World world_;
  static constexpr uint32_t kGoodSsrc = 4711;
  uint16_t number_ = 0, good_number_ = 0;
  bool is_spoilt_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 4096) return 0;
  core::ByteReader in({data, size});
  const size_t steps = in.u8();
  Session session(steps < 64 ? steps / 4 : 400);
  session.run(in);
  return 0;
}
