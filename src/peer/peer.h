// The node's endpoint of one client: ICE-lite, DTLS, SRTP and the negotiated lines, behind one object without
// I/O.
//
// Fed by a worker with offers, with the datagrams that ice::peek_username_fragment and the address events
// attribute to it, and with time. Gives answers, control datagrams, opened media packets and sealed ones. A
// datagram from an address that ICE has not validated reaches nothing but ICE. Feedback for the client's
// congestion control is made here; NACK, key frame requests and reports are the worker's (it knows what it
// needs), sealed here. Left out: what is forwarded to whom (`sfu`), sockets, TCP.
//
// One turn:   Received r = peer.handle_datagram(now, from, bytes);
//             while (auto event = peer.poll_event()) …
//             while (auto transmit = peer.poll_transmit()) …
//             while (size_t n = peer.poll_feedback(now, out)) send(*peer.destination(), out.first(n));
// handle_datagram with media, poll_feedback and seal_* allocate nothing.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bwe/twcc_recorder.h"
#include "core/address.h"
#include "core/bytes.h"
#include "core/random.h"
#include "core/result.h"
#include "core/time.h"
#include "core/transmit.h"
#include "dtls/endpoint.h"
#include "dtls/identity.h"
#include "ice/lite_agent.h"
#include "peer/hand_over.h"
#include "peer/inbound_table.h"
#include "peer/offer_plan.h"
#include "peer/types.h"
#include "srtp/backend.h"
#include "srtp/opener.h"
#include "srtp/sealer.h"

namespace huitang::peer {

struct PeerConfig {
  /// The worker's socket as clients reach it, best first: they become the host candidates of the answer.
  std::vector<core::SocketAddress> addresses;
  std::vector<sdp::Codec> codecs{sdp::Codec::Opus, sdp::Codec::Red, sdp::Codec::Vp8, sdp::Codec::H264};
  std::vector<sdp::HeaderExtension> extensions{
      sdp::HeaderExtension::Mid,         sdp::HeaderExtension::Rid,         sdp::HeaderExtension::RepairedRid,
      sdp::HeaderExtension::AudioLevel,  sdp::HeaderExtension::TransportCc, sdp::HeaderExtension::AbsSendTime,
      sdp::HeaderExtension::PlayoutDelay};
  std::vector<crypto::SrtpProfile> srtp_profiles = dtls::kDefaultProfiles;
  uint32_t max_simulcast_layers = 4;
  core::Duration connect_timeout = core::Duration::seconds(30);  ///< New to Disconnected without any check
  /// Connecting to Failed; also for a client that is reachable but never begins its handshake.
  core::Duration handshake_timeout = core::Duration::seconds(30);
  ice::LiteConfig ice;
};

/// What a worker shares among its peers; all of it outlives them.
struct PeerServices {
  const dtls::Identity& identity;
  srtp::Backend& backend;
  core::Random& random;
};

class Peer {
 public:
  static constexpr size_t kMaxLines = 64;  ///< sdp::kMaxMediaSections
  static constexpr size_t kMaxEvents =
      64;  ///< polled after each call, so only a caller that does not poll meets it

  using Counters = PeerCounters;
  struct Snapshot {
    PeerId id;
    PeerState state = PeerState::New;
    StateReason reason = StateReason::None;
    uint32_t offers = 0;  ///< accepted ones
    std::optional<core::SocketAddress> destination;
    std::optional<crypto::SrtpProfile> srtp_profile;
    std::vector<Line> lines;
    std::vector<InboundStream> streams;
    Counters counters;
    ice::LiteAgent::Snapshot ice;
    std::optional<dtls::Endpoint::Snapshot> dtls;
    std::optional<srtp::Opener::Counters> srtp;
    bwe::TwccRecorder::Snapshot feedback;
  };

  Peer(core::Instant now, PeerId id, PeerConfig config, const PeerServices& services);
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer();

  PeerId id() const { return id_; }

  /// The first offer, an ICE restart, or more lines (growth appends; what was there stays with mid, use and
  /// index). `lines` has one row for each m-line that shall be used; others are rejected in the answer. After
  /// an error everything is as it was before.
  core::Result<std::string, PeerError> handle_offer(core::Instant now, std::string_view offer,
                                                    std::span<const Line> lines);

  /// `datagram` is decrypted in place; the result points into it.
  Received handle_datagram(core::Instant now, const core::SocketAddress& from, core::MutableBytes datagram);
  void handle_deadline(core::Instant now);
  /// By its payload type, which is in the clear: media of a picture. For a worker that has to leave some aside
  /// unopened; a guess that nothing but that may rest on.
  bool looks_like_picture(core::Bytes datagram) const;
  /// Says goodbye (close_notify, still to be polled) and ends.
  void close(core::Instant now);

