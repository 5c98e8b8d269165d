// A client for tests: ice::FullAgent, DTLS client and SRTP behind one offer, and the network between it and a
// Peer. Virtual time; the network loses, delays and reorders by a seed. Used by peer_test and the fuzz
// target.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/random.h"
#include "dtls/endpoint.h"
#include "ice/full_agent.h"
#include "peer/peer.h"
#include "rtp/packet.h"
#include "rtp/rtx.h"
#include "sdp/answer.h"
#include "sdp/offer.h"

namespace huitang::peer::test {

using core::Buffer;
using core::Bytes;
using core::Duration;
using core::Instant;
using core::SocketAddress;

inline const SocketAddress kNode{core::IpAddress::v4(192, 0, 2, 1), 5000};
inline const SocketAddress kClient{core::IpAddress::v4(10, 0, 0, 7), 40000};
inline const SocketAddress kStranger{core::IpAddress::v4(203, 0, 113, 66), 666};

inline constexpr uint32_t kMicrophoneSsrc = 1001;
inline constexpr uint32_t kScreenSsrc = 3001;
inline constexpr uint32_t kScreenRtxSsrc = 3002;
/// Layer k sends on kCameraSsrc + k, its RTX on kCameraRtxSsrc + k; neither is announced.
inline constexpr uint32_t kCameraSsrc = 2001;
inline constexpr uint32_t kCameraRtxSsrc = 2101;

/// Making certificates is slow, so tests share two.
inline const dtls::Identity& node_identity() {
  static const dtls::Identity identity =
      dtls::Identity::generate(core::WallTime::from_unix_millis(1'700'000'000'000));
  return identity;
}
inline const dtls::Identity& client_identity() {
  static const dtls::Identity identity =
      dtls::Identity::generate(core::WallTime::from_unix_millis(1'700'000'000'000));
  return identity;
}

inline sdp::Fingerprint to_sdp(const dtls::Fingerprint& f) {
  return {std::string(dtls::to_string(f.algorithm)), f.digest};
}

class Client {
 public:
  Client(Instant now, core::Random& random, srtp::Backend& backend)
      : ice(now, random), backend_(backend), lines_(sdp::client_lines({})) {
    name_streams();
  }

  /// Before the first offer.
  void reshape(const sdp::ClientShape& shape) {
    lines_ = sdp::client_lines(shape);
    name_streams();
  }

  sdp::SessionDescription offer() const {
    sdp::OfferConfig config;
    config.session_id = 77;
    config.ice_ufrag = ice.local().ufrag;
    config.ice_pwd = ice.local().password;
    config.fingerprint = to_sdp(announced->fingerprint());
    config.cname = "client";
    config.audio_codecs = {sdp::Codec::Opus, sdp::Codec::Red};
    config.video_codecs = {sdp::Codec::Vp8, sdp::Codec::H264};
    config.lines = lines_;
    return sdp::make_offer(config);
  }
  std::string offer_text() const { return sdp::write_session_description(offer()); }
  std::vector<Line> lines() const {
    std::vector<Line> out;
    for (const auto& l : lines_) out.push_back({l.mid, l.use, l.index});
    return out;
  }

  bool handle_answer(Instant now, std::string_view answer) {
    auto read = sdp::read_answer(offer(), answer);
    if (!read) return false;
    const bool is_new = negotiated.remote.ice_ufrag != read->remote.ice_ufrag;
    negotiated = std::move(*read);
    if (!is_new) return true;
    ice::Remote remote{{negotiated.remote.ice_ufrag, negotiated.remote.ice_pwd}, {}};
    for (const auto& c : negotiated.remote.candidates) {
      const auto ip = core::parse_ip(c.address);
      if (ip) remote.candidates.push_back({{*ip, c.port}, c.priority});
    }
    ice.start(now, std::move(remote));
    return true;
  }

  void handle_datagram(Instant now, const SocketAddress& from, Buffer bytes) {
    if (stun::looks_like_stun(bytes)) {
      ice.handle_datagram(now, from, bytes);
      if (ice.state() == ice::FullState::Connected && dtls == nullptr) start_dtls(now);
    } else if (dtls::is_dtls(bytes)) {
      if (dtls) dtls->handle_datagram(now, bytes);
      take_keys();
    } else if (opener) {
      open(std::move(bytes));
    }
  }

  void handle_deadline(Instant now) {
    if (const auto d = ice.deadline(); d && *d <= now) ice.handle_deadline(now);
    if (dtls) {
      if (const auto d = dtls->deadline(); d && *d <= now) dtls->handle_deadline(now);
    }
  }
  std::optional<Instant> deadline() const {
    auto at = ice.deadline();
    const auto other = dtls ? dtls->deadline() : std::nullopt;
    return !at || (other && *other < *at) ? other : at;
  }

  bool is_connected() const { return sealer != nullptr && ice.state() == ice::FullState::Connected; }

