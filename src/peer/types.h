// The plain values that a peer and its worker exchange.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/address.h"
#include "core/id.h"
#include "core/time.h"
#include "rtp/extension.h"
#include "rtp/packet.h"
#include "sdp/negotiated.h"
#include "sdp/offer.h"

namespace huitang::peer {

using PeerId = core::Id<struct PeerTag, uint64_t>;
using sdp::LineUse;

/// What the client says one m-line is for (signaling's Line).
struct Line {
  std::string mid;
  LineUse use = LineUse::Microphone;
  uint32_t index = 0;  ///< slot number within its use, from 0; 0 for sources
  friend bool operator==(const Line&, const Line&) = default;
};

/// A line on which the client sends. Its place in Peer::sources() never changes.
struct SourceLine {
  Line line;
  bool is_rejected = false;                  ///< no codec in common: nothing will come
  std::vector<sdp::NegotiatedCodec> codecs;  ///< with payload types, RTX and feedback of each
  std::vector<std::string> rids;             ///< lowest layer first; empty = no simulcast
  size_t layer_count() const { return rids.empty() ? 1 : rids.size(); }
};

/// A line on which the node sends one virtual stream. Its place in Peer::slots() and its SSRCs never change.
struct SlotLine {
  Line line;
  bool is_rejected = false;
  uint32_t ssrc = 0;
  uint32_t rtx_ssrc = 0;                     ///< 0 for audio
  std::vector<sdp::NegotiatedCodec> codecs;  ///< what the client takes here; the first is the one it prefers
};

/// One SSRC of the client, learned from the offer or from the first packets (RFC 9143 section 9.2, RFC 8852).
struct InboundStream {
  uint32_t ssrc = 0;
  uint16_t source = 0;  ///< place in Peer::sources()
  uint8_t layer = 0;    ///< 0 = lowest
  bool is_rtx = false;
  friend bool operator==(const InboundStream&, const InboundStream&) = default;
};

/// A media packet of the client: authentic, decrypted, assigned to its line. A retransmission is already
/// turned into the packet that it repeats (RFC 4588). Points into the datagram given to handle_datagram.
struct ReceivedRtp {
  rtp::PacketView packet;  ///< SSRC, number, timestamp, payload type and extensions of the original stream
  uint16_t source = 0;     ///< place in Peer::sources()
  LineUse use = LineUse::Microphone;
  uint8_t layer = 0;  ///< 0 = lowest
  sdp::Codec codec = sdp::Codec::Opus;
  bool is_retransmission = false;
  std::optional<rtp::AudioLevel> audio_level;
  std::optional<uint16_t> transport_number;  ///< already recorded for feedback
  std::optional<uint32_t> abs_send_time;
  core::Instant arrived;
};

/// A datagram of RTCP, authentic and decrypted, not looked into. Read it with rtp::CompoundReader.
struct ReceivedRtcp {
  core::Bytes packets;
  core::Instant arrived;
};

/// monostate: it was STUN or DTLS, or it was dropped and counted.
using Received = std::variant<std::monostate, ReceivedRtp, ReceivedRtcp>;

/// New ──a valid check──▶ Connecting ──DTLS done──▶ Connected ──consent lost──▶ Disconnected
///                             ▲ └─────────────consent lost──────────────────────▶ │
///                             └────── a valid check; DTLS done: to Connected ─────┘
/// any ──▶ Failed, which is final: the client needs a new peer.
enum class PeerState : uint8_t {
  New,           ///< answered, no check came yet
  Connecting,    ///< the client is reachable, DTLS is running
  Connected,     ///< media flows
  Disconnected,  ///< no consent at the moment; comes back by checks or an ICE restart
  Failed,        ///< DTLS failed, or the client closed
};
const char* to_string(PeerState state);

enum class StateReason : uint8_t {
  None,
  NeverReached,       ///< Disconnected out of New: no check within connect_timeout
  ConsentLost,        ///< Disconnected
  WrongFingerprint,   ///< Failed: not the certificate that the offer announced
  NoCommonProfile,    ///< Failed
  HandshakeTimeout,   ///< Failed
  HandshakeProtocol,  ///< Failed
  ClosedByClient,     ///< Failed: close_notify
  ClosedByNode,       ///< Failed: close() was called
};
const char* to_string(StateReason reason);

struct StateChanged {
  PeerState state = PeerState::New;
  StateReason reason = StateReason::None;
  std::string detail;  ///< for the log
};
/// For the worker's tables: checks for this fragment, datagrams from this address belong to this peer.
struct FragmentAdded {
  std::string ufrag;
};
struct FragmentRetired {
  std::string ufrag;
};
struct AddressAdded {
  core::SocketAddress address;
};
struct AddressRemoved {
  core::SocketAddress address;
};
/// destination() is another one now.
struct DestinationChanged {
  core::SocketAddress address;
};
using Event = std::variant<StateChanged, FragmentAdded, FragmentRetired, AddressAdded, AddressRemoved,
                           DestinationChanged>;

struct PeerCounters {
  uint64_t packets_in = 0, bytes_in = 0;    ///< every datagram
  uint64_t packets_out = 0, bytes_out = 0;  ///< sealed and control
  uint64_t rtp_in = 0, rtcp_in = 0, retransmissions_in = 0;
  uint64_t unvalidated = 0;     ///< from an address without ICE consent
  uint64_t unclassified = 0;    ///< no protocol's first byte
  uint64_t early = 0;           ///< media before the keys, or after the end
  uint64_t late_dtls = 0;       ///< for an association that stayed in the process before this one
  uint64_t malformed = 0;       ///< no RTP
  uint64_t not_authentic = 0;   ///< SRTP refused: tag, replay, too many sources
  uint64_t unknown_stream = 0;  ///< no line for this SSRC yet
  uint64_t unknown_codec = 0;   ///< payload type not negotiated for the line
  uint64_t probes_in = 0;       ///< padding only, no media inside
  uint64_t refused_offers = 0;
  uint64_t dropped_events = 0;
};

enum class PeerErrorCode : uint8_t {
  BadOffer,      ///< the description itself (REFUSAL_CODE_BAD_SDP)
  BadLines,      ///< `lines` contradicts itself or the description
  LinesChanged,  ///< a later offer took away or renamed a line
  NewTransport,  ///< a later offer has another certificate: that needs a new peer
  Ended,         ///< the peer has failed or was closed
};
const char* to_string(PeerErrorCode code);
struct PeerError {
  PeerErrorCode code = PeerErrorCode::BadOffer;
  std::string reason;  ///< English, for developers; holds no credentials
};

}  // namespace huitang::peer