  /// STUN answers and DTLS flights.
  std::optional<core::Transmit> poll_transmit();
  std::optional<Event> poll_event();
  /// One sealed RTCP datagram for destination() about the packets received; 0 when none is due. `out` holds
  /// at least kFeedbackRoom bytes.
  static constexpr size_t kFeedbackRoom = bwe::TwccRecorder::kMaxFeedbackSize + srtp::kMaxRtcpOverhead;
  size_t poll_feedback(core::Instant now, core::MutableBytes out);
  std::optional<core::Instant> deadline() const;

  PeerState state() const { return state_; }
  /// Keys are there and the client consents: what is sealed now may be sent to destination().
  bool can_send() const { return state_ == PeerState::Connected; }
  const std::optional<core::SocketAddress>& destination() const { return ice_.destination(); }

  std::span<const SourceLine> sources() const { return sources_; }
  std::span<const SlotLine> slots() const { return slots_; }
  const SourceLine* find_source(LineUse use) const;
  const SlotLine* find_slot(LineUse use, uint32_t index) const;
  /// One table for the whole bundle (RFC 8843 section 9.1 lets ids mean one thing only).
  const rtp::ExtensionIds& extension_ids() const { return extension_ids_; }
  /// What RTCP packets that speak for the node as a receiver carry as their sender.
  uint32_t feedback_ssrc() const { return feedback_ssrc_; }
  /// Of all slots.
  const std::string& cname() const { return cname_; }
  /// Grows with each accepted offer: tables above may have changed.
  uint32_t revision() const { return offers_; }

  /// srtp::Sealer's contract, above all: an index never twice for one SSRC. 0 while !can_send().
  size_t seal_rtp(uint64_t index, core::Bytes header, core::Bytes payload, core::MutableBytes out);
  size_t seal_rtcp(core::Bytes packet, core::MutableBytes out);
  /// For srtp::seal_rtp_batch; null while !can_send(). The caller reports what it sent by count_sent.
  srtp::Sealer* sealer() { return can_send() ? sealer_.get() : nullptr; }
  void count_sent(uint64_t packets, uint64_t bytes);

  const Counters& counters() const { return counters_; }
  Snapshot snapshot() const;

  /// The client may still have a flight of its DTLS handshake to send again, which only this process could
  /// answer: it is under way, or ended less than `kSettleTime` ago and no SRTP has shown yet that the client
  /// has the keys.
  bool has_open_handshake(core::Instant now) const;
  static constexpr core::Duration kSettleTime = core::Duration::millis(1500);
  /// Drained, between two turns. Absent for a peer that cannot go on elsewhere: it failed, or its handshake is
  /// under way.
  std::optional<PeerHandOver> export_state() const;
  /// Once, instead of a first offer: goes on where another process stopped, without events. False when the
  /// state contradicts itself; the peer is then of no use.
  bool restore(core::Instant now, PeerHandOver state);
  bool is_consistent() const;

 private:
  struct Extensions;
  void commit(core::Instant now, OfferPlan& plan);
  OfferContext context() const;

  Received handle_rtp(core::Instant now, core::MutableBytes datagram);
  Received handle_opened_rtp(core::Instant now, core::MutableBytes packet, size_t datagram_size);
  const InboundStream* find_stream(uint32_t ssrc, const InboundTable::PayloadType& type,
                                   const InboundTable::Hints& hints);
  bool unwrap_retransmission(core::MutableBytes packet, const InboundStream& stream,
                             const InboundTable::PayloadType& type, rtp::PacketView& view);
  Received handle_rtcp(core::Instant now, core::MutableBytes datagram);
  void handle_dtls(core::Instant now, core::Bytes datagram);
  void take_ice_events(core::Instant now);
  void take_dtls_events(core::Instant now);
  void follow_ice(core::Instant now, ice::LiteState state);
  void start_dtls(core::Instant now);
  void install_keys(core::Instant now, const dtls::Connected& keys);
  void enter(PeerState state, StateReason reason, std::string detail = {});
  void push(Event event);

  PeerId id_;
  PeerConfig config_;
  PeerServices services_;
  PeerState state_ = PeerState::New;
  StateReason reason_ = StateReason::None;
  core::Instant connect_by_;
  core::Instant handshake_by_;  ///< while Connecting
  core::Instant keys_since_;    ///< once there are keys
  ice::LiteAgent ice_;
  std::unique_ptr<dtls::Endpoint> dtls_;
  std::unique_ptr<srtp::Opener> opener_;
  std::unique_ptr<srtp::Sealer> sealer_;
  bwe::TwccRecorder recorder_;

  std::vector<SourceLine> sources_;
  std::vector<SlotLine> slots_;
  std::vector<Line> lines_;  ///< in the order of the m-lines
  rtp::ExtensionIds extension_ids_;
  InboundTable inbound_;
  uint32_t feedback_ssrc_;
  std::string cname_;
  uint64_t session_id_;
  uint32_t offers_ = 0;
  ice::Credentials remote_credentials_;
  std::vector<dtls::Fingerprint> remote_fingerprints_;

  std::deque<Event> events_;
  Counters counters_;
};

}  // namespace huitang::peer