  /// A sealed packet with the given extensions.
  struct Packet {
    uint32_t ssrc = kMicrophoneSsrc;
    uint8_t payload_type = sdp::kOfferOpus;
    uint16_t number = 1;
    uint32_t timestamp = 960;
    std::string mid, rid, repaired_rid;
    std::optional<uint16_t> transport_number;
    std::optional<rtp::AudioLevel> level;
    std::string payload = "payload";
    uint8_t padding = 0;
  };
  Buffer write(const Packet& packet) const {
    rtp::ExtensionIds ids;
    for (size_t i = 0; i < sdp::kHeaderExtensions; ++i) {
      for (const auto& line : negotiated.lines) {
        uint8_t& id = ids.of(static_cast<rtp::ExtensionKind>(i));
        if (id == 0) id = line.extensions.ids[i];
      }
    }
    Buffer out(1500);
    rtp::PacketHeader header{packet.payload_type, false, packet.number, packet.timestamp, packet.ssrc};
    rtp::HeaderWriter writer(out, header, {}, ids.form());
    if (!packet.mid.empty()) rtp::write_mid(writer, ids, packet.mid);
    if (!packet.rid.empty()) rtp::write_rid(writer, ids, packet.rid);
    if (!packet.repaired_rid.empty()) rtp::write_repaired_rid(writer, ids, packet.repaired_rid);
    if (packet.transport_number) rtp::write_transport_cc(writer, ids, *packet.transport_number);
    if (packet.level) rtp::write_audio_level(writer, ids, *packet.level);
    size_t size = writer.finish();
    std::copy(packet.payload.begin(), packet.payload.end(), out.begin() + static_cast<ptrdiff_t>(size));
    size += packet.payload.size();
    if (packet.padding != 0) {
      rtp::add_padding(out, size, packet.padding);
      size += packet.padding;
    }
    out.resize(size);
    return out;
  }
  Buffer seal(const Packet& packet) {
    const Buffer clear = write(packet);
    const auto view = rtp::parse_protected_packet(clear);
    Buffer out(clear.size() + srtp::kMaxRtpOverhead);
    const Bytes bytes(clear);
    out.resize(sealer->seal_rtp(packet.number, bytes.first(view->header_size),
                                bytes.subspan(view->header_size), out));
    return out;
  }
  Buffer seal_rtcp(Bytes packet) {
    Buffer out(packet.size() + srtp::kMaxRtcpOverhead);
    out.resize(sealer->seal_rtcp(packet, out));
    return out;
  }

  ice::FullAgent ice;
  const dtls::Identity* announced = &client_identity();
  sdp::Negotiated negotiated;
  std::unique_ptr<dtls::Endpoint> dtls;
  std::unique_ptr<srtp::Opener> opener;
  std::unique_ptr<srtp::Sealer> sealer;
  std::vector<Buffer> rtp_in;   ///< opened
  std::vector<Buffer> rtcp_in;  ///< opened
  uint64_t refused_in = 0;

 private:
  void name_streams() {
    for (auto& line : lines_) {
      if (line.use == LineUse::Microphone) line.ssrc = kMicrophoneSsrc;
      if (line.use != LineUse::Screen) continue;
      line.ssrc = kScreenSsrc;
      line.rtx_ssrc = kScreenRtxSsrc;
    }
  }
  void start_dtls(Instant now) {
    dtls::Config config;
    config.role = dtls::Role::Client;
    for (const auto& f : negotiated.remote.fingerprints) {
      config.remote_fingerprints.push_back({dtls::HashAlgorithm::Sha256, f.value});
    }
    dtls = std::make_unique<dtls::Endpoint>(now, client_identity(), std::move(config));
    dtls->start(now);
  }
  void take_keys() {
    while (dtls) {
      const auto event = dtls->poll_event();
      if (!event) return;
      if (const auto* keys = std::get_if<dtls::Connected>(&*event)) {
        opener = std::make_unique<srtp::Opener>(backend_, keys->inbound);
        sealer = std::make_unique<srtp::Sealer>(backend_, keys->outbound);
      }
    }
  }
  void open(Buffer bytes) {
    const bool is_rtcp = bytes.size() > 1 && bytes[1] >= 192 && bytes[1] <= 223;
    const auto view = rtp::parse_protected_packet(bytes);
    const auto size =
        is_rtcp ? opener->open_rtcp(bytes)
        : view  ? opener->open_rtp(bytes, view->header_size, view->header.ssrc, view->header.sequence_number)
                : core::Result<size_t, srtp::SrtpError>(core::err(srtp::SrtpError::Truncated));
    if (!size) {
      ++refused_in;
      return;
    }
    bytes.resize(*size);
    (is_rtcp ? rtcp_in : rtp_in).push_back(std::move(bytes));
  }

  srtp::Backend& backend_;
  std::vector<sdp::OfferedLine> lines_;
};

/// One peer, one client, the network between them.
class World {
 public:
  explicit World(uint64_t seed, PeerConfig config = {})
      : random(seed),
        backend(srtp::make_best_backend()),
        client(now, random, *backend),
        config_(with_address(std::move(config))),
        held_(std::in_place, now, PeerId(1), config_, PeerServices{node_identity(), *backend, random}),
        peer(*held_) {}

  /// The peer goes on in a fresh object with a cipher back-end of its own, as in another process.
  bool hand_over() {
    flush();
    auto state = peer.export_state();
    if (!state) return false;
    held_.reset();
    auto next = srtp::make_best_backend();
    held_.emplace(now, PeerId(1), config_, PeerServices{node_identity(), *next, random});
    other_backend_ = std::move(next);
    return peer.restore(now, std::move(*state));
  }

  bool negotiate() {
    const auto answer = peer.handle_offer(now, client.offer_text(), client.lines());
    return answer.has_value() && client.handle_answer(now, *answer);
  }
  /// Until both sides have keys, at most 20 s; then quiet.
  bool connect() {
    if (!negotiate()) return false;
    for (int i = 0; i < 2000 && !(client.is_connected() && peer.can_send()); ++i) run(Duration::millis(10));
    return client.is_connected() && peer.can_send();
  }

  void run(Duration span) {
    const Instant end = now + span;
    while (true) {
      flush();
      Instant next = end;
      if (!in_flight.empty()) next = std::min(next, in_flight.begin()->first);
      if (const auto d = client.deadline()) next = std::min(next, std::max(*d, now));
      if (const auto d = peer.deadline()) next = std::min(next, std::max(*d, now));
      now = next;
      if (now >= end) return;
      client.handle_deadline(now);
      if (const auto d = peer.deadline(); d && *d <= now) {
        peer.handle_deadline(now);
        send_feedback();
      }
      while (!in_flight.empty() && in_flight.begin()->first <= now) {
        Datagram d = std::move(in_flight.begin()->second);
        in_flight.erase(in_flight.begin());
        deliver(std::move(d));
      }
    }
  }

  struct Datagram {
    SocketAddress from, to;
    Buffer bytes;
  };
  void send(Datagram d) {
    if (d.to == kNode && tape.size() < kMaxTape) tape.push_back(d.bytes);
    if (is_cut || random.below(1000) < loss_per_mille) return;
    const auto delay =
        Duration::millis(10) + Duration::micros(random.below(static_cast<uint32_t>(jitter.to_micros()) + 1));
    in_flight.emplace(now + delay, std::move(d));
  }
  void flush() {
    while (auto t = client.ice.poll_transmit()) send({address, t->to, std::move(t->bytes)});
    while (client.dtls && client.ice.destination()) {
      auto b = client.dtls->poll_transmit();
      if (!b) break;
      send({address, *client.ice.destination(), std::move(*b)});
    }
    while (auto t = peer.poll_transmit()) send({kNode, t->to, std::move(t->bytes)});
    while (auto e = peer.poll_event()) events.push_back(std::move(*e));
  }
  void send_feedback() {
    Buffer out(Peer::kFeedbackRoom);
    while (const size_t n = peer.poll_feedback(now, out)) {
      send({kNode, *peer.destination(), Buffer(out.begin(), out.begin() + static_cast<ptrdiff_t>(n))});
    }
  }
  void deliver(Datagram d) {
    if (d.to == kNode) {
      receive(d.from, d.bytes);
    } else if (d.to == address) {
      client.handle_datagram(now, d.from, std::move(d.bytes));
    }
  }
  /// Gives a datagram to the peer and keeps what comes out.
  Received receive(const SocketAddress& from, Buffer& bytes) {
    const Received r = peer.handle_datagram(now, from, bytes);
    if (const auto* rtp = std::get_if<ReceivedRtp>(&r)) {
      media.push_back({rtp->source, rtp->layer, rtp->packet.header.ssrc, rtp->packet.header.sequence_number,
                       rtp->is_retransmission});
    }
    if (const auto* rtcp = std::get_if<ReceivedRtcp>(&r)) {
      rtcp_in.emplace_back(rtcp->packets.begin(), rtcp->packets.end());
    }
    return r;
  }

  template <class E>
  std::vector<E> events_of() const {
    std::vector<E> out;
    for (const auto& e : events) {
      if (const E* x = std::get_if<E>(&e)) out.push_back(*x);
    }
    return out;
  }

  struct Media {
    uint16_t source;
    uint8_t layer;
    uint32_t ssrc;
    uint16_t number;
    bool is_retransmission;
    friend bool operator==(const Media&, const Media&) = default;
  };

  Instant now = Instant::from_nanos(1'000'000'000);
  core::SeededRandom random;
  std::unique_ptr<srtp::Backend> backend;
  Client client;

 private:
  PeerConfig config_;
  std::unique_ptr<srtp::Backend> other_backend_;
  std::optional<Peer> held_;

 public:
  Peer& peer;  ///< what held_ holds, also after a hand-over
  SocketAddress address = kClient;
  uint32_t loss_per_mille = 0;
  Duration jitter;
  bool is_cut = false;
  std::multimap<Instant, Datagram> in_flight;
  static constexpr size_t kMaxTape = 200;
  std::vector<Buffer> tape;  ///< control datagrams of the client, as an eavesdropper has them
  std::vector<Event> events;
  std::vector<Media> media;
  std::vector<Buffer> rtcp_in;

 private:
  static PeerConfig with_address(PeerConfig config) {
    config.addresses = {kNode};
    return config;
  }
};

}  // namespace huitang::peer::test
